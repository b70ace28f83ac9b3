# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""An engine that is none: it has what it is given, and writes down what it is asked to do.

It keeps `stagekit.testing.contracts.EngineContract` but for what takes containers that run, and
`stagekit.testing.contracts.LeaseContract`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from stagekit.cancel import Cancel
from stagekit.containers import (
    CheckedBuild,
    Container,
    Volume,
)
from stagekit.errors import Busy, LeaseLost, RegistryError, StagekitError
from stagekit.events import Emit
from stagekit.images import ImageFacts
from stagekit.records import (
    EngineFacts,
    Holder,
    Standing,
    compose_project,
)
from stagekit.testing.records import ENGINE, sha


@dataclass
class FakeEngine:
    """An engine that has ``images`` and ``running`` and writes down what it is asked to do.

    What is pushed is in ``registry`` and can be pulled, what is saved can be loaded. ``held_by`` is
    somebody else who holds every lock; those that are taken here are in ``leases``.
    """

    images: dict[str, ImageFacts] = field(default_factory=dict)
    running: tuple[Container, ...] = ()
    registry: dict[str, str] = field(default_factory=dict)
    push_error: StagekitError | None = None
    push_errors: list[StagekitError] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    check_error: StagekitError | None = None
    check_codes: dict[tuple[str, ...], int] = field(default_factory=dict)
    pull_error: StagekitError | None = None
    place_error: StagekitError | None = None
    placed: dict[str, bool] = field(default_factory=dict)
    kept_volumes: tuple[Volume, ...] = ()
    log: tuple[str, ...] = ("last words",)
    executed: list[tuple[int, bytes]] = field(default_factory=lambda: [(0, b"")])
    free: int | None = None
    held_by: Holder | None = None
    was_held_by: Holder | None = None
    leases: list[FakeLease] = field(default_factory=list)
    kept: Standing | None = None
    standing_error: StagekitError | None = None
    compared: dict[str, str] = field(default_factory=dict)
    local: bool = False
    url: str = "unix:///fake"
    calls: list[tuple[str, str]] = field(default_factory=list)
    _pushed: dict[str, str] = field(default_factory=dict)
    _locks: dict[str, FakeLease] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.url}

    def facts(self) -> EngineFacts:
        return ENGINE

    def image(self, reference: str) -> ImageFacts | None:
        return self.images.get(reference)

    def load(self, archive: Path, *, cancel: Cancel) -> None:
        self.calls.append(("load", archive.name))
        id = archive.read_bytes().decode("utf-8", "replace") if archive.is_file() else ""
        if id.startswith("sha256:"):  # what `save` wrote
            self.images.setdefault(id, ImageFacts(id=id, size=7))

    def save(self, image: str, archive: Path, *, cancel: Cancel) -> None:
        self.calls.append(("save", image))
        archive.write_bytes(image.encode())

    def tag(self, image: str, reference: str) -> None:
        self.calls.append(("tag", reference))
        self.images[reference] = self.images.get(image, ImageFacts(id=image, size=7))

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
        self.calls.append(("check", " ".join(command)))
        if self.check_error:
            raise self.check_error
        on_line("checking")
        return self.check_codes.get(tuple(command), 0)

    def remove_checks(self, project: str, left: Callable[[str], bool]) -> None: ...

    def place(
        self, files: Mapping[str, bytes], *, executable: Collection[str], image: str
    ) -> PurePosixPath:
        self.calls.append(("place", image))
        if self.place_error:
            raise self.place_error
        self.placed = {path: path in executable for path in files}
        return PurePosixPath("/engine/stagekit")

    def pull(self, reference: str, *, emit: Emit, cancel: Cancel) -> None:
        self.calls.append(("pull", reference))
        if self.pull_error:
            raise self.pull_error
        if id := self._pushed.get(reference):
            self.images[reference] = ImageFacts(id=id, size=7, digests=(reference,))

    def push(self, reference: str, *, shared: bool = False, emit: Emit, cancel: Cancel) -> str:
        self.calls.append(("push", reference))
        if self.push_errors:
            raise self.push_errors.pop(0)
        if self.push_error:
            raise self.push_error
        if reference in self.moved:
            self.moved.remove(reference)
            self.images[reference] = ImageFacts(id=sha("another"), size=1)
        repository = reference.rpartition(":")[0]
        digest = sha(repository)
        self.registry[reference] = self.registry[f"{repository}@{digest}"] = digest
        if there := self.images.get(reference):
            self._pushed[f"{repository}@{digest}"] = there.id
        return digest

    def registry_digest(self, reference: str) -> str:
        self.calls.append(("ask", reference))
        if reference not in self.registry:
            hint = "check the name and the tag"
            raise RegistryError("manifest unknown", hint=hint, missing=True)
        return self.registry[reference]

    def containers(self, project: str | None = None) -> tuple[Container, ...]:
        return tuple(item for item in self.running if project in (None, item.project))

    def files_folder(self) -> PurePosixPath:
        return PurePosixPath("/engine/stagekit")

    def volumes(self, project: str) -> tuple[Volume, ...]:
        return self.kept_volumes

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        return self.log[-lines:]

    def execute(self, container: str, argv: Sequence[str], *, limit: float) -> tuple[int, bytes]:
        self.calls.append(("execute", container))
        return self.executed.pop(0) if len(self.executed) > 1 else self.executed[0]

    def remove_once(self, project: str, label: str, left: Callable[[str], bool] = bool) -> None: ...

    def remove_compared(self, left: Callable[[str], bool]) -> tuple[str, ...]:
        gone = {name: by for name, by in self.compared.items() if left(by)}
        self.compared = {name: by for name, by in self.compared.items() if name not in gone}
        self.calls.append(("remove", " ".join(gone)))
        return tuple(gone)

    def free_disk(self) -> int | None:
        return self.free

    def lease(
        self,
        name: str,
        holder: Holder,
        *,
        seconds: float,
        wait: float,
        emit: Emit,
        cancel: Cancel,
    ) -> FakeLease:
        if held := self.lock_holder(name):
            raise Busy(f"another run holds it: {held[0].actor}", where=name)
        lease = FakeLease(holder=holder, cancel=cancel, taken_over=self.was_held_by)
        self.leases.append(lease)
        self._locks[name] = lease
        return lease

    def lock_holder(self, name: str) -> tuple[Holder, float] | None:
        lease = self._locks.get(name)
        here = lease.holder if lease and not (lease.released or lease.lost) else None
        holder = self.held_by or here
        return (holder, 60.0) if holder else None

    def break_lock(self, name: str) -> Holder | None:
        held = self.lock_holder(name)
        self.held_by = None
        if held and name in self._locks:
            self._locks[name].lost = True
        return held[0] if held else None

    def keep_standing(self, standing: Standing) -> None:
        if self.standing_error:
            raise self.standing_error
        self.kept = standing

    def standing(self, name: str) -> Standing | None:
        kept = self.kept
        return kept if kept and compose_project(kept.project, kept.env) == name else None


@dataclass
class FakeLease:
    """A lease that is held until somebody lets it be lost."""

    holder: Holder
    cancel: Cancel
    taken_over: Holder | None = None
    lost: bool = False
    released: bool = False

    def lose(self) -> None:
        """Be lost, and stop whoever has it, as the thread does that renews a real one."""
        self.lost = True
        self.cancel.request(self._loss)

    def check(self) -> None:
        if self.lost:
            raise self._loss()

    def _loss(self) -> LeaseLost:
        return LeaseLost("another run has taken the environment")

    def release(self) -> None:
        self.released = True
