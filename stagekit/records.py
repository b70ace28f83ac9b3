"""The records, as they are in memory: what each stage writes and the next one reads."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec

BuildStatus = Literal["succeeded", "failed", "interrupted"]
PinKind = Literal["digest", "image id"]
RunReason = Literal["run", "rollback", "stop"]
RunOutcome = Literal["running", "stopped", "failed", "cancelled", "interrupted"]


class Part(msgspec.Struct, frozen=True):
    """An immutable value: records, facts and plans are made of these."""


def compose_project(project: str, env: str) -> str:
    """Name what runs on an engine: Compose's project, the prefix of its containers."""
    return f"{project}-{env}"


class Link(Part, frozen=True):
    """Names another record so that it cannot be exchanged: its id and its record digest."""

    id: str
    digest: str


class Source(Part, frozen=True):
    """Where a build's source stood.

    ``changed`` are the files with uncommitted changes, the first hundred of them; ``committed`` is
    when the commit was made. ``remote`` carries no credentials.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    remote: str | None = None
    committed: datetime | None = None
    changed: tuple[str, ...] = ()


class CI(Part, frozen=True):
    """The CI job that made a record, by that CI's own documented variables.

    ``counter`` numbers the runs of ``pipeline``, ``attempt`` those of one that was run again.
    """

    name: str
    url: str | None = None
    pipeline: str | None = None
    counter: str | None = None
    attempt: str | None = None
    commit: str | None = None
    branch: str | None = None


class EngineFacts(Part, frozen=True):
    """A Docker engine: its own id, where it was reached, and what it is.

    ``image_store`` is ``containerd`` or ``classic``: the former alone keeps images of several
    platforms and attestations.
    """

    id: str
    url: str
    version: str
    api: str
    platform: str
    image_store: str = "classic"


class BuilderFacts(Part, frozen=True):
    """What built the images: ``engine`` is that engine's id, ``platform`` its ``os/arch``."""

    name: str
    version: str
    engine: str
    platform: str


class Failure(Part, frozen=True):
    """What stopped a stage: where, at which step, and the last lines that say why; ``seconds``
    is how long that step had been under way."""

    subject: str
    step: str
    message: str
    output: tuple[str, ...] = ()
    seconds: float | None = None


class BuiltImage(Part, frozen=True):
    """One image of a build. ``size`` is in bytes.

    ``digest`` is what the registry returned for the pushed reference: the one digest that pins.
    Without a push there is none, and ``image_id`` pins on the engine that built it. ``copies`` are
    the repositories of further registries, with what each of those returned.

    ``fingerprint`` is the digest of what it was made from (``<build>.inputs`` beside the record
    lists it); none where that changed while it was built. ``why`` is what had changed since the
    build before. ``made_by`` is the older build that made it, where nothing had.
    """

    repository: str
    tags: tuple[str, ...]
    image_id: str
    size: int
    pushed: bool
    digest: str | None = None
    copies: dict[str, str] = {}
    fingerprint: str | None = None
    why: tuple[str, ...] = ()
    made_by: str | None = None

    @property
    def pin(self) -> str:
        """The reference that means these bytes and no others."""
        return f"{self.repository}@{self.digest}" if self.digest else self.image_id


class CheckPassed(Part, frozen=True):
    """A command that an image of a build passed, and the seconds it took."""

    name: str
    image: str
    run: tuple[str, ...]
    seconds: float


class Build(Part, frozen=True):
    """What was built, once: ``artifacts/builds/<id>.toml``.

    ``engine_local`` says that nothing was pushed: it runs only on the engine that built it.
    ``failures`` has one entry for each image that stopped it, the first to do so first.
    """

    id: str
    status: BuildStatus
    project: str
    created: datetime
    finished: datetime
    actor: str
    engine_local: bool
    source: Source
    builder: BuilderFacts
    ci: CI | None = None
    failures: tuple[Failure, ...] = ()
    checks: tuple[CheckPassed, ...] = ()
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
    kind: PinKind


class Deploy(Part, frozen=True):
    """How a release is run, sealed with it.

    ``engine`` names the runner; ``timeout`` is how many seconds its services may take to come up,
    ``settle`` how many they must then hold; ``secret_provider`` is asked for its secrets' values.
    """

    engine: str = "compose"
    timeout: float = 120.0
    settle: float = 2.0
    secret_provider: str = "environment"  # noqa: S105  # a provider's name


class Versions(Part, frozen=True):
    """The programs that sealed a release."""

    stagekit: str
    compose: str


class Release(Part, frozen=True):
    """A build plus an environment, sealed: ``artifacts/releases/<env>/<id>/release.toml``.

    ``content_digest`` is that of every other file of the release, the same for the same inputs and
    Compose version on any machine at any time. ``secrets`` are the names of those it needs values
    for. ``engine_local`` says that an image of it is pinned by its id.
    """

    id: str
    env: str
    project: str
    created: datetime
    actor: str
    content_digest: str
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

    @property
    def compose_project(self) -> str:
        return compose_project(self.project, self.env)


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
    ``runner`` names what brought it up, and can take it down.
    """

    n: int
    env: str
    project: str
    reason: RunReason
    outcome: RunOutcome
    created: datetime
    finished: datetime
    actor: str
    release: Link
    runner: str = "compose"
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
