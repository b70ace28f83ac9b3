"""Files that travel in a release, content-addressed, so that what runs is what was released.

A config's text file becomes its `content`. Any other file, and whatever a service mounts of the
project, is kept as ``files/<sha256>/<name>`` and mounted from there, read-only: run puts it on the
engine's host under that same path for as long as its content stays. A single file is taken in
wherever it lies in the project, a folder only below ``environments/``: any other is source, which
belongs into an image.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stagekit import digest
from stagekit.errors import InputError
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import ENVIRONMENTS, SOURCE
from stagekit.inputs.reads import Read
from stagekit.inputs.within import resolved
from stagekit.paths import check_path

FOLDER = "files"
"""Where they are in a release."""

EXTENSION = "x-stagekit"
"""What a sealed document says to stagekit alone."""

_LIMIT, _LIMIT_FILES = 32 * 2**20, 2_000
_ANYBODY_MAY_RUN = 0o555


@dataclass(frozen=True)
class Taken:
    """A model whose files are taken in, and those that travel beside it.

    Attributes:
        model: mounts them as ``./files/<sha256>/<name>``.
        files: content by path in the release.
        read: the files and folders that it was taken from.
    """

    model: Tree
    files: dict[str, bytes]
    read: tuple[Read, ...] = ()


def take_in(model: Tree, root: Path, *, source_mounts: bool = False) -> Taken:
    """Take in the files of a Compose model: its configs', and those that services mount.

    Args:
        model: Compose's model; left as it is.
        root: the project's folder; only what lies in it is taken in, links followed.
        source_mounts: leave folders of the source where they are: run says where that is.

    Raises:
        InputError: a file lies outside, is missing, cannot be read, or there is too much of it.
    """
    taken: Tree = json.loads(json.dumps(model))
    intake = _Intake(root.resolve(), source_mounts)
    for name, config in list((taken.get("configs") or {}).items()):
        if path := config.pop("file", None):
            found = intake.found(path, f"configs.{name}.file")
            intake.count(found)
            _take_config(taken, name, config, found)
    for name, service in taken["services"].items():
        for mount in service.get("volumes") or []:
            intake.take_mount(mount, f"services.{name}.volumes")
    for volume in (taken.get("volumes") or {}).values():
        options = (volume or {}).get("driver_opts") or {}
        if "device" in options:  # refused where it is the project's, with all else that is
            options["device"] = intake.as_relative(str(options["device"]))
    if intake.executable:
        taken[EXTENSION] = {"executable": sorted(intake.executable)}
    read = (Read(root / path, "content") for path in sorted(intake.read))
    return Taken(taken, intake.files, tuple(read))


def executables(document: Tree) -> frozenset[str]:
    """Return which files of a sealed release may be run, by their paths in it."""
    return frozenset((document.get(EXTENSION) or {}).get("executable") or ())


def _take_config(model: Tree, name: str, config: Tree, found: _Found) -> None:
    """Put a config's text in its place; one that is no text becomes a mount of its file."""
    text = found.text()
    users = [
        (service, item)
        for service in model["services"].values()
        for item in service.get("configs") or []
        if item["source"] == name
    ]
    if text is not None:
        config["content"] = text.replace("$", "$$")
        for _, item in users if found.executable else ():
            item.setdefault("mode", _ANYBODY_MAY_RUN)
        return
    del model["configs"][name]
    for service, item in users:
        service["configs"].remove(item)
        mount = {"type": "bind", "source": found.path, "target": item.get("target") or f"/{name}"}
        service.setdefault("volumes", []).append(mount)


@dataclass(frozen=True)
class _Found:
    """A file or folder of the project: its path as the document has it, and on disk."""

    path: str
    at: Path
    where: str

    @property
    def executable(self) -> bool:
        return bool(self.at.stat().st_mode & stat.S_IXUSR)

    def text(self) -> str | None:
        """Return the text that a config can hold, None for any other content."""
        try:
            text = self.read().decode("utf-8")
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else text

    def read(self) -> bytes:
        try:
            return self.at.read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read {self.path}: {error.strerror}", where=self.where
            ) from error


@dataclass
class _Intake:
    """What was taken in so far."""

    root: Path
    source_mounts: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    executable: set[str] = field(default_factory=set)
    read: set[Path] = field(default_factory=set)
    bytes: int = 0

    def count(self, found: _Found) -> None:
        """Count what is read of a file, and refuse too much of it."""
        self.read.add(self._below_root(found.path))
        self.bytes += found.at.stat().st_size
        self._refuse_too_much(found.where)

    def found(self, path: str, where: str) -> _Found:
        """Look a path of the document up in the project; Compose doubles the dollars in it."""
        return self._lookup(path.replace("$$", "$"), path, where)

    def _lookup(self, relative: str, path: str, where: str) -> _Found:
        check_path(self.root / relative, where)
        at = resolved(self.root / relative)
        if not at.is_relative_to(self.root):
            raise InputError(
                f"{relative} lies outside the project", where=where, hint="copy it into the project"
            )
        if not at.exists():
            raise InputError(f"cannot read {relative}: no such file or directory", where=where)
        if not at.is_file() and not at.is_dir():  # reading a pipe would wait for ever
            raise InputError(f"{relative} is neither a file nor a folder", where=where)
        return _Found(path, at, where)

    def take_mount(self, mount: Tree, where: str) -> None:
        """Take in what a bind mount shows of the project, and point the mount there."""
        source = str(mount.get("source") or "/")
        if mount.get("type") != "bind":
            return
        check_path(self._path_of(source), where)
        if not self._is_ours(source):
            mount["source"] = self.as_relative(source)
            return
        found = self.found(mount["source"], where)
        if not found.at.is_dir() or found.at.is_relative_to(self.root / ENVIRONMENTS):
            mount["source"] = "./" + self._keep(found).replace("$", "$$")
            mount["read_only"] = True
        elif self.source_mounts:
            mount["source"] = self._in_source(mount["source"])
        else:
            mount["source"] = self.as_relative(source)
            return  # refused, with all else that a release may not hold
        mount["bind"] = {**(mount.get("bind") or {}), "create_host_path": False}

    def _is_ours(self, source: str) -> bool:
        path = self._path_of(source)
        below = path.is_relative_to(self.root) or not source.startswith("/")
        inside = (
            path.is_file()
            or path.is_relative_to(self.root / ENVIRONMENTS)
            or (self.source_mounts and path.is_dir())
        )
        return below and inside and not source.startswith("~")

    def as_relative(self, source: str) -> str:
        """Write a path of the project as one, so that it is refused however it was written."""
        written = self._path_of(source)
        for path in (written, resolved(written)):  # the project, too, may lie behind a link
            if source.startswith("/") and path.is_relative_to(self.root):
                return f"./{path.relative_to(self.root)}".replace("$", "$$")
        return source

    def _in_source(self, source: str) -> str:
        below = str(self._path_of(source).relative_to(self.root)).replace("$", "$$")
        return f"${{{SOURCE}}}" if below == "." else f"${{{SOURCE}}}/{below}"

    def _path_of(self, source: str) -> Path:
        return Path(os.path.normpath(self.root / source.replace("$$", "$")))

    def _below_root(self, source: str) -> Path:
        written = self._path_of(source)
        below = written.is_relative_to(self.root)  # as it need not be: a link may lead there
        return (written if below else resolved(written)).relative_to(self.root)

    def _keep(self, found: _Found) -> str:
        """Put a file or folder among those that travel; return its path in the release."""
        name = self._path_of(found.path).name
        self.read.add(self._below_root(found.path))  # a folder's own: of files that are gone
        content = dict(self._below(found, name, frozenset()))
        data = {path: item.read() for path, item in content.items()}
        if not data:
            raise InputError(f"{found.path} is empty", where=found.where)
        runnable = {path for path, item in content.items() if item.executable}
        folder = f"{FOLDER}/{_address(data, runnable).removeprefix('sha256:')}"
        self.files.update({f"{folder}/{path}": text for path, text in data.items()})
        self.executable |= {f"{folder}/{path}" for path in runnable}
        self._refuse_too_much(found.where)
        return f"{folder}/{name}"

    def _below(
        self, item: _Found, path: str, above: frozenset[Path]
    ) -> Iterator[tuple[str, _Found]]:
        """Yield each file at and below ``item``, under its path in the release."""
        _refuse_strange(item, path, above)
        if item.at.is_file():
            self.count(item)
            yield path, item
            return
        for entry in sorted(item.at.iterdir()):
            relative = str(entry.relative_to(self.root))
            below = self._lookup(relative, relative, item.where)
            yield from self._below(below, f"{path}/{entry.name}", above | {item.at})

    def _refuse_too_much(self, where: str) -> None:
        if self.bytes > _LIMIT or len(self.files) > _LIMIT_FILES:
            raise InputError(
                f"more than {_LIMIT >> 20} MiB or {_LIMIT_FILES:,} files are too much for config",
                where=where,
                hint="COPY what is that large into an image",
            )


def _refuse_strange(item: _Found, path: str, above: frozenset[Path]) -> None:
    if item.at in above:
        raise InputError(f"{path} leads back to itself", where=item.where)
    if not (item.at.is_file() or item.at.is_dir()):
        raise InputError(f"{path} is neither a file nor a folder", where=item.where)
    if any("\ud800" <= character <= "\udfff" for character in path):
        raise InputError(f"the name {path!r} is not UTF-8", where=item.where, hint="rename it")


def _address(data: Mapping[str, bytes], runnable: set[str]) -> str:
    """Return the digest that a file or folder is known by: a plain file's is that of its bytes, any
    other's that of a list of its files, each with whether it may be run."""
    if len(data) == 1 and not runnable:
        [(path, content)] = data.items()
        if "/" not in path:
            return digest.of_bytes(content)
    return digest.of_tree(
        {("run " if path in runnable else "") + path: text for path, text in data.items()}
    )
