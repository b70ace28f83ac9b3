"""What runs in an environment now, held against what its last run recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stagekit.containers import Container
from stagekit.errors import LedgerError
from stagekit.events import Emit, Warned
from stagekit.inputs.seal import replicas
from stagekit.pipeline.history import last_run, newest_release
from stagekit.pipeline.run import proof
from stagekit.pipeline.run.drift import Drift, environment_drift, services_drift
from stagekit.pipeline.sides import commit_of
from stagekit.pipeline.verify import verified
from stagekit.protocols import Engine, Ledger, Runner
from stagekit.records import Part, Pin, Release, Run


class ServiceStatus(Part, frozen=True):
    """One service: how many of its containers run, and whether they run what was released.

    ``state``, ``health`` and ``since`` are those of the container that is worst off.
    """

    service: str
    state: str
    running: int
    wanted: int
    image: str
    proven: bool
    health: str | None = None
    since: str | None = None

    @property
    def well(self) -> bool:
        return self.proven and self.running == self.wanted and self.health != "unhealthy"


class HostStatus(Part, frozen=True):
    """One host of a fleet: the release that its engine says is in force there (None for none), and
    its services as they are now; ``trouble`` says why that cannot be seen."""

    name: str
    url: str
    release: str | None = None
    trouble: str | None = None
    services: tuple[ServiceStatus, ...] = ()
    drift: tuple[Drift, ...] = ()

    @property
    def well(self) -> bool:
        return self.trouble is None and all(item.well for item in self.services)


class EnvironmentStatus(Part, frozen=True):
    """One environment: the run in force, its services as they are now, and how they drifted; of a
    fleet, that of each of its hosts."""

    env: str
    release: str
    build: str
    run: int
    outcome: str
    reason: str
    actor: str
    engine_local: bool
    commit: str | None = None
    services: tuple[ServiceStatus, ...] = ()
    drift: tuple[Drift, ...] = ()
    hosts: tuple[HostStatus, ...] = ()

    @property
    def mixed(self) -> bool:
        """Whether hosts of a fleet run different releases, or such as nobody can see."""
        unseen = any(host.trouble is not None for host in self.hosts)
        return unseen or len({host.release for host in self.hosts}) > 1

    @property
    def well(self) -> bool:
        """Whether everything that should run does, and is what was released."""
        fine = all(item.well for item in self.services) and all(item.well for item in self.hosts)
        return self.outcome == "running" and fine and not self.mixed

    @property
    def drifts(self) -> tuple[Drift, ...]:
        """All that drifted, on every host of a fleet."""
        return (*self.drift, *(drift for host in self.hosts for drift in host.drift))

    @property
    def as_released(self) -> bool:
        """Whether it is well, and nothing drifted."""
        return self.well and not self.drifts


def status_of(
    env: str,
    *,
    ledger: Ledger,
    engine: Engine,
    runner: Callable[[str], Runner],
    emit: Emit,
) -> EnvironmentStatus | None:
    """Return how an environment stands, or None where nothing was ever run.

    A release that was changed since it was sealed is warned of: what runs can still be seen.

    Raises:
        LedgerError: its record cannot be read.
    """
    last = last_run(ledger, env, emit)
    if last is None:
        return None
    run = last.record
    release = ledger.release(env, run.release.id).record
    brings_up = runner(run.runner)
    engine = brings_up.engine_for(engine)
    seen = look(run, release, ledger=ledger, engine=engine, runner=brings_up, emit=emit)
    standing = engine.standing(release.compose_project)
    drift = environment_drift(release, run, newest_release(ledger, env), standing)
    return EnvironmentStatus(
        env=env,
        release=release.id,
        build=release.build.id,
        commit=commit_of(release, ledger, emit),
        run=run.n,
        outcome=run.outcome,
        reason=run.reason,
        actor=run.actor,
        engine_local=release.engine_local,
        services=seen.services,
        drift=(*seen.drift, *drift),
    )


class Seen(NamedTuple):
    """The services of a release as they are on one engine, and how they drifted."""

    services: tuple[ServiceStatus, ...]
    drift: tuple[Drift, ...]


def look(
    run: Run, release: Release, *, ledger: Ledger, engine: Engine, runner: Runner, emit: Emit
) -> Seen:
    """Hold what runs on an engine against what a run left there.

    Args:
        run: which one; its scale names every service that has another number of containers there.
        release: that it was of.
        ledger: has the release.
        engine: where it runs.
        runner: looks.
        emit: told of a release that was changed since it was sealed.
    """
    observed = runner.observe(release.compose_project)
    if run.outcome == "stopped" and not observed.containers:
        return Seen((), ())
    wanted = {**_wanted(ledger, release, emit), **run.scale, **observed.numbers}
    return Seen(
        services=tuple(
            _service(name, count, observed.of(name), release.pins[name], engine, run)
            for name, count in sorted(wanted.items())
        ),
        drift=tuple(services_drift(wanted, observed.containers, release, run, engine)),
    )


def _wanted(ledger: Ledger, release: Release, emit: Emit) -> dict[str, int]:
    try:
        return replicas(verified(ledger, release.env, release.id).document)
    except LedgerError as error:
        emit(Warned(str(error)))
        return dict.fromkeys(release.pins, 1)


def _service(
    name: str,
    wanted: int,
    containers: tuple[Container, ...],
    pin: Pin,
    engine: Engine,
    last: Run,
) -> ServiceStatus:
    done = {seen.service for seen in last.containers if seen.state == "exited"}
    up = [item for item in containers if item.state == "running" or (item.done and name in done)]
    worst = min(containers, key=lambda item: _standing(item, item in up), default=None)
    state = "missing"
    if worst:
        state = "done" if worst.done and name in done else worst.state
    return ServiceStatus(
        service=name,
        state=state,
        health=worst.health if worst else None,
        running=len(up),
        wanted=wanted,
        since=worst.since if worst else None,
        image=pin.pinned,
        proven=(bool(containers) or wanted == 0)
        and all(proof.runs(item, pin, engine) for item in containers),
    )


def _standing(container: Container, up: bool) -> tuple[bool, int]:
    """Order containers by how they are, the worst first."""
    health = ("unhealthy", "starting")
    return up, health.index(container.health) if container.health in health else len(health)
