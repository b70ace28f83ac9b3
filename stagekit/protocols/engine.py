"""What builds and runs: the engine, and what works on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from stagekit.cancel import Cancel
from stagekit.containers import CheckedBuild, Container, Volume
from stagekit.events import Emit
from stagekit.images import ImageFacts, ImageSpec
from stagekit.protocols.lease import Lease
from stagekit.records import EngineFacts, Holder, Standing


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

    def save(self, image: str, archive: Path, *, cancel: Cancel) -> None:
        """Write an image, by its id, to an archive that `load` takes up under the same id."""
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

    def remove_checks(self, project: str, left: Callable[[str], bool]) -> None:
        """Remove containers of a project's checks: those that were ``left`` behind by the process
        that makes their build, and those that any process would have removed by now."""
        ...

    def place(
        self, files: Mapping[str, bytes], *, executable: Collection[str], image: str
    ) -> PurePosixPath:
        """Put files on the engine's host, in a folder that is the same each time, and read them
        back; those that are there already are left alone.

        Args:
            files: content by relative path, which stands for that content for ever.
            executable: the paths of those that may be run.
            image: one that the engine has.

        Returns:
            The folder, absolute on that host.
        """
        ...

    def pull(self, reference: str, *, emit: Emit, cancel: Cancel) -> None: ...

    def push(self, reference: str, *, shared: bool = False, emit: Emit, cancel: Cancel) -> str:
        """Push ``repository:tag``; return the digest the registry took it under.

        Args:
            reference: what to push.
            shared: other builds push this tag as well: what the registry says while it takes it
                counts, and is not asked for again.
            emit: told how far it is.
            cancel: stops it.
        """
        ...

    def registry_digest(self, reference: str) -> str:
        """Ask the registry which digest ``reference`` has now.

        Raises:
            RegistryError: it does not say; ``missing`` where that is because it has none.
        """
        ...

    def containers(self, project: str | None = None) -> tuple[Container, ...]:
        """Return the containers of a Compose project, also stopped ones; without one, all that
        run. One-off containers are left out."""
        ...

    def files_folder(self) -> PurePosixPath:
        """Return the folder on its host that `place` puts files in."""
        ...

    def volumes(self, project: str) -> tuple[Volume, ...]:
        """Return the volumes that were made for a Compose project."""
        ...

    def logs(self, container: str, lines: int) -> tuple[str, ...]: ...

    def execute(self, container: str, argv: Sequence[str], *, limit: float) -> tuple[int, bytes]:
        """Run a command in a running container; return its exit code and all that it printed.

        Raises:
            LimitExceeded: it took longer than ``limit`` seconds.
        """
        ...

    def remove_once(self, project: str, label: str, left: Callable[[str], bool] = ...) -> None:
        """Remove the one-off containers of a Compose project that have a label; of those, the ones
        that were ``left`` behind by what its text names, by default all."""
        ...

    def remove_compared(self, left: Callable[[str], bool]) -> tuple[str, ...]:
        """Remove the containers, networks and volumes that comparisons made, those which were
        ``left`` behind by the process that their label names; return what they were called."""
        ...

    def lease(
        self,
        name: str,
        holder: Holder,
        *,
        seconds: float,
        wait: float,
        emit: Emit,
        cancel: Cancel,
    ) -> Lease:
        """Take the lock of an environment, for all who use this engine.

        Args:
            name: the environment's, as its containers are named (``shop-prod``).
            holder: who takes it.
            seconds: for how long it is taken at a time; it is renewed until it is released.
            wait: seconds to wait for whoever holds it.
            emit: told that, and whose lease had run out.
            cancel: stops the waiting; requested where the lock is lost later.

        Raises:
            Busy: somebody else holds it.
        """
        ...

    def lock_holder(self, name: str) -> tuple[Holder, float] | None:
        """Return who holds the lock of an environment, and for how many seconds more."""
        ...

    def break_lock(self, name: str) -> Holder | None:
        """Free the lock of an environment; return who held it, who finds it lost."""
        ...

    def keep_standing(self, standing: Standing) -> None:
        """Write down what is in force in an environment, in place of what was."""
        ...

    def standing(self, name: str) -> Standing | None:
        """Return what is in force in an environment (``shop-prod``), as it was written down."""
        ...

    def free_disk(self) -> int | None:
        """Return the bytes that are free where it keeps its data, None where that is not seen."""
        ...


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


class SecretProvider(Protocol):
    """Knows an environment's secrets: what a release carries of them, and, when it is run, their
    values."""

    def names(self, layers: Sequence[Path]) -> Collection[str] | None:
        """Return the secrets there are, or None where only a run can tell.

        Args:
            layers: the folders of the environment's layers, the weakest first.
        """
        ...

    def carried(self, names: Collection[str], layers: Sequence[Path]) -> Mapping[str, bytes]:
        """Return what a release that uses ``names`` carries, by path: all that `values` needs, and
        nothing in clear. Its ``secrets.toml`` has their fingerprints (`stagekit.inputs.secrets`).
        """
        ...

    def values(self, names: Sequence[str], carried: Mapping[str, bytes]) -> Mapping[str, str]:
        """Return a value for each name, given the files of the release.

        Raises:
            InputError: one has no value or cannot be opened; says which, and the way out.
        """
        ...
