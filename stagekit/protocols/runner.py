"""What brings a release up, and acts on what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Protocol

from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked, Invocation, LogsAsked, Observation
from stagekit.events import Emit
from stagekit.protocols.engine import Engine
from stagekit.records import Release, ReleaseCommand


class Runner(Protocol):
    """Brings a sealed release up on an engine, looks at it, and takes it down."""

    def engine_for(self, engine: Engine) -> Engine:
        """Return the engine as the releases that this runner brings up see it: their lock is taken
        on it, and it says what of them is in force and which containers there are. By default
        ``engine`` itself."""
        ...

    def up(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,
        *,
        scale: Mapping[str, int],
        secrets: Mapping[str, str],
        source: Path | None,
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[str, ...]:
        """Bring up exactly ``document``, the release's compose.yaml as it was verified.

        Args:
            release: what is brought up.
            document: its bytes; what stands on disk may have changed since.
            folder: what its relative paths start from, on the engine's host.
            scale: numbers of containers other than the document's, by service.
            secrets: values by name.
            source: the project's folder, for a release whose containers mount it.
            emit: told how far it is.
            cancel: stops it.

        Returns:
            The last lines of what went wrong, empty if nothing did. It is no verdict: the caller
            inspects what came up.
        """
        ...

    def once(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,
        command: ReleaseCommand,
        *,
        dependencies: bool,
        secrets: Mapping[str, str],
        source: Path | None,
        emit: Emit,
        cancel: Cancel,
    ) -> tuple[int, tuple[str, ...]]:
        """Run a release's command in a container of its own, which is removed after it; one that
        was left behind by a process that died is removed before.

        Args:
            release: whose command it is.
            document: as in `up`, as the others are.
            folder: see above.
            command: what is run, and in a container of which service.
            dependencies: start what the service depends on first. What runs is never replaced.
            secrets: values by name.
            source: the project's folder, for a release whose containers mount it.
            emit: told each line that it prints.
            cancel: stops it.

        Returns:
            Its exit code, and the last lines that it printed.

        Raises:
            LimitExceeded: it took longer than it may.
        """
        ...

    def definitions(
        self,
        release: Release,
        document: bytes,
        folder: PurePath,
        *,
        secrets: Mapping[str, str],
        source: Path | None,
        cancel: Cancel,
    ) -> Mapping[str, str]:
        """Return the digest of each service's definition, as `up` writes it on the containers
        (`stagekit.containers.Container.definition`): one that has another is replaced.

        Takes what `up` takes.
        """
        ...

    def observe(self, project: str) -> Observation:
        """Return what runs under a Compose project's name."""
        ...

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        """Remove what runs under that name, containers and networks. Volumes stay."""
        ...

    def restart(
        self, project: str, services: Sequence[str], *, emit: Emit, cancel: Cancel
    ) -> tuple[str, ...]:
        """Restart containers as they are, all or those of ``services``; return what `up` does."""
        ...

    def logs(self, project: str, asked: LogsAsked, folder: Path) -> Invocation:
        """Return how to print what containers printed; ``folder`` is an empty one."""
        ...

    def inside(self, project: str, asked: CommandAsked, folder: Path) -> Invocation:
        """Return how to run a command in a running container; ``folder`` is an empty one."""
        ...

    def beside(
        self,
        release: Release,
        document: Path,
        folder: PurePath,
        asked: CommandAsked,
        *,
        secrets: Mapping[str, str],
        source: Path | None,
    ) -> Invocation:
        """Return how to run a command in a container of its own, removed after it, which touches
        nothing that runs; those that processes left behind that are gone are removed.

        Args:
            release: the one that runs.
            document: a file with its compose.yaml as it was verified.
            folder: as in `up`, as the others are.
            asked: what to run.
            secrets: see above.
            source: see above.
        """
        ...
