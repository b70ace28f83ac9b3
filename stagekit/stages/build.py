"""Build: source → images, once. Knows no environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from stagekit.engine.context import check_dockerfile
from stagekit.errors import BuildFailed, Cancelled, InputError, RegistryError, StagekitError
from stagekit.events import Emit, Noted, Warned, step
from stagekit.inputs.project import Project
from stagekit.inputs.source import CONFIGURATION, read_source
from stagekit.process import Cancel
from stagekit.protocols import Builder, BuildSlot, Engine, ImageSpec, Ledger
from stagekit.records import (
    CI,
    Build,
    BuilderFacts,
    BuiltImage,
    Failure,
    Part,
    Source,
    Stored,
)

_TAG_LIMIT = 128
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")


class Facts(Part, frozen=True):
    """What a build is decided from."""

    project: Project
    source: Source
    ci: CI | None
    wanted_id: str
    actor: str


class Plan(Part, frozen=True):
    """What will be built. The id is the wanted one; where it is taken, a number follows."""

    id: str
    project: str
    push: bool
    images: tuple[ImageSpec, ...]
    repositories: dict[str, str]
    source: Source
    ci: CI | None
    actor: str


def gather(
    project: Project,
    *,
    ci: CI | None,
    actor: str,
    name: Callable[[CI | None, Source], str],
) -> Facts:
    """Read what a build is decided from; change nothing.

    Args:
        project: what to build.
        ci: the CI job this runs in.
        actor: who builds.
        name: says which id the build should have.
    """
    source = read_source(project.root)
    return Facts(project=project, source=source, ci=ci, wanted_id=name(ci, source), actor=actor)


def decide(facts: Facts) -> Plan:
    """Say what will be built.

    Raises:
        InputError: the project has no image.
    """
    project = facts.project
    if not project.images:
        raise InputError(
            "there is no image to build",
            where="pyproject.toml",
            hint='add [tool.stagekit.images.web] with context = "."',
        )
    id = tag_of(facts.wanted_id)
    return Plan(
        id=id,
        project=project.name,
        push=project.registry is not None,
        images=tuple(_spec(project, name, id) for name in project.images),
        repositories={name: project.repository(name) for name in project.images},
        source=facts.source,
        ci=facts.ci,
        actor=facts.actor,
    )


def apply(
    plan: Plan, *, engine: Engine, builder: Builder, ledger: Ledger, emit: Emit, cancel: Cancel
) -> Stored[Build]:
    """Build all images, then push them all, and write the record.

    Nothing is pushed before everything is built: a failed build leaves ``latest`` where it was.

    Raises:
        BuildFailed, EngineError, Cancelled: after the failure was recorded.
    """
    for spec in plan.images:
        check_dockerfile(spec, f"image {spec.name}")
    facts = engine.facts()
    slot = ledger.reserve_build(plan.id)
    begun = datetime.now(UTC)
    if not plan.push:
        emit(Warned("no registry is configured: this build can only run on this engine"))
    progress = _Progress()
    images: dict[str, BuiltImage] = {}
    failure: StagekitError | None = None
    try:
        images = _build_and_push(plan, slot, engine, builder, progress, emit, cancel)
    except StagekitError as error:
        failure = error
    build = Build(
        id=slot.id,
        status=_status(failure),
        project=plan.project,
        created=begun,
        finished=datetime.now(UTC),
        actor=plan.actor,
        engine_local=not plan.push,
        source=plan.source,
        builder=BuilderFacts(
            name=builder.name, version=builder.version, engine=facts.id, platform=facts.platform
        ),
        ci=plan.ci,
        failure=progress.failure(failure) if failure else None,
        images=images,
    )
    stored = slot.finish(build)
    if failure:
        raise failure
    return stored


def tag_of(text: str) -> str:
    """Turn an id into what Docker takes for a tag and the ledger for a name: 128 of
    ``[A-Za-z0-9_.-]``, starting with a letter or a digit."""
    return _NOT_IN_TAGS.sub("-", text).lstrip("._-")[: _TAG_LIMIT - 8] or "build"


class _Progress:
    """Remembers what is worked on, for the record of a failure."""

    subject = ""
    step = "start"

    def failure(self, error: StagekitError) -> Failure:
        return Failure(
            subject=self.subject, step=self.step, message=str(error), output=error.output
        )


def _build_and_push(
    plan: Plan,
    slot: BuildSlot,
    engine: Engine,
    builder: Builder,
    progress: _Progress,
    emit: Emit,
    cancel: Cancel,
) -> dict[str, BuiltImage]:
    specs = [_renamed(spec, plan, slot.id) for spec in plan.images]
    ids = {}
    for spec in specs:
        cancel.check()
        progress.step, progress.subject = "build", spec.name
        with step(emit, "build", spec.name) as under_way:
            ids[spec.name] = builder.build(spec, emit=emit, cancel=cancel)
            under_way.outcome = spec.references[0]
    images = {}
    for spec in specs:
        digest = None
        if plan.push:
            progress.step, progress.subject = "push", spec.name
            digest = _push(spec.references, engine, emit, cancel)
        found = engine.image(ids[spec.name])
        images[spec.name] = BuiltImage(
            repository=plan.repositories[spec.name],
            tags=tuple(reference.rpartition(":")[2] for reference in spec.references),
            image_id=ids[spec.name],
            size=found.size if found else 0,
            pushed=plan.push,
            digest=digest,
        )
    if slot.id != plan.id:
        emit(Noted(f"{plan.id} was taken: this build is {slot.id}"))
    return images


def _push(references: Sequence[str], engine: Engine, emit: Emit, cancel: Cancel) -> str:
    """Push each name in turn (side by side, registries mix up tags of one fresh image)."""
    digests = {}
    for reference in references:
        cancel.check()
        with step(emit, "push", reference) as under_way:
            try:
                digests[reference] = engine.push(reference, emit=emit, cancel=cancel)
            except RegistryError as error:
                raise BuildFailed(
                    f"the registry did not take it: {error.what}",
                    where=reference,
                    hint=error.hint,
                    output=error.output,
                ) from error
            under_way.outcome = digests[reference]
    return digests[references[0]]


def _spec(project: Project, name: str, id: str) -> ImageSpec:
    settings = project.images[name]
    context = (project.root / settings.context).resolve()
    root = project.root.resolve()
    hidden = [root / folder for folder in CONFIGURATION]
    return ImageSpec(
        name=name,
        context=context,
        dockerfile=Path(os.path.normpath(context / settings.dockerfile)),
        references=_references(project.repository(name), id),
        hidden=tuple(
            str(folder.relative_to(context)) for folder in hidden if folder.is_relative_to(context)
        ),
        target=settings.target,
        args=settings.args,
    )


def _renamed(spec: ImageSpec, plan: Plan, id: str) -> ImageSpec:
    return msgspec.structs.replace(spec, references=_references(plan.repositories[spec.name], id))


def _references(repository: str, id: str) -> tuple[str, ...]:
    return (f"{repository}:{id}", f"{repository}:latest")


def _status(failure: StagekitError | None) -> str:
    if failure is None:
        return "succeeded"
    return "cancelled" if isinstance(failure, Cancelled) else "failed"
