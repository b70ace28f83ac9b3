"""What a build starts from: each image's settings, and what it is made from now."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec.structs import replace

from stagekit.engine.context import check_dockerfile
from stagekit.errors import InputError
from stagekit.images import BuildSecret, ImageSpec
from stagekit.inputs.bases import BaseImages
from stagekit.inputs.dockerfile import read_bases
from stagekit.inputs.fingerprint import ImageInputs, read_inputs
from stagekit.inputs.images import in_order, variable_of
from stagekit.inputs.names import NOT_SOURCE
from stagekit.inputs.project import Project
from stagekit.paths import expanded
from stagekit.records import CI, Source

_NAMED = 5


def specs_of(project: Project) -> dict[str, ImageSpec]:
    """Return what the project's settings say of each image, in the order in which they can be
    built.

    Raises:
        InputError: there is none, or a Dockerfile is missing or empty.
    """
    if not project.images:
        raise InputError(
            "there is no image to build",
            where="pyproject.toml",
            hint='add [tool.stagekit.images.web] with context = "."',
        )
    specs = {name: _spec(project, name) for name in in_order(project.images)}
    for spec in specs.values():
        check_dockerfile(spec)
    return specs


def read_all_inputs(project: Project, *, builder: str, bases: BaseImages) -> dict[str, ImageInputs]:
    """Read what each image of the project is made from now.

    Args:
        project: whose images.
        builder: the builder's name.
        bases: tells base images' digests.

    Raises:
        InputError: there is none, a Dockerfile is missing, a file cannot be read.
    """
    inputs: dict[str, ImageInputs] = {}
    for name, spec in specs_of(project).items():
        own = read_inputs(
            spec, builder=builder, base_digest=bases.digest, index=project.cache / f"{name}.index"
        )
        others = {
            f"{other} of this project": inputs[other].fingerprint
            for other in project.images[name].depends
        }
        inputs[name] = replace(own, bases=own.bases | others)
    return inputs


def doubts_of(spec: ImageSpec, inputs: ImageInputs, depends: Collection[str]) -> Iterator[str]:
    """Say what of an image's source has it built more often, or less, than may be meant.

    Args:
        spec: the image.
        inputs: what it is made from.
        depends: the project's images that it starts from: the build names those.
    """
    if ".git/HEAD" in inputs.files:
        yield "git's own folder is part of it, so each commit makes another image: .dockerignore"
    args = {**spec.args, **{variable_of(other): other for other in depends}}
    for name in read_bases(spec.dockerfile.read_bytes(), args).open:
        yield (
            f"FROM {name} is known to the builder alone: when that image moves, this one is not "
            "built again; give it its values in args, or as defaults of ARG before the first FROM"
        )


def check_clean(project: Project, source: Source, ci: CI | None) -> None:
    """Raise InputError if the project's ``require_clean`` does not let this source be built."""
    wanted = ci is not None if project.require_clean == "ci" else project.require_clean
    if wanted and source.dirty:
        named = ", ".join(source.changed[:_NAMED]) or "git does not tell what"
        raise InputError(
            f"the source has uncommitted changes: {named}",
            where="pyproject.toml [tool.stagekit] require_clean",
            hint="commit or stash them; git status lists them all",
        )


def _spec(project: Project, name: str) -> ImageSpec:
    settings = project.images[name]
    context = (project.root / settings.context).resolve()
    root = project.root.resolve()
    hidden = [*(root / folder for folder in NOT_SOURCE), *map(Path.resolve, project.templates)]
    provenance = "min" if settings.provenance is True else settings.provenance
    sbom = "true" if settings.sbom is True else settings.sbom
    return ImageSpec(
        name=name,
        context=context,
        dockerfile=Path(os.path.normpath(context / settings.dockerfile)),
        repositories=project.repositories(name),
        tags=(),
        hidden=tuple(
            str(path.relative_to(context)) for path in hidden if path.is_relative_to(context)
        ),
        target=settings.target,
        args=settings.args,
        labels=settings.labels,
        platforms=settings.platforms,
        secrets=tuple(
            BuildSecret(id=id, variable=secret.env, file=_file(root, secret.file))
            for id, secret in settings.secrets.items()
        ),
        ssh=settings.ssh,
        cache_from=settings.cache.sources,
        cache_to=settings.cache.to,
        provenance=provenance or None,
        sbom=sbom or None,
        epoch=0 if project.reproducible else None,
    )


def _file(root: Path, name: str | None) -> Path | None:
    return root / expanded(name) if name else None
