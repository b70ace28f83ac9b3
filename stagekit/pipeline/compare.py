"""What is different between two releases, or a release and what would be the next one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from stagekit import toml
from stagekit.inputs.secrets import fingerprints
from stagekit.inputs.variables import VARIABLES, exact
from stagekit.pipeline.lines import unified
from stagekit.records import Link, Part, Pin, Release

_DOCUMENT = "compose.yaml"
_SECRETS = "secrets.toml"

Kind = Literal["added", "removed", "changed", "same"]


class HostDifference(Part, frozen=True):
    """What a host of a fleet runs, and should not, or the other way round; ``service`` is whose,
    where it is one's."""

    host: str
    text: str
    service: str | None = None


class Side(Part, frozen=True):
    """One of the two that are compared.

    ``name`` is what it is called, for a plan ``the plan``. ``files`` are all of the release but its
    record. ``notes`` are what its reader should know of it. ``hosts`` is where those of a fleet
    differ from what was run last there, for what runs.
    """

    name: str
    release: Release
    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()
    hosts: tuple[HostDifference, ...] = ()


class Commits(Part, frozen=True):
    """What the builds were made from: ``gained`` came with the new one, ``lost`` is not in it.
    Each is ``<short commit> <subject>``, newest first."""

    old: str | None = None
    new: str | None = None
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class ImageChange(Part, frozen=True):
    """A service whose image is another one."""

    service: str
    kind: Kind
    old: Pin | None = None
    new: Pin | None = None


class Variable(Part, frozen=True):
    """A variable's value, and the file and line that it came from."""

    value: Any
    origin: str


class VariableChange(Part, frozen=True):
    """A variable that is another one; ``same`` is one whose value only comes from elsewhere."""

    name: str
    kind: Kind
    old: Variable | None = None
    new: Variable | None = None


class SecretChange(Part, frozen=True):
    """A secret, and no more of it than whether its value is another one."""

    name: str
    kind: Kind


class SettingChange(Part, frozen=True):
    """A setting of how the release is run."""

    name: str
    old: Any
    new: Any


class FileChange(Part, frozen=True):
    """A file that travels in the release."""

    path: str
    kind: Kind


class Difference(Part, frozen=True):
    """All that two releases differ in. ``document`` is a unified diff of their compose.yaml."""

    old: str
    new: str
    old_build: Link
    new_build: Link
    commits: Commits = Commits()
    images: tuple[ImageChange, ...] = ()
    variables: tuple[VariableChange, ...] = ()
    secrets: tuple[SecretChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    files: tuple[FileChange, ...] = ()
    hosts: tuple[HostDifference, ...] = ()
    document: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether they are of different builds, or anything that is run is different."""
        secrets = [secret for secret in self.secrets if secret.kind != "same"]
        parts = (self.images, self.variables, secrets, self.settings, self.files)
        return self.old_build != self.new_build or any((*parts, self.hosts, self.document))


def compare(old: Side, new: Side, commits: Commits | None = None) -> Difference:
    """Say what is different in ``new``.

    Args:
        old: what it is held against.
        new: a release, or one that is only planned.
        commits: those between the two builds, where they are known.
    """
    return Difference(
        old=old.name,
        new=new.name,
        old_build=old.release.build,
        new_build=new.release.build,
        commits=commits or Commits(),
        images=tuple(_images(old.release.pins, new.release.pins)),
        variables=tuple(_variables(_read(old), _read(new))),
        secrets=tuple(_secrets(old, new)),
        settings=tuple(_settings(old.release, new.release)),
        files=tuple(_files(old.files, new.files)),
        hosts=tuple(dict.fromkeys((*old.hosts, *new.hosts))),
        document=unified(_document(old), _document(new), f"{old.name}/", f"{new.name}/"),
        notes=(*old.notes, *new.notes),
    )


def _images(old: Mapping[str, Pin], new: Mapping[str, Pin]) -> Iterator[ImageChange]:
    for service in sorted({*old, *new}):
        before, after = old.get(service), new.get(service)
        kind = _kind(before and before.pinned, after and after.pinned)
        if kind != "same":
            yield ImageChange(service=service, kind=kind, old=before, new=after)


def _variables(
    old: Mapping[str, Variable], new: Mapping[str, Variable]
) -> Iterator[VariableChange]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        kind = _kind(before and exact(before.value), after and exact(after.value))
        moved = before and after and _file(before.origin) != _file(after.origin)
        if kind != "same" or moved:
            yield VariableChange(name=name, kind=kind, old=before, new=after)


def _secrets(old: Side, new: Side) -> Iterator[SecretChange]:
    before, after = _known_secrets(old), _known_secrets(new)
    for name in sorted({*before, *after}):
        yield SecretChange(name=name, kind=_kind(before.get(name), after.get(name)))


def _settings(old: Release, new: Release) -> Iterator[SettingChange]:
    before, after = (msgspec.to_builtins(release.deploy) for release in (old, new))
    for name in before:
        if before[name] != after[name]:
            yield SettingChange(name=name, old=before[name], new=after[name])


def _files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[FileChange]:
    for path in sorted({*old, *new} - {_DOCUMENT, VARIABLES, _SECRETS}):
        kind = _kind(old.get(path), new.get(path))
        if kind != "same":
            yield FileChange(path=path, kind=kind)


def _kind(old: object, new: object) -> Kind:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    return "same" if old == new else "changed"


def _read(side: Side) -> dict[str, Variable]:
    table = toml.loads(side.files.get(VARIABLES, b"").decode())
    return msgspec.convert(table, dict[str, Variable])


def _known_secrets(side: Side) -> dict[str, str]:
    """Return the secrets' fingerprints, an empty one where the release has none of it."""
    return {**dict.fromkeys(side.release.secrets, ""), **fingerprints(side.files)}


def _document(side: Side) -> str:
    return side.files.get(_DOCUMENT, b"").decode()


def _file(origin: str) -> str:
    """Return an origin without its line: a line that moved is no change."""
    path, _, line = origin.rpartition(":")
    return path if line.isdigit() else origin
