"""The contracts between stages and what they act on. Plugins implement these.

Every method may raise a `stagekit.errors.StagekitError`; none prints, and none reads the
process's environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from stagekit.containers import CheckedBuild, Container, Observation
from stagekit.events import Emit
from stagekit.images import ImageFacts, ImageSpec
from stagekit.process import Cancel
from stagekit.records import Build, EngineFacts, Release, Run, Stored


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

    def tag(self, image: str, reference: str) -> None:
        """Give an image on the engine one more name."""
        ...

    def load(self, archive: Path, *, cancel: Cancel) -> None:
        """Take up the images of an archive (``docker load``), under the names it gives them."""
        ...

    def check(
        self,
        image: str,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None,
        build: CheckedBuild,
        limit: float,
        on_line: Callable[[str], None],
        cancel: Cancel,
    ) -> int:
        """Run a command in a container of ``image`` that is removed after it.

        Args:
            image: what it runs in.
            command: its words.
            entrypoint: replaces the image's own; empty for none.
            build: which one it is for.
            limit: seconds it may take.
            on_line: called with each line that it prints.
            cancel: stops it.

        Returns:
            Its exit code.

        Raises:
            LimitExceeded: it took too long.
        """
        ...

    def remove_checks(self, project: str, *, but: Sequence[str]) -> None:
        """Remove containers of a project's checks that were left behind, of all builds ``but``
        these."""
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
    """Builds images on an engine, several at a time."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def lacks(self, spec: ImageSpec) -> tuple[str, ...]:
        """Return what ``spec`` asks for and this builder cannot do here, each in a few words with
        what would help. Asked before anything is built."""
        ...

    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        """Build ``spec``, tag it with its references on the engine and return the image's id.

        Called from a thread for each image. Every line that is printed is emitted as an `Output`.

        Raises:
            BuildFailed: with the failing step as ``where`` and the last lines as ``output``.
        """
        ...


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

    def note(self, entry: Mapping[str, object]) -> None:
        """Say durably, from any thread, which ``step`` of which ``image`` begins: what is known of
        a build whose process dies."""
        ...

    def log(self, line: str) -> None:
        """Append to the build's log."""
        ...

    def finish(self, build: Build, inputs: bytes = b"") -> Stored[Build]:
        """Write what the images were made from and then the record, once."""
        ...

    def close(self) -> None:
        """Let go of the id. Without a record the build counts as interrupted."""
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

    def reserve_build(self, begun: Build) -> BuildSlot:
        """Take the id of ``begun``, or that with ``-2``, ``-3`` … where it is taken.

        ``begun`` is the record as far as it is known: it becomes that of a build whose process
        dies, as interrupted.
        """
        ...

    def builds(self) -> Sequence[str]: ...

    def build(self, id: str) -> Stored[Build]: ...

    def build_log(self, id: str) -> bytes:
        """Return all that the builders of a build printed, as far as it has come."""
        ...

    def build_inputs(self, id: str) -> bytes:
        """Return what a build's images were made from, empty where that is not at hand."""
        ...

    def builds_under_way(self) -> Sequence[str]: ...

    def close_interrupted_builds(self) -> Sequence[str]:
        """Write the records of builds whose process died; return their ids."""
        ...

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
