# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""Stand-ins for what works on an engine, and a listener."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from stagekit.cancel import Cancel
from stagekit.containers import (
    CommandAsked,
    Container,
    Invocation,
    LogsAsked,
    Observation,
)
from stagekit.errors import InputError
from stagekit.events import Emit, Event
from stagekit.images import ImageFacts, ImageSpec
from stagekit.protocols import Engine
from stagekit.records import (
    Release,
    ReleaseCommand,
)
from stagekit.testing.engine import FakeEngine
from stagekit.testing.records import sha


@dataclass
class FakeBuilder:
    """A builder whose images of ``fails`` do not build, and which cannot do ``cannot``."""

    engine: FakeEngine
    fails: str = ""
    cannot: tuple[str, ...] = ()
    error: BaseException | None = None
    built: list[ImageSpec] = field(default_factory=list)
    name: str = "fake"
    version: str = "1"

    def lacks(self, spec: ImageSpec) -> tuple[str, ...]:
        return self.cannot

    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        self.engine.calls.append(("build", spec.name))
        if spec.name in self.fails.split() and self.error:
            raise self.error
        self.built.append(spec)
        id = sha(f"image {spec.name}")
        self.engine.images[id] = ImageFacts(id=id, size=7)
        return id


class FakeRunner:
    """A runner that shows one observation after the other, the last one for ever; ``before`` until
    something was brought up, where it is given."""

    def __init__(
        self,
        *observations: Iterable[Container],
        complaint: tuple[str, ...] = (),
        before: Iterable[Container] | None = None,
        command: tuple[int, tuple[str, ...]] = (0, ()),
        numbers: Mapping[str, int] | None = None,
    ) -> None:
        counted = dict(numbers or {})
        self._observations = [
            Observation(containers=tuple(item), numbers=counted) for item in observations
        ]
        self._before = None if before is None else Observation(containers=tuple(before))
        self._complaint = complaint
        self._command = command
        self.scale: dict[str, int] = {}
        self.dependencies: bool | None = None
        self.calls: list[str] = []
        self.secrets: dict[str, str] = {}
        self.document = b""
        self.folder: PurePath | None = None
        self.source: Path | None = None

    def engine_for(self, engine: Engine) -> Engine:
        return engine

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
        self.calls.append("up")
        self.scale = dict(scale)
        self.source = source
        self.folder = folder
        self.document = document
        self.secrets = dict(secrets)
        return self._complaint

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
        self.calls.append("once")
        self.dependencies = dependencies
        return self._command

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
        self.folder = folder
        return dict.fromkeys(release.pins, "d1")

    def observe(self, project: str) -> Observation:
        if self._before is not None and "up" not in self.calls:
            return self._before
        self.calls.append("observe")
        return self._observations.pop(0) if len(self._observations) > 1 else self._observations[0]

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        self.calls.append("down")

    def restart(
        self, project: str, services: Sequence[str], *, emit: Emit, cancel: Cancel
    ) -> tuple[str, ...]:
        self.calls.append(" ".join(["restart", *services]))
        return self._complaint

    def logs(self, project: str, asked: LogsAsked, folder: Path) -> Invocation:
        return Invocation(argv=("logs", *asked.services), env={}, folder=folder)

    def inside(self, project: str, asked: CommandAsked, folder: Path) -> Invocation:
        return Invocation(argv=("inside", asked.service, *asked.command), env={}, folder=folder)

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
        return Invocation(argv=("beside", asked.service, *asked.command), env={}, folder=document)


class FakeSecrets:
    """A provider that has every secret it is asked for."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def names(self, layers: Sequence[Path]) -> Collection[str] | None:
        return list(self._values)

    def carried(self, names: Collection[str], layers: Sequence[Path]) -> Mapping[str, bytes]:
        return {}

    def values(self, names: Sequence[str], carried: Mapping[str, bytes]) -> Mapping[str, str]:
        for name in names:
            if name not in self._values:
                raise InputError(f"the secret {name} has no value", hint="give it to FakeSecrets")
        return {name: self._values[name] for name in names}


class Heard:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "\n".join(str(event) for event in self.events)
