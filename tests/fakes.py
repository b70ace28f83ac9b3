# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""Stand-ins for what a stage acts on, and records to feed it: small, and honest about calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath, PurePosixPath

from msgspec.structs import replace

from stagekit import digest
from stagekit.builtin.shipped import shipped
from stagekit.cancel import Cancel
from stagekit.containers import (
    CheckedBuild,
    CommandAsked,
    Container,
    Invocation,
    LogsAsked,
    Observation,
    Volume,
)
from stagekit.errors import Busy, LeaseLost, RegistryError, StagekitError
from stagekit.events import Emit, Event
from stagekit.images import ImageFacts, ImageSpec
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run.platform import Platform
from stagekit.plugins import found
from stagekit.plugins.manager import Plugins
from stagekit.records import (
    Build,
    BuilderFacts,
    BuiltImage,
    Deploy,
    EngineFacts,
    Holder,
    Link,
    Pin,
    Pruning,
    Release,
    ReleaseCommand,
    Run,
    Source,
    Standing,
    Stored,
    Versions,
)

NOON = datetime(2026, 4, 6, 12, 0, 0, 250_000, tzinfo=UTC)
ENGINE = EngineFacts(
    id="engine-1", url="unix:///fake", version="29.0.0", api="1.52", platform="linux/amd64"
)
COMPOSE_YAML = b'services:\n  web:\n    image: "registry.test/web@sha256:00"\n'
RELEASE_FILES = {"compose.yaml": COMPOSE_YAML, "variables.toml": b""}


def sha(text: str) -> str:
    """A digest that is well-formed and differs with ``text``."""
    return digest.of_bytes(text.encode())


PIN = Pin(asked="registry.test/web:1", pinned=f"registry.test/web@{sha('web')}", kind="digest")


def a_build(id: str = "b1", **changes: object) -> Build:
    build = Build(
        id=id,
        status="succeeded",
        project="shop",
        created=NOON,
        finished=NOON + timedelta(seconds=3),
        actor="ann@laptop",
        engine_local=False,
        source=Source(commit="c" * 40, branch="main"),
        builder=BuilderFacts(name="fake", version="1", engine="engine-1", platform="linux/amd64"),
        images={
            "web": BuiltImage(
                repository="registry.test/web",
                tags=(id, "latest"),
                image_id=sha(f"{id} image"),
                size=10,
                pushed=True,
                digest=sha(id),
            )
        },
    )
    return replace(build, **changes)


def a_release(env: str = "prod", **changes: object) -> Release:
    release = Release(
        id="",
        env=env,
        project="shop",
        created=NOON,
        actor="ann@laptop",
        content_digest=digest.of_tree(RELEASE_FILES),
        files=digest.of_files(RELEASE_FILES),
        engine_local=False,
        build=Link(id="b1", digest=sha("record of b1")),
        deploy=Deploy(timeout=0.5, settle=0.0),
        versions=Versions(stagekit="1", compose="5.6.1"),
        pins={"web": PIN},
    )
    return replace(release, **changes)


def a_pruning(stored: Stored[Release]) -> Pruning:
    release = stored.record
    return Pruning(
        env=release.env,
        release=stored.link,
        released=release.created,
        build=release.build,
        content_digest=release.content_digest,
        created=NOON,
        actor="ann@laptop",
    )


def a_run(n: int = 1, env: str = "prod", release: str = "v1", **changes: object) -> Run:
    run = Run(
        n=n,
        env=env,
        project="shop",
        reason="run",
        outcome="running",
        created=NOON,
        finished=NOON + timedelta(seconds=3),
        actor="ann@laptop",
        release=Link(id=release, digest=sha(release)),
    )
    return replace(run, **changes)


def a_container(service: str = "web", **changes: object) -> Container:
    container = Container(
        id=f"{service}-id",
        name=f"shop-prod-{service}-1",
        service=service,
        state="running",
        image_id=sha("image on the engine"),
        restart_policy="unless-stopped",
        restarts=0,
        started="2026-04-06T12:00:00Z",
        project="shop-prod",
    )
    return replace(container, **changes)


def stored_release(release: Release | None = None) -> Stored[Release]:
    return Stored(record=release or a_release(id="v1"), digest=sha("release"))


def released(ledger: FileLedger, env: str = "prod", **changes: object) -> Stored[Release]:
    """Add a release to ``env``, under its next id."""
    return ledger.add_release(a_release(env, **changes), RELEASE_FILES)


def ran(
    ledger: FileLedger, release: str, outcome: str = "running", env: str = "prod", **more: object
) -> Stored[Run]:
    """Add a run of ``release`` that ended as ``outcome``, under the next number."""
    journal = ledger.begin_run(env, {})
    try:
        return journal.finish(a_run(journal.n, env, release, outcome=outcome, **more))
    finally:
        journal.close()


@dataclass
class FakeEngine:
    """An engine that has ``images`` and ``running`` and writes down what it is asked to do."""

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

    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.url}

    def facts(self) -> EngineFacts:
        return ENGINE

    def image(self, reference: str) -> ImageFacts | None:
        return self.images.get(reference)

    def load(self, archive: Path, *, cancel: Cancel) -> None:
        self.calls.append(("load", archive.name))

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

    def remove_checks(self, project: str, *, but: Sequence[str]) -> None: ...

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

    def push(self, reference: str, *, shared: bool = False, emit: Emit, cancel: Cancel) -> str:
        self.calls.append(("push", reference))
        if self.push_errors:
            raise self.push_errors.pop(0)
        if self.push_error:
            raise self.push_error
        if reference in self.moved:
            self.moved.remove(reference)
            self.images[reference] = ImageFacts(id=sha("another"), size=1)
        return sha(reference.rpartition(":")[0])

    def registry_digest(self, reference: str) -> str:
        self.calls.append(("ask", reference))
        if reference not in self.registry:
            raise RegistryError("manifest unknown", hint="check the name and the tag")
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
        if self.held_by:
            raise Busy(f"another run holds it: {self.held_by.actor}", where=name)
        self.leases.append(FakeLease(holder=holder, cancel=cancel, taken_over=self.was_held_by))
        return self.leases[-1]

    def lock_holder(self, name: str) -> tuple[Holder, float] | None:
        return (self.held_by, 60.0) if self.held_by else None

    def break_lock(self, name: str) -> Holder | None:
        broken, self.held_by = self.held_by, None
        return broken

    def keep_standing(self, standing: Standing) -> None:
        if self.standing_error:
            raise self.standing_error
        self.kept = standing

    def standing(self, name: str) -> Standing | None:
        return self.kept


@dataclass
class FakeLease:
    """A lease that is held until somebody says that it is ``lost``."""

    holder: Holder
    cancel: Cancel
    taken_over: Holder | None = None
    lost: bool = False
    released: bool = False

    def check(self) -> None:
        if self.lost:
            raise LeaseLost("another run has taken the environment")

    def release(self) -> None:
        self.released = True


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
    ) -> None:
        self._observations = [Observation(containers=tuple(item)) for item in observations]
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


def shipped_plugins(*own: object) -> Plugins:
    """What ships, and plugins of a test's own."""
    return Plugins([*found.shipping(shipped(), "1"), *found.given(own)])


class Heard:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "\n".join(str(event) for event in self.events)


class FakeSecrets:
    """A provider that has every secret it is asked for."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def names(self, layers: Sequence[Path]) -> Collection[str] | None:
        return list(self._values)

    def carried(self, names: Collection[str], layers: Sequence[Path]) -> Mapping[str, bytes]:
        return {}

    def values(self, names: Sequence[str], carried: Mapping[str, bytes]) -> Mapping[str, str]:
        return {name: self._values[name] for name in names}


def platform(
    ledger: FileLedger,
    runner: FakeRunner,
    on: FakeEngine | None = None,
    cancel: Cancel | None = None,
    heard: Heard | None = None,
    **secrets: str,
) -> Platform:
    """What a run is done with, all of it stand-ins but the ledger."""
    return Platform(
        ledger=ledger,
        engine=on or FakeEngine(),
        runner=lambda _kind: runner,
        providers=lambda _name: FakeSecrets(**secrets),
        actor="ann@laptop",
        emit=heard or Heard(),
        cancel=cancel or Cancel(),
        environ={"PATH": os.environ["PATH"]},
        source=ledger.root,
        command="inv run",
    )
