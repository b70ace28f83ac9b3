"""What runs in an environment now, held against what its last run recorded."""

from __future__ import annotations

from collections.abc import Callable

from stagekit.containers import Container
from stagekit.errors import LedgerError
from stagekit.events import Emit, Warned
from stagekit.inputs.seal import replicas
from stagekit.protocols import Engine, Ledger, Runner
from stagekit.records import Part, Pin, Release, Run
from stagekit.stages import proof
from stagekit.stages.history import last_run
from stagekit.stages.verify import verified


class ServiceStatus(Part, frozen=True):
    """One service: how many of its containers run, and whether they run what was released."""

    service: str
    state: str
    running: int
    wanted: int
    image: str
    proven: bool
    health: str | None = None
    since: str | None = None


class EnvironmentStatus(Part, frozen=True):
    """One environment: the run in force, and its services as they are now."""

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

    @property
    def well(self) -> bool:
        """Whether everything that should run does, and is what was released."""
        return self.outcome == "running" and all(
            item.proven and item.running == item.wanted for item in self.services
        )


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
    release = ledger.release(env, last.record.release.id).record
    observed = runner(last.record.runner).observe(release.compose_project)
    build = ledger.find_build(release.build.id)
    wanted = {} if _stopped(last.record, observed.containers) else _wanted(ledger, release, emit)
    return EnvironmentStatus(
        env=env,
        release=release.id,
        build=release.build.id,
        commit=build.record.source.commit if build else None,
        run=last.record.n,
        outcome=last.record.outcome,
        reason=last.record.reason,
        actor=last.record.actor,
        engine_local=release.engine_local,
        services=tuple(
            _service(name, count, observed.of(name), release.pins[name], engine, last.record)
            for name, count in sorted(wanted.items())
        ),
    )


def _wanted(ledger: Ledger, release: Release, emit: Emit) -> dict[str, int]:
    try:
        return replicas(verified(ledger, release.env, release.id).document)
    except LedgerError as error:
        emit(Warned(str(error)))
        return dict.fromkeys(release.pins, 1)


def _stopped(run: Run, containers: tuple[Container, ...]) -> bool:
    return run.outcome == "stopped" and not containers


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
    first = containers[0] if containers else None
    state = "missing"
    if first:
        state = "done" if first.done and name in done else first.state
    return ServiceStatus(
        service=name,
        state=state,
        health=first.health if first else None,
        running=len(up),
        wanted=wanted,
        since=first.started if first else None,
        image=pin.pinned,
        proven=(bool(containers) or wanted == 0)
        and all(proof.runs(item, pin, engine) for item in containers),
    )
