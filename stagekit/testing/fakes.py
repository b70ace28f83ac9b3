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
from stagekit.errors import BuildFailed, InputError
from stagekit.events import Emit, Event, Output
from stagekit.images import ImageFacts, ImageSpec
from stagekit.protocols import Engine
from stagekit.records import (
    Release,
    ReleaseCommand,
)
from stagekit.testing.brought_up import BroughtUp, definitions
from stagekit.testing.engine import FakeEngine
from stagekit.testing.records import sha


@dataclass
class FakeBuilder:
    """A builder whose images of ``fails`` do not build, and which cannot do ``cannot``.

    It runs nothing: the lines that it prints are those of the Dockerfile. It keeps
    `stagekit.testing.contracts.BuilderContract`.
    """

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
        cancel.check()
        lines = spec.dockerfile.read_text().splitlines() if spec.dockerfile.is_file() else []
        for line in lines:
            emit(Output(step="build", subject=spec.name, line=line))
        if spec.name in self.fails.split():
            raise self.error or BuildFailed(
                f"{spec.name} does not build", where="its last step", output=tuple(lines[-1:])
            )
        self.built.append(spec)
        id = sha(f"image {spec.name}")
        for name in (id, *spec.references):
            self.engine.images[name] = ImageFacts(id=id, size=7)
        return id


class FakeRunner:
    """A runner that shows one observation after the other, the last one for ever; ``before`` until
    something was brought up, where it is given.

    Without observations it shows what was brought up of the documents it was given, and so keeps
    `stagekit.testing.contracts.RunnerContract`; ``engine`` then says which images there are.
    ``command`` is how a release's command ends: its exit code and last lines.
    """

    def __init__(
        self,
        *observations: Iterable[Container],
        engine: FakeEngine | None = None,
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
        self._up = BroughtUp(engine)
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
        if self._observations or self._complaint:
            return self._complaint
        return self._up.bring(release.compose_project, document, scale)

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
        return dict.fromkeys(release.pins, "d1") if self._observations else definitions(document)

    def observe(self, project: str) -> Observation:
        if self._before is not None and "up" not in self.calls:
            return self._before
        self.calls.append("observe")
        if not self._observations:
            return self._up.seen(project)
        return self._observations.pop(0) if len(self._observations) > 1 else self._observations[0]

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        self.calls.append("down")
        self._up.take_down(project)

    def restart(
        self, project: str, services: Sequence[str], *, emit: Emit, cancel: Cancel
    ) -> tuple[str, ...]:
        self.calls.append(" ".join(["restart", *services]))
        self._up.restart(project, services)
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
