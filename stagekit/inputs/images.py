"""The images of a project: ``[tool.stagekit.images.<name>]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from stagekit.errors import InputError
from stagekit.inputs import ordering
from stagekit.inputs.names import NOT_SOURCE, check_name, upper
from stagekit.inputs.within import within
from stagekit.paths import check_path
from stagekit.records import Part

_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/v[0-9]+)?")
_SECRET_ID = re.compile(r"[A-Za-z0-9_.-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TABLE = "pyproject.toml [tool.stagekit.images]"


class SecretSettings(Part, frozen=True, forbid_unknown_fields=True):
    """Where a build secret's value is.

    Attributes:
        env: in a variable of the environment.
        file: in a file, from the project's folder or absolute.
    """

    env: str | None = None
    file: str | None = None


class CacheSettings(Part, frozen=True, forbid_unknown_fields=True, rename={"sources": "from"}):
    """Where layers come from and go to, in the words of ``docker build``
    (https://docs.docker.com/build/cache/backends/).

    Attributes:
        sources: as ``--cache-from`` has them.
        to: as ``--cache-to`` has them.
    """

    sources: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


class ImageSettings(Part, frozen=True, forbid_unknown_fields=True):
    """One image to build.

    Attributes:
        context: folder with its source, relative to the project.
        dockerfile: relative to ``context``.
        repository: name in the registry; by default the image's own name.
        target: stage of the Dockerfile to stop at.
        args: build arguments. A build knows no environment: none of these may depend on one.
        labels: of the image, next to those that say where it comes from.
        platforms: ``os/arch`` each; by default the engine's own.
        secrets: id → where its value is.
        ssh: as ``docker build --ssh`` has it: ``default``, or ``id=socket or key``.
        cache: where layers come from and go to.
        depends: images of the project it starts from: ``FROM ${IMAGE_<NAME>}``.
        needs: tasks of the repository that are done before it is looked at.
        provenance: attest how it was built; true is ``min``.
        sbom: attest what is in it; ``generator=IMAGE`` says what looks.
    """

    context: str = "."
    dockerfile: str = "Dockerfile"
    repository: str | None = None
    target: str | None = None
    args: dict[str, str] = {}
    labels: dict[str, str] = {}
    platforms: tuple[str, ...] = ()
    secrets: dict[str, SecretSettings] = {}
    ssh: tuple[str, ...] = ()
    cache: CacheSettings = CacheSettings()
    depends: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    provenance: bool | Literal["min", "max"] = False
    sbom: bool | str = False


def variable_of(image: str) -> str:
    """Name the variable that stands for an image: in templates, and in Dockerfiles that start from
    it."""
    return f"IMAGE_{upper(image)}"


def in_order(images: Mapping[str, ImageSettings]) -> tuple[str, ...]:
    """Return the images' names, each after those it depends on.

    Raises:
        InputError: they depend on one another in a circle.
    """
    graph = {name: image.depends for name, image in images.items()}
    return ordering.in_order(graph, what="images depend on one another", where=_TABLE)


def check_images(images: Mapping[str, ImageSettings], root: Path) -> None:
    """Raise InputError for a setting that could not be built from; says which."""
    variables: dict[str, str] = {}
    for name, image in images.items():
        if (other := variables.setdefault(upper(name), name)) != name:
            raise InputError(
                f"images {other} and {name} would both be ${{{variable_of(name)}}}",
                where=_TABLE,
                hint="rename one of the two",
            )
        _check_image(name, image, images)
        _check_context(image, f"pyproject.toml [tool.stagekit.images.{name}] context", root)
    in_order(images)


def _check_image(name: str, image: ImageSettings, images: Mapping[str, ImageSettings]) -> None:
    where = f"pyproject.toml [tool.stagekit.images.{name}]"
    check_name(name, "an image", where)
    if not _REPOSITORY.fullmatch(image.repository or name):
        raise InputError(
            f"{image.repository or name!r} is not a repository",
            where=f"{where} repository",
            hint="a-z and 0-9, with single '.', '_', '-' or '/' between",
        )
    for unknown in (other for other in image.depends if other not in images):
        raise InputError(
            f"there is no image {unknown!r}",
            where=f"{where} depends",
            hint=f"there are: {', '.join(images)}",
        )
    for platform in image.platforms:
        if not _PLATFORM.fullmatch(platform):
            raise InputError(
                f"{platform!r} is not a platform",
                where=f"{where} platforms",
                hint='os/architecture, for example "linux/arm64"',
            )
    for id, secret in image.secrets.items():
        if not _SECRET_ID.fullmatch(id) or bool(secret.env) == bool(secret.file):
            raise InputError(
                "a secret has either env or file",
                where=f"{where} secrets.{id}",
                hint='for example secrets.npm = { env = "NPM_TOKEN" }',
            )
        if secret.env and not _VARIABLE.fullmatch(secret.env):
            raise InputError(
                f"{secret.env!r} is not a variable's name",
                where=f"{where} secrets.{id}",
                hint="letters, digits and '_', not starting with a digit",
            )


def _check_context(image: ImageSettings, where: str, root: Path) -> None:
    check_path(root / image.context, where)
    folder = (root / image.context).resolve()
    for name in NOT_SOURCE:
        if folder.is_relative_to((root / name).resolve()):
            raise InputError(
                f"{image.context!r} is no source: a build knows nothing of {name}/", where=where
            )
    may_come = image.needs and not folder.exists()  # a task that it needs makes it
    if not folder.is_relative_to(root.resolve()) or not (folder.is_dir() or may_come):
        raise InputError(f"{image.context!r} is not a folder of this project", where=where)
    _check_dockerfile(folder / image.dockerfile, where.replace("context", "dockerfile"), root)


def _check_dockerfile(path: Path, where: str, root: Path) -> None:
    check_path(path, where)
    if not within(root, path):
        raise InputError(f"{path} lies outside the project", where=where, hint="copy it in")
