# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""Stand-ins for what a stage acts on, and records to feed it: small, and honest about calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from stagekit import digest
from stagekit.containers import CheckedBuild, Container, Observation
from stagekit.errors import RegistryError, StagekitError
from stagekit.events import Emit, Event
from stagekit.images import ImageFacts, ImageSpec
from stagekit.ledger.files import FileLedger
from stagekit.process import Cancel
from stagekit.records import (
    Build,
    BuilderFacts,
    BuiltImage,
    Deploy,
    EngineFacts,
    Link,
    Pin,
    Release,
    Run,
    Source,
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
        engine_local=False,
        build=Link(id="b1", digest=sha("record of b1")),
        deploy=Deploy(timeout=0.5, settle=0.0),
        versions=Versions(stagekit="1", compose="5.6.1"),
        pins={"web": PIN},
    )
    return replace(release, **changes)


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
    check_codes: dict[tuple[str, ...], int] = field(default_factory=dict)
    pull_error: StagekitError | None = None
    log: tuple[str, ...] = ("last words",)
    local: bool = False
    url: str = "unix:///fake"
    calls: list[tuple[str, str]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.url}

    def facts(self) -> EngineFacts:
        return ENGINE

    def image(self, reference: str) -> ImageFacts | None:
        return self.images.get(reference)

    def tag(self, image: str, reference: str) -> None:
        self.calls.append(("tag", reference))

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
        on_line("checking")
        return self.check_codes.get(tuple(command), 0)

    def remove_checks(self, project: str, *, but: Sequence[str]) -> None: ...

    def pull(self, reference: str, *, emit: Emit, cancel: Cancel) -> None:
        self.calls.append(("pull", reference))
        if self.pull_error:
            raise self.pull_error

    def push(self, reference: str, *, emit: Emit, cancel: Cancel) -> str:
        self.calls.append(("push", reference))
        if self.push_errors:
            raise self.push_errors.pop(0)
        if self.push_error:
            raise self.push_error
        return sha(reference.rpartition(":")[0])

    def registry_digest(self, reference: str) -> str:
        self.calls.append(("ask", reference))
        if reference not in self.registry:
            raise RegistryError("manifest unknown", hint="check the name and the tag")
        return self.registry[reference]

    def containers(self, project: str | None = None) -> tuple[Container, ...]:
        return tuple(item for item in self.running if project in (None, item.project))

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        return self.log[-lines:]


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
    """A runner that shows one observation after the other, the last one for ever."""

    def __init__(self, *observations: Iterable[Container], complaint: tuple[str, ...] = ()) -> None:
        self._observations = [Observation(containers=tuple(item)) for item in observations]
        self._complaint = complaint
        self.calls: list[str] = []
        self.secrets: dict[str, str] = {}
        self.document = b""

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
        self.calls.append("up")
        self.document = document
        self.secrets = dict(secrets)
        return self._complaint

    def observe(self, project: str) -> Observation:
        self.calls.append("observe")
        return self._observations.pop(0) if len(self._observations) > 1 else self._observations[0]

    def down(self, project: str, *, emit: Emit, cancel: Cancel) -> None:
        self.calls.append("down")


class Heard:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "\n".join(str(event) for event in self.events)
