"""What runs in an environment now, held against what its last run recorded."""

from __future__ import annotations

from stagekit.inputs.seal import replicas
from stagekit.protocols import Container, Engine, Ledger, Runner
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


def gather(env: str, *, ledger: Ledger, engine: Engine, runner: Runner) -> EnvironmentStatus | None:
    """Return how an environment stands, or None where nothing was ever run."""
    last = last_run(ledger, env)
    if last is None:
        return None
    release, document = verified(env, last.record.release.id, ledger)
    observed = runner.observe(release.record)
    return EnvironmentStatus(
        env=env,
        release=release.record.id,
        build=release.record.build.id,
        commit=_commit(ledger, release.record),
        run=last.record.n,
        outcome=last.record.outcome,
        reason=last.record.reason,
        actor=last.record.actor,
        engine_local=release.record.engine_local,
        services=()
        if _stopped(last.record, observed.containers)
        else tuple(
            _service(name, count, observed.of(name), release.record.pins[name], engine)
            for name, count in sorted(replicas(document).items())
        ),
    )


def _stopped(run: Run, containers: tuple[Container, ...]) -> bool:
    return run.outcome == "stopped" and not containers


def _commit(ledger: Ledger, release: Release) -> str | None:
    if release.build.id not in ledger.builds():
        return None
    return ledger.build(release.build.id).record.source.commit


def _service(
    name: str, wanted: int, containers: tuple[Container, ...], pin: Pin, engine: Engine
) -> ServiceStatus:
    up = [item for item in containers if item.state == "running" or item.done]
    first = containers[0] if containers else None
    state = "missing"
    if first:
        state = "done" if first.done else first.state
    return ServiceStatus(
        service=name,
        state=state,
        health=first.health if first else None,
        running=len(up),
        wanted=wanted,
        since=first.started if first else None,
        image=pin.pinned,
        proven=bool(containers) and all(proof.runs(item, pin, engine) for item in containers),
    )
