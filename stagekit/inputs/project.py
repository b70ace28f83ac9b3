"""The project: ``[tool.stagekit]`` of the pyproject.toml next to tasks.py."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from stagekit.errors import InputError
from stagekit.inputs.extending import (
    LedgerSettings,
    NotifySettings,
    PluginSettings,
    SbomSettings,
    SignSettings,
)
from stagekit.inputs.images import ImageSettings, check_images
from stagekit.inputs.limits import Seconds, refuse_nul
from stagekit.inputs.names import ARTIFACTS, CACHE, ENVIRONMENTS, check_name
from stagekit.inputs.typed import TomlFile
from stagekit.inputs.within import within
from stagekit.paths import check_path
from stagekit.records import Part

_REGISTRY = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-z0-9._/-]+)?")

SETTINGS = "pyproject.toml"
_TABLE = ("tool", "stagekit")


class CheckSettings(Part, frozen=True, forbid_unknown_fields=True):
    """A command that a built image must pass, ``[tool.stagekit.checks.<name>]``.

    Attributes:
        run: the command, run in the image; a string is split as a shell splits words, and no shell
            is involved.
        image: the image; may be left out where the project has one.
        entrypoint: replaces the image's own; empty for none.
        timeout: seconds it may take.
    """

    run: str | tuple[str, ...]
    image: str | None = None
    entrypoint: str | tuple[str, ...] | None = None
    timeout: Seconds = 600.0


class Check(Part, frozen=True):
    """A check, its commands as their words and its image by name."""

    name: str
    image: str
    run: tuple[str, ...]
    entrypoint: tuple[str, ...] | None
    timeout: float


class ProjectSettings(Part, frozen=True, forbid_unknown_fields=True):
    """``[tool.stagekit]``: what is built and released here.

    Attributes:
        name: prefix of what runs on an engine (``<name>-<env>``); by default that of
            ``[project]``, else the folder's.
        registry: where images are pushed, the one that releases pull from first; none keeps builds
            on the engine that made them. Also ``STAGEKIT_REGISTRY``.
        builder: ``auto``, ``buildx``, ``classic``, or a plugin's.
        template: the Compose files that releases are rendered from, each merged over the one
            before it; by default the one in ``templates/``.
        id: how builds are named: ``auto``, ``timestamp``, ``commit``, ``counter``, or a plugin's.
        latest: whether the tag ``latest`` moves with each build.
        tags: further tags; ``{{ branch }}``, ``{{ commit }}`` and ``{{ build }}`` are filled in.
        require_clean: refuse a dirty source: always, never, or only on a CI.
        reproducible: make the same bytes of the same commit.
        jobs: how many images are built, and pushed, at a time.
        plugins: modules of plugins; or a table with those that are not asked, too.
        ledger: where records are kept.
        notify: who is told of what.
        sbom: bills of materials of images; without the table none are made.
        sign: who signs, and who is known.
        checks: what built images must pass, by name: a command, or a table.
        images: what is built, by name.
    """

    name: str | None = None
    registry: str | tuple[str, ...] | None = None
    builder: str = "auto"
    template: str | tuple[str, ...] | None = None
    id: str = "auto"
    latest: bool = True
    tags: tuple[str, ...] = ()
    require_clean: bool | Literal["ci"] = False
    reproducible: bool = False
    jobs: int = 8
    plugins: tuple[str, ...] | PluginSettings = ()
    ledger: LedgerSettings = LedgerSettings()
    notify: NotifySettings = NotifySettings()
    sbom: SbomSettings | None = None
    sign: SignSettings = SignSettings()
    checks: dict[str, Any] = {}
    images: dict[str, dict[str, Any]] = {}


class Project(Part, frozen=True):
    """What is built and released here, read and checked.

    Attributes:
        root: the folder of tasks.py; every relative path starts here.
        registries: as ``registry`` has them.
        templates: as ``template`` has them.

    The others are as `ProjectSettings` has them.
    """

    root: Path
    name: str
    registries: tuple[str, ...]
    builder: str
    templates: tuple[Path, ...]
    images: dict[str, ImageSettings]
    id: str = "auto"
    latest: bool = True
    tags: tuple[str, ...] = ()
    require_clean: bool | Literal["ci"] = False
    reproducible: bool = False
    jobs: int = 8
    checks: tuple[Check, ...] = ()
    plugins: PluginSettings = PluginSettings()
    ledger: LedgerSettings = LedgerSettings()
    notify: NotifySettings = NotifySettings()
    sbom: SbomSettings | None = None
    sign: SignSettings = SignSettings()

    @property
    def environments(self) -> Path:
        return self.root / ENVIRONMENTS

    @property
    def artifacts(self) -> Path:
        return self.root / ARTIFACTS

    @property
    def cache(self) -> Path:
        """What can be thrown away at any time."""
        return self.root / CACHE

    def repositories(self, image: str) -> tuple[str, ...]:
        """Return an image's repository in each registry, or its plain name without one."""
        name = self.images[image].repository or image
        return tuple(f"{registry}/{name}" for registry in self.registries) or (name,)

    def relative(self, path: Path) -> str:
        """Return ``path`` as a person in the project's folder would type it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def load_project(root: Path, environ: Mapping[str, str]) -> Project:
    """Read the project's settings.

    Args:
        root: the folder of tasks.py.
        environ: ``STAGEKIT_REGISTRY`` there beats the file, for CI and for a trial; several are
            separated by commas. So does ``STAGEKIT_LEDGER``.

    Raises:
        InputError: a setting is unknown or has the wrong type; says which.
    """
    file = TomlFile(root / SETTINGS)
    given = file.table(*_TABLE)
    refuse_nul(given, f"{SETTINGS} [tool.stagekit]")
    settings = file.typed(given, ProjectSettings, *_TABLE)
    name = settings.name or str(file.table("project").get("name") or root.name)
    images = {
        key: file.typed(value, ImageSettings, *_TABLE, "images", key)
        for key, value in settings.images.items()
    }
    project = Project(
        root=root,
        name=name.lower().replace(".", "-"),
        registries=_registries(environ.get("STAGEKIT_REGISTRY"), settings.registry),
        builder=settings.builder,
        templates=_templates(root, settings.template),
        images=images,
        id=settings.id,
        latest=settings.latest,
        tags=settings.tags,
        require_clean=settings.require_clean,
        reproducible=settings.reproducible,
        jobs=settings.jobs,
        plugins=_plugins(settings.plugins),
        ledger=_ledger(environ.get("STAGEKIT_LEDGER"), settings.ledger),
        notify=settings.notify,
        sbom=settings.sbom,
        sign=settings.sign,
        checks=tuple(_check_of(file, key, value, images) for key, value in settings.checks.items()),
    )
    check_name(project.name, "a project", f"{SETTINGS} [tool.stagekit] name")
    check_images(images, root)
    if project.jobs < 1:
        raise InputError("at least one at a time", where=f"{SETTINGS} [tool.stagekit] jobs")
    return project


def _plugins(setting: tuple[str, ...] | PluginSettings) -> PluginSettings:
    return setting if isinstance(setting, PluginSettings) else PluginSettings(load=setting)


def _ledger(named: str | None, setting: LedgerSettings) -> LedgerSettings:
    return setting if named is None else LedgerSettings(url=named.strip())


def _registries(named: str | None, setting: str | tuple[str, ...] | None) -> tuple[str, ...]:
    given = named.split(",") if named else [setting] if isinstance(setting, str) else setting or ()
    registries = tuple(text.strip().rstrip("/") for text in given if text.strip())
    for registry in registries:
        if "@" in registry:
            raise InputError(
                "a registry's address holds no credentials",
                where=f"{SETTINGS} [tool.stagekit] registry, or STAGEKIT_REGISTRY",
                hint="docker login to it; stagekit uses Docker's own",
            )
        if not _REGISTRY.fullmatch(registry):
            raise InputError(
                f"{registry!r} is not a registry",
                where=f"{SETTINGS} [tool.stagekit] registry",
                hint="host[:port][/path], for example registry.example.com/team",
            )
    return registries


def _check_of(
    file: TomlFile, name: str, value: object, images: Mapping[str, ImageSettings]
) -> Check:
    where = f"[tool.stagekit.checks.{name}]"
    table = value if isinstance(value, dict) else {"run": value}
    settings = file.typed(table, CheckSettings, *_TABLE, "checks", name)
    image = settings.image or (next(iter(images)) if len(images) == 1 else None)
    if image is None or image not in images:
        raise InputError(
            f"there is no image {image!r}" if image else "it does not say in which image",
            where=f"{SETTINGS} {where} image",
            hint=f"there are: {', '.join(images)}",
        )
    run, entrypoint = _words(settings.run, where), settings.entrypoint
    if not run:
        raise InputError("it does not say what to run", where=f"{SETTINGS} {where} run")
    return Check(
        name=name,
        image=image,
        run=run,
        entrypoint=None if entrypoint is None else _words(entrypoint, where),
        timeout=settings.timeout,
    )


def _words(command: str | tuple[str, ...], where: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command)) if isinstance(command, str) else command
    except ValueError as error:
        raise InputError(f"{command!r}: {error}".lower(), where=f"{SETTINGS} {where}") from error


def _templates(root: Path, setting: str | tuple[str, ...] | None) -> tuple[Path, ...]:
    if not setting:
        folder = root / "templates"
        names = ("compose.yaml.j2", "compose.yaml", "docker-compose.yml")
        return (next((folder / n for n in names if (folder / n).is_file()), folder / names[0]),)
    given = (setting,) if isinstance(setting, str) else setting
    where = f"{SETTINGS} [tool.stagekit] template"
    for text in given:
        check_path(root / text, where)
        if not within(root, root / text):
            raise InputError(f"{text!r} lies outside the project", where=where)
    return tuple(root / text for text in given)
