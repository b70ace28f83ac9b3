"""The contracts between stages and what they act on. Plugins implement these.

Every method may raise a `stagekit.errors.StagekitError`; none prints, and none reads the
process's environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from stagekit.events import Emit
from stagekit.process import Cancel
from stagekit.records import (
    Build,
    EngineFacts,
    Part,
    Release,
    Run,
    Stored,
)

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # what Docker publishes on by default; nothing is bound here


class Port(Part, frozen=True):
    """A port that is published on an engine's host. ``protocol`` is ``tcp`` or ``udp``."""

    host: str
    number: str
    protocol: str

    def meets(self, other: Port) -> bool:
        """Tell whether both cannot be published at once."""
        if (self.number, self.protocol) != (other.number, other.protocol):
            return False
        return self.host == other.host or bool({self.host, other.host} & _ANY)


_YOUNG = 60.0
_ANY = {ANY_ADDRESS, "::", ""}


class ImageSpec(Part, frozen=True):
    """One image to build: all that a builder needs to know, and nothing of any environment.

    Attributes:
        name: the project's name for it.
        context: absolute folder that is sent to the builder.
        dockerfile: absolute path of the Dockerfile.
        hidden: folders relative to ``context`` that never travel (`.dockerignore` apart).
        repository: where it is pushed, or its plain name on the engine.
        tags: what it is tagged with there.
        target: stage of the Dockerfile to stop at.
        args: build arguments.
    """

    name: str
    context: Path
    dockerfile: Path
    repository: str
    tags: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    target: str | None = None
    args: dict[str, str] = {}

    @property
    def references(self) -> tuple[str, ...]:
        """The names the image gets: ``repository:tag`` each."""
        return tuple(f"{self.repository}:{tag}" for tag in self.tags)


class ImageFacts(Part, frozen=True):
    """An image on an engine: its size in bytes, and ``repository@digest`` as registries know it."""

    id: str
    size: int
    digests: tuple[str, ...] = ()


class Container(Part, frozen=True):
    """A container as the engine describes it. ``started`` is the engine's own text of the time."""

    id: str
    name: str
    service: str
    state: str
    image_id: str
    restart_policy: str
    restarts: int
    started: str
    project: str | None = None
    health: str | None = None
    exit_code: int | None = None
    error: str = ""
    health_output: str = ""
    ports: tuple[Port, ...] = ()

    @property
    def is_young(self) -> bool:
        """Whether it was started within the last minute, by this machine's clock."""
        try:
            started = datetime.fromisoformat(self.started)
        except ValueError:
            return True
        return abs((datetime.now(UTC) - started).total_seconds()) < _YOUNG

    @property
    def done(self) -> bool:
        """Whether it is a one-shot that has done its work.

        What publishes a port, or has a health check, was meant to stay.
        """
        passing = not self.ports and self.health is None
        one_shot = self.restart_policy in ("no", "on-failure") and passing
        return self.state == "exited" and self.exit_code == 0 and one_shot


class Engine(Protocol):
    """A Docker engine. A call that gets no answer raises EngineError within its time limit."""

    @property
    def url(self) -> str:
        """Where it is reached, in Docker's form (``unix:///…``, ``tcp://…``, ``ssh://…``)."""
        ...

    @property
    def local(self) -> bool:
        """Whether its published ports are this machine's."""
        ...

    def environment(self) -> dict[str, str]:
        """The environment under which Docker's own programs reach it, and nothing else."""
        ...

    def facts(self) -> EngineFacts: ...

    def image(self, reference: str) -> ImageFacts | None:
        """Return the image on the engine, or None."""
        ...

    def pull(self, reference: str, *, emit: Emit, cancel: Cancel) -> None: ...

    def push(self, reference: str, *, emit: Emit, cancel: Cancel) -> str:
        """Push ``repository:tag``; return the digest the registry took it under."""
        ...

    def registry_digest(self, reference: str) -> str:
        """Ask the registry which digest ``reference`` has now. Raises RegistryError."""
        ...

    def containers(self, project: str | None = None) -> tuple[Container, ...]:
        """Return the containers of a Compose project, also stopped ones; without one, all that
        run. One-off containers are left out."""
        ...

    def logs(self, container: str, lines: int) -> tuple[str, ...]: ...


class Builder(Protocol):
    """Builds one image on an engine."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        """Build ``spec``, tag it with its references on the engine and return the image's id.

        Raises:
            BuildFailed: with the failing step as ``where`` and the last lines as ``output``.
        """
        ...


class Observation(Part, frozen=True):
    """What a runner sees of a release on the engine."""

    containers: tuple[Container, ...]

    def of(self, service: str) -> tuple[Container, ...]:
        return tuple(item for item in self.containers if item.service == service)


class Runner(Protocol):
    """Brings a sealed release up on an engine, looks at it, and takes it down."""

    def up(
        self,
        release: Release,
        document: bytes,
        folder: Path,
        *,
        secrets: Mapping[str, str],
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[str, ...]:
        """Bring up exactly ``document``, the release's compose.yaml as it was verified.

        Args:
            release: what is brought up.
            document: its bytes; what stands on disk may have changed since.
            folder: the release's own.
            secrets: values by name.
            emit: told how far it is.
            cancel: stops it.

        Returns:
            The last lines of what went wrong, empty if nothing did. It is no verdict: the caller
            inspects what came up.
        """
        ...

    def observe(self, project: str) -> Observation:
        """Return what runs under a Compose project's name."""
        ...

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        """Remove what runs under that name, containers and networks. Volumes stay."""
        ...


class SecretProvider(Protocol):
    """Knows the values of secrets at the moment a release is run."""

    def values(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return a value for each name.

        Raises:
            InputError: one has no value; says which, and where it would be set.
        """
        ...


class BuildSlot(Protocol):
    """An id that is taken and whose record is not written yet."""

    @property
    def id(self) -> str: ...

    def finish(self, build: Build) -> Stored[Build]:
        """Write the record, once."""
        ...


class RunJournal(Protocol):
    """A run under way: its number is taken, each step is on disk as soon as it is done."""

    @property
    def n(self) -> int: ...

    def note(self, entry: Mapping[str, object]) -> None:
        """Append one line and make it durable."""
        ...

    def finish(self, run: Run) -> Stored[Run]:
        """Write the record, once; the journal goes."""
        ...

    def close(self) -> None:
        """Let go of the environment. Without a record the run counts as interrupted."""
        ...


class Ledger(Protocol):
    """Where records are appended and read; nothing in it is ever edited.

    Reading a damaged record raises LedgerError; the others stay readable. Lists are newest first.
    """

    def reserve_build(self, wanted: str) -> BuildSlot:
        """Take the id ``wanted``, or ``wanted-2``, ``-3`` … where it is taken."""
        ...

    def builds(self) -> Sequence[str]: ...

    def build(self, id: str) -> Stored[Build]: ...

    def find_build(self, id: str) -> Stored[Build] | None:
        """Return a build if its record is at hand: a job that only runs may have no more than
        the release."""
        ...

    def add_release(self, release: Release, files: Mapping[str, bytes]) -> Stored[Release]:
        """Write a release under its environment's next id; whole, or not at all."""
        ...

    def releases(self, env: str) -> Sequence[str]: ...

    def release(self, env: str, id: str) -> Stored[Release]: ...

    def release_folder(self, env: str, id: str) -> Path: ...

    def release_files(self, env: str, id: str) -> Mapping[str, bytes]:
        """Return every file of a release but its record, as it is on disk."""
        ...

    def begin_run(self, env: str, begun: Mapping[str, object]) -> RunJournal:
        """Take the environment for one run. Raises LedgerError while another one is under way."""
        ...

    def runs(self, env: str) -> Iterable[int]: ...

    def run(self, env: str, n: int) -> Stored[Run]: ...

    def unfinished_run(self, env: str) -> int | None:
        """Return the number of a run that has no record: under way, or interrupted."""
        ...
