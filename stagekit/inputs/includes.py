"""The files that Compose reads because a document names them: ``include``, ``extends``,
``env_file``, ``label_file``, and those of configs and secrets.

A release is made from the repository, so each must lie in it: whatever is elsewhere is another
thing on the next machine. What is included would bring its folder's ``.env`` along, whatever the
environment says (Compose Specification, section "Include"), so that must not be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import yaml

from stagekit.errors import InputError
from stagekit.inputs.interpolation import check_depth, filled, names_in
from stagekit.inputs.nodes import documents, items, pairs, texts, values
from stagekit.inputs.reads import Read
from stagekit.inputs.within import shown, within
from stagekit.paths import check_path

_MAY_NAME_FILES = re.compile(r"include|extends|(?<![a-z])file|_file|\\")
"""Without any of it, a document names no file; a backslash may write one in other letters."""

_NOTHING = "/dev/null"
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]+:|git@")
"""A repository or registry that Compose would fetch from."""

_CONTENT = ("configs.", "secrets.")
"""What is taken in of these is not filled in."""

_REPLACING = {"!reset", "!override"}
"""Tags of what replaces, in a document that is merged over another."""

_COPY = "copy it into the project"
_HINTS = {"secrets": "write secrets.<name>.environment: NAME, and set it with inv secrets.set"}


@dataclass(frozen=True)
class _Document:
    """A text, and how to read it.

    Attributes:
        text: the document.
        folder: what its paths start from.
        where: its path, for errors.
        source: what it was rendered from, if that is another text: lines are looked up there.
        env_file: whether it sees variables of such a file, which are not known here.
    """

    text: str
    folder: Path
    where: str
    source: str | None = None
    env_file: bool = False

    def at(self, node: yaml.Node) -> str:
        """Say which line names a file: ``compose.yaml:12``."""
        if self.source in (None, self.text):
            return f"{self.where}:{node.start_mark.line + 1}"
        for number, line in enumerate((self.source or "").splitlines(), 1):
            if node.value in line:
                return f"{self.where}:{number}"
        return self.where


@dataclass(frozen=True)
class _Named:
    """A file that a document names.

    Attributes:
        key: under which, such as ``services.web.env_file``.
        path: as the document has it, its variables filled in.
        at: the path on disk.
        line: what names it, file and line.
        stray: for one that is included, the ``.env`` that Compose would read for it.
        env_of: for an ``env_file``, whose.
    """

    key: str
    path: str
    at: Path
    line: str
    stray: Path | None = None
    env_of: str | None = None

    @property
    def read(self) -> Read:
        by: Literal["content", "compose"] = (
            "content" if self.key.startswith(_CONTENT) else "compose"
        )
        return Read(self.at, by, self.env_of)


def files_read(
    text: str, root: Path, *, variables: Mapping[str, str], where: str, source: str | None = None
) -> tuple[Read, ...]:
    """Return the files that Compose reads because a document names them, or one that it includes
    or extends; refuse those outside the project, and a ``.env`` that it would read for an included
    file.

    Args:
        text: a Compose document, known to be YAML.
        root: the project's folder, where its paths start.
        variables: what its paths may ask for.
        where: its path, for errors.
        source: what it was rendered from, for lines.

    Raises:
        InputError: there is one; names it, and the file and line that name it.
    """
    found = []
    for named in _named_files(_Document(text, root, where, source), root, variables):
        if named.path != _NOTHING and not within(root, named.at):
            raise InputError(
                f"{named.path} lies outside the project",
                where=f"{named.line}, {named.key}",
                hint=_HINTS.get(named.key.partition(".")[0], _COPY),
            )
        if named.stray and named.stray.exists():
            raise InputError(
                f"Compose would read {named.stray} for what it includes, past environments/",
                where=f"{named.line}, {named.key}",
                hint="write the include with env_file: /dev/null, or move the values to "
                "environments/",
            )
        if named.path != _NOTHING:
            found.append(named.read)
    return tuple(found)


def without_env_files(text: str) -> frozenset[str]:
    """Return the services of which a Compose document takes away what those before it name as
    ``env_file``."""
    if not any(tag in text for tag in _REPLACING):
        return frozenset()
    return frozenset(
        name
        for top in documents(text)
        for name, service in _entries(top, "services")
        if {node.tag for node in (service, *values(service, "env_file"))} & _REPLACING
    )


def files_as_written(
    text: str, root: Path, *, variables: Mapping[str, str], where: str
) -> Iterator[Read]:
    """Yield the files that a Compose document names, as far as can be told from a text that was
    not rendered: nothing of it is refused."""
    with suppress(InputError):
        for named in _named_files(_Document(text, root, where), root, variables):
            yield named.read


def taken_in(text: str, folder: Path) -> Iterator[Path]:
    """Yield the files that a Compose document includes, or extends services of."""
    if _MAY_NAME_FILES.search(text):
        for document in documents(text):
            for node in _paths(document, "include"):
                yield folder / node.value
            for _, service in _entries(document, "services"):
                yield from (folder / node.value for node in _extended(service))


def _named_files(document: _Document, root: Path, variables: Mapping[str, str]) -> Iterator[_Named]:
    if _MAY_NAME_FILES.search(document.text):  # spares reading a large document once more
        yield from _Walk(root, variables).files(document)


@dataclass
class _Walk:
    """What was looked at so far: files that include each other come to an end."""

    root: Path
    variables: Mapping[str, str]
    seen: set[tuple[Path, Path]] = field(default_factory=set)

    def files(self, document: _Document) -> Iterator[_Named]:
        """Yield each file that a document names, and those that these name."""
        for top in documents(document.text):
            for entry in _includes(top):
                yield from self._included(document, entry)
            for name, service in _entries(top, "services"):
                for value in values(service, "extends"):
                    yield from self._extended(document, name, value)
                for key in ("env_file", "label_file"):
                    for node in _paths(service, key):
                        named = self._named(document, f"services.{name}.{key}", node)
                        yield replace(named, env_of=name if key == "env_file" else None)
            for kind in ("configs", "secrets"):
                for name, entry in _entries(top, kind):
                    for node in _texts(entry, "file"):
                        yield self._named(document, f"{kind}.{name}.file", node)

    def _included(self, document: _Document, entry: yaml.Node) -> Iterator[_Named]:
        def named(node: yaml.ScalarNode) -> _Named:
            return self._named(document, "include", node)

        env_files = [named(node) for node in _texts(entry, "env_file")]
        yield from env_files
        reads = any(file.path != _NOTHING for file in env_files)
        base = next((named(node).at for node in _texts(entry, "project_directory")), None)
        for file in map(named, _path_of(entry)):
            stray = (base or file.at.parent) / ".env"
            yield file if env_files else replace(file, stray=stray)
            yield from self._below(document, file.at, base or file.at.parent, env_file=reads)

    def _extended(self, document: _Document, name: str, extends: yaml.Node) -> Iterator[_Named]:
        wanted = {node.value for node in _texts(extends, "service")}
        for node in _texts(extends, "file"):
            named = self._named(document, f"services.{name}.extends", node)
            yield named
            for below in self._below(document, named.at, named.at.parent, env_file=False):
                yield replace(below, env_of=name if below.env_of in wanted else None)

    def _below(
        self, above: _Document, file: Path, base: Path, *, env_file: bool
    ) -> Iterator[_Named]:
        if not file.is_file() or (file.resolve(), base.resolve()) in self.seen:
            return
        self.seen.add((file.resolve(), base.resolve()))
        where = shown(file, self.root)
        text = file.read_text("utf-8", "replace")
        check_depth(text, where)
        yield from self.files(_Document(text, base, where, env_file=env_file or above.env_file))

    def _named(self, document: _Document, key: str, node: yaml.ScalarNode) -> _Named:
        text, line = node.value, document.at(node)
        unknown = [name for name in names_in(text) if name not in self.variables]
        if unknown and document.env_file:
            raise InputError(
                f"which file {text} is depends on an env_file",
                where=f"{line}, {key}",
                hint=f"set {unknown[0]} in environments/<env>/config.toml [vars], or write the "
                "path without it",
            )
        path = filled(text, self.variables)
        if _ELSEWHERE.match(path):
            raise InputError(
                f"{path} is not a file of the project", where=f"{line}, {key}", hint=_COPY
            )
        check_path(document.folder / path, f"{line}, {key}")
        return _Named(key, path, document.folder / path, line)


def _includes(top: yaml.Node) -> list[yaml.Node]:
    """Return what a document includes: texts, or maps with a ``path``."""
    return [entry for value in values(top, "include") for entry in items(value)]


def _entries(top: yaml.Node, kind: str) -> list[tuple[str, yaml.Node]]:
    return [pair for value in values(top, kind) for pair in pairs(value)]


def _extended(service: yaml.Node) -> list[yaml.ScalarNode]:
    return [node for value in values(service, "extends") for node in _texts(value, "file")]


def _texts(node: yaml.Node, key: str) -> list[yaml.ScalarNode]:
    return [text for value in values(node, key) for text in texts(value)]


def _paths(node: yaml.Node, key: str) -> list[yaml.ScalarNode]:
    return [path for value in values(node, key) for item in items(value) for path in _path_of(item)]


def _path_of(item: yaml.Node) -> list[yaml.ScalarNode]:
    """Return the path that an ``include`` or ``env_file`` names: a text, or a map's ``path``."""
    return [item] if isinstance(item, yaml.ScalarNode) else _texts(item, "path")
