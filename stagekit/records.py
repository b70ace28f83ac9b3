"""The three records and their file format.

A record is TOML that can be read without stagekit. Its first line is ``schema = 1``, its second
``digest = "sha256:…"``: the SHA-256 of every byte after the second line as it stands, so that
``tail -n +3 FILE | sha256sum`` checks it. A field without a value is left out.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from stagekit import digest
from stagekit.errors import LedgerError

SCHEMA = 1


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What records are made of: immutable, by keyword only."""


class Link(Part, frozen=True):
    """Names another record so that it cannot be exchanged: its id and its record digest."""

    id: str
    digest: str


class Source(Part, frozen=True):
    """Where a build's source stood. ``remote`` carries no credentials."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    remote: str | None = None


class CI(Part, frozen=True):
    """The CI job that made a record, by that CI's own documented variables."""

    name: str
    url: str | None = None
    pipeline: str | None = None
    counter: str | None = None


class EngineFacts(Part, frozen=True):
    """A Docker engine: its own id, where it was reached, and what it is."""

    id: str
    url: str
    version: str
    api: str
    platform: str


class BuilderFacts(Part, frozen=True):
    """What built the images."""

    name: str
    version: str
    engine: str
    platform: str


class Failure(Part, frozen=True):
    """What stopped a stage: where, at which step, and the last lines that say why."""

    subject: str
    step: str
    message: str
    output: tuple[str, ...] = ()


class BuiltImage(Part, frozen=True):
    """One image of a build.

    ``digest`` is what the registry returned for the pushed reference: the one digest that pins.
    Without a push there is none, and ``image_id`` pins on the engine that built it.
    """

    repository: str
    tags: tuple[str, ...]
    image_id: str
    size: int
    pushed: bool
    digest: str | None = None

    @property
    def pin(self) -> str:
        """The reference that means these bytes and no others."""
        return f"{self.repository}@{self.digest}" if self.digest else self.image_id


class Build(Part, frozen=True):
    """What was built, once: ``artifacts/builds/<id>.toml``."""

    id: str
    status: str
    project: str
    created: datetime
    finished: datetime
    actor: str
    engine_local: bool
    source: Source
    builder: BuilderFacts
    ci: CI | None = None
    failure: Failure | None = None
    images: dict[str, BuiltImage] = {}

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"


class Pin(Part, frozen=True):
    """One image of a release: what the template asked for, and what it was sealed as.

    ``kind`` is ``digest`` (works wherever the registry is reached) or ``image id`` (only on the
    engine that has the image).
    """

    asked: str
    pinned: str
    kind: str


class Deploy(Part, frozen=True):
    """How a release is run, sealed with it.

    ``engine`` names the runner; ``timeout`` is how many seconds its services may take to come up,
    ``settle`` how many they must then hold.
    """

    engine: str = "compose"
    timeout: float = 120.0
    settle: float = 2.0
    secrets: str = "environment"


class Versions(Part, frozen=True):
    """The programs that sealed a release."""

    stagekit: str
    compose: str


class Release(Part, frozen=True):
    """A build plus an environment, sealed: ``artifacts/releases/<env>/<id>/release.toml``.

    ``content`` is the digest of every other file of the release, the same for the same inputs and
    Compose version on any machine at any time.
    """

    id: str
    env: str
    project: str
    created: datetime
    actor: str
    content: str
    engine_local: bool
    build: Link
    deploy: Deploy
    versions: Versions
    message: str | None = None
    ci: CI | None = None
    secrets: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    pins: dict[str, Pin] = {}

    @property
    def name(self) -> str:
        return f"{self.env}/{self.id}"


class StepTaken(Part, frozen=True):
    """One step of a run and the seconds it took."""

    name: str
    seconds: float
    outcome: str = ""


class ContainerSeen(Part, frozen=True):
    """A container as it ran when the run was proven.

    ``image_id`` and ``digests`` are the engine's; ``proven`` says that the release's pin is among
    them.
    """

    service: str
    name: str
    id: str
    state: str
    image_id: str
    proven: bool
    health: str | None = None
    exit_code: int | None = None
    digests: tuple[str, ...] = ()


class ContainerFailure(Part, frozen=True):
    """A container that did not come up, with its last lines."""

    service: str
    name: str
    reason: str
    output: tuple[str, ...] = ()


class Run(Part, frozen=True):
    """A release, running and proven: ``artifacts/runs/<env>/<n>.toml``.

    ``reason`` is run, rollback or stop. ``outcome`` is running, stopped, failed, cancelled or
    interrupted (its process died; written by the next command from the journal that it left).
    """

    n: int
    env: str
    project: str
    reason: str
    outcome: str
    created: datetime
    finished: datetime
    actor: str
    release: Link
    engine: EngineFacts | None = None
    ci: CI | None = None
    failure: Failure | None = None
    steps: tuple[StepTaken, ...] = ()
    containers: tuple[ContainerSeen, ...] = ()
    failed: tuple[ContainerFailure, ...] = ()

    @property
    def ran_well(self) -> bool:
        return self.outcome == "running"


Record = TypeVar("Record", Build, Release, Run)


class Stored(Part, Generic[Record], frozen=True):
    """A record as it stands in the ledger, with the digest that seals it."""

    record: Record
    digest: str

    @property
    def link(self) -> Link:
        """How a later record names this one."""
        record = self.record
        return Link(id=str(record.n) if isinstance(record, Run) else record.id, digest=self.digest)


def encode(record: Build | Release | Run) -> bytes:
    """Write a record as its file's bytes."""
    import tomli_w

    body = tomli_w.dumps(plain(record), multiline_strings=False).encode()
    return f'schema = {SCHEMA}\ndigest = "{digest.of_bytes(body)}"\n'.encode() + body


def decode(kind: type[Record], data: bytes, *, where: str) -> Stored[Record]:
    """Read a record from its file's bytes.

    Args:
        kind: Build, Release or Run.
        data: the file.
        where: its path, for errors.

    Raises:
        LedgerError: written by a newer stagekit, truncated, or edited since it was sealed.
    """
    stated, body = _open_envelope(data, where)
    actual = digest.of_bytes(body)
    if actual != stated:
        raise LedgerError(
            "this record was changed or cut after it was written: its digest does not match",
            where=where,
            hint=f"bring the file back as it was (its bytes after line 2 hash to {stated})",
        )
    try:
        return Stored(record=msgspec.convert(tomllib.loads(body.decode()), kind), digest=actual)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise LedgerError(f"not a record that stagekit wrote: {error}", where=where) from error


def plain(part: Part) -> dict[str, Any]:
    """Return a record as dictionaries, arrays and scalars, fields without a value left out."""
    cleaned = _without_none(msgspec.to_builtins(part, builtin_types=(datetime,)))
    assert isinstance(cleaned, dict)
    return cleaned


def _open_envelope(data: bytes, where: str) -> tuple[str, bytes]:
    first, _, rest = data.partition(b"\n")
    second, newline, body = rest.partition(b"\n")
    schema = _value(first, "schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise LedgerError(
            f"written by a newer stagekit (record schema {schema}, this one knows {SCHEMA})",
            where=where,
            hint="pip install --upgrade stagekit",
        )
    stated = _value(second, "digest")
    if schema != SCHEMA or not newline or not isinstance(stated, str):
        raise LedgerError(
            "not a whole record: it does not start with its schema and digest",
            where=where,
            hint="bring the file back from a copy, or move it out of artifacts/",
        )
    return stated, body


def _value(line: bytes, key: str) -> Any:
    try:
        return tomllib.loads(line.decode()).get(key)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
