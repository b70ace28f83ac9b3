"""The project: ``[tool.stagekit]`` of the pyproject.toml next to tasks.py."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from stagekit.errors import InputError
from stagekit.records import Part

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_REGISTRY = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-z0-9._/-]+)?")
ARTIFACTS, ENVIRONMENTS = "artifacts", "environments"
NOT_SOURCE = (ARTIFACTS, ENVIRONMENTS)
"""Folders that are no source: a change there never makes a build dirty, and none travels in one."""

_SETTINGS = "pyproject.toml"

Settings = TypeVar("Settings", bound=Part)


class ImageSettings(Part, frozen=True, forbid_unknown_fields=True):
    """One image to build, ``[tool.stagekit.images.<name>]``.

    Attributes:
        context: folder with its source, relative to the project.
        dockerfile: relative to ``context``.
        repository: name in the registry; by default the image's own name.
        target: stage of the Dockerfile to stop at.
        args: build arguments. A build knows no environment: none of these may depend on one.
    """

    context: str = "."
    dockerfile: str = "Dockerfile"
    repository: str | None = None
    target: str | None = None
    args: dict[str, str] = {}


class _Settings(Part, frozen=True, forbid_unknown_fields=True):
    name: str | None = None
    registry: str | None = None
    builder: str = "auto"
    template: str | None = None
    images: dict[str, dict[str, Any]] = {}


class Project(Part, frozen=True):
    """What is built and released here.

    Attributes:
        root: the folder of tasks.py; every relative path starts here.
        name: prefix of what runs on an engine (``<name>-<env>``).
        registry: where images are pushed; None keeps builds on the engine that made them.
        builder: ``auto`` or a builder's name.
        template: the Compose file that releases are rendered from.
        images: the images to build, by name.
    """

    root: Path
    name: str
    registry: str | None
    builder: str
    template: Path
    images: dict[str, ImageSettings]

    @property
    def environments(self) -> Path:
        return self.root / ENVIRONMENTS

    @property
    def artifacts(self) -> Path:
        return self.root / ARTIFACTS

    def repository(self, image: str) -> str:
        """Return an image's repository, with the registry in front where there is one."""
        name = self.images[image].repository or image
        return f"{self.registry}/{name}" if self.registry else name

    def relative(self, path: Path) -> str:
        """Return ``path`` as a person in the project's folder would type it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def load_project(root: Path, environ: Mapping[str, str]) -> Project:
    """Read the project's settings.

    Args:
        root: the folder of tasks.py.
        environ: ``STAGEKIT_REGISTRY`` there beats the file, for CI and for a trial.

    Raises:
        InputError: a setting is unknown or has the wrong type; says which.
    """
    document = _read_toml(root / _SETTINGS)
    settings = _convert(_table(document, "tool").get("stagekit", {}), _Settings, "[tool.stagekit]")
    name = settings.name or str(_table(document, "project").get("name") or root.name)
    images = {
        key: _convert(value, ImageSettings, f"[tool.stagekit.images.{key}]")
        for key, value in settings.images.items()
    }
    registry = environ.get("STAGEKIT_REGISTRY") or settings.registry or None
    project = Project(
        root=root,
        name=name.lower().replace(".", "-"),
        registry=registry.rstrip("/") if registry else None,
        builder=settings.builder,
        template=_template(root, settings.template),
        images=images,
    )
    _check(project)
    return project


def check_name(name: str, what: str, where: str) -> None:
    """Refuse a name that could not stand in a path, an image reference and a label alike."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is not a name for {what}",
            where=where,
            hint="up to 63 of a-z, 0-9, '-' and '_', starting with a letter or digit",
        )


def upper(name: str) -> str:
    """Write a name as an environment variable has it: ``my-app`` → ``MY_APP``."""
    return name.upper().replace("-", "_")


def _check(project: Project) -> None:
    check_name(project.name, "a project", f"{_SETTINGS} [tool.stagekit] name")
    if project.registry and "@" in project.registry:
        raise InputError(
            "a registry's address holds no credentials",
            where=f"{_SETTINGS} [tool.stagekit] registry, or STAGEKIT_REGISTRY",
            hint="docker login to it; stagekit uses Docker's own",
        )
    if project.registry and not _REGISTRY.fullmatch(project.registry):
        raise InputError(
            f"{project.registry!r} is not a registry",
            where=f"{_SETTINGS} [tool.stagekit] registry",
            hint="host[:port][/path], for example registry.example.com/team",
        )
    variables: dict[str, str] = {}
    for name, image in project.images.items():
        if (other := variables.setdefault(upper(name), name)) != name:
            raise InputError(
                f"images {other} and {name} would both be ${{IMAGE_{upper(name)}}}",
                where=f"{_SETTINGS} [tool.stagekit.images]",
                hint="rename one of the two",
            )
        where = f"{_SETTINGS} [tool.stagekit.images.{name}]"
        check_name(name, "an image", where)
        if not _REPOSITORY.fullmatch(image.repository or name):
            raise InputError(
                f"{image.repository or name!r} is not a repository",
                where=f"{where} repository",
                hint="a-z and 0-9, with single '.', '_', '-' or '/' between",
            )
        folder = (project.root / image.context).resolve()
        for name_of in NOT_SOURCE:
            if folder.is_relative_to((project.root / name_of).resolve()):
                raise InputError(
                    f"{image.context!r} is no source: a build knows nothing of {name_of}/",
                    where=f"{where} context",
                )
        if not folder.is_relative_to(project.root.resolve()) or not folder.is_dir():
            raise InputError(
                f"{image.context!r} is not a folder of this project", where=f"{where} context"
            )


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise InputError(f"{name} is not a table", where=_SETTINGS, hint=f"write [{name}]")
    return value


def _template(root: Path, setting: str | None) -> Path:
    if setting is None:
        folder = root / "templates"
        names = ("compose.yaml.j2", "compose.yaml", "docker-compose.yml")
        return next((folder / n for n in names if (folder / n).is_file()), folder / names[0])
    path = (root / setting).resolve()
    if not path.is_relative_to(root.resolve()):
        raise InputError(
            f"{setting!r} lies outside the project", where=f"{_SETTINGS} [tool.stagekit] template"
        )
    return root / setting


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(error), where=str(path)) from error


def _convert(value: Any, kind: type[Settings], where: str) -> Settings:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputError(_explain(error, kind), where=f"{_SETTINGS} {where}") from error


def _explain(error: msgspec.ValidationError, kind: type[Part]) -> str:
    known = ", ".join(field.name for field in msgspec.structs.fields(kind))
    text = str(error).replace("Object contains unknown field", "unknown setting")
    return f"{text} (known: {known})" if text.startswith("unknown setting") else text
