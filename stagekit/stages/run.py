"""Run: a sealed release → running, proven. Adds nothing, renders nothing, builds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stagekit.errors import InputError, RunFailed
from stagekit.events import Emit, step
from stagekit.inputs import seal
from stagekit.inputs.merge import Tree
from stagekit.process import Cancel
from stagekit.protocols import Engine, Ledger, Runner
from stagekit.records import CI, EngineFacts, Part, Release, Run, RunReason, Stored
from stagekit.stages.history import last_run
from stagekit.stages.ports import conflicts
from stagekit.stages.running import Plan, Running
from stagekit.stages.verify import verified


class Facts(Part, frozen=True):
    """What a run is decided from.

    Attributes:
        release: the release, verified.
        document: its compose.yaml, parsed.
        missing: the pins the engine does not have.
        busy: what stands in the way of its ports.
    """

    release: Stored[Release]
    document: Tree
    engine: EngineFacts
    missing: tuple[str, ...]
    busy: tuple[str, ...]
    reason: RunReason
    actor: str
    ci: CI | None = None


def gather(
    env: str,
    *,
    release_id: str | None,
    reason: RunReason,
    ledger: Ledger,
    engine: Engine,
    actor: str,
    ci: CI | None = None,
    emit: Emit,
) -> Facts:
    """Read what a run is decided from; change nothing.

    Args:
        env: the environment's name.
        release_id: a release; by default the newest.
        reason: ``run`` or ``rollback``.
        ledger: where the release is.
        engine: where it will run.
        actor: who runs it.
        ci: the CI job this runs in.
        emit: told of steps.

    Raises:
        InputError: no such release.
        LedgerError: the release is not what was sealed.
    """
    with step(emit, "verify", f"{env}, release {release_id or 'newest'}") as under_way:
        release, document = verified(ledger, env, release_id)
        under_way.outcome = f"{release.record.name} is as it was sealed"
    pins = sorted({pin.pinned for pin in release.record.pins.values()})
    with step(emit, "check", engine.url) as under_way:
        facts = engine.facts()
        missing = tuple(pin for pin in pins if engine.image(pin) is None)
        busy = conflicts(seal.published_ports(document), release.record.compose_project, engine)
        under_way.outcome = f"version {facts.version}, images to pull: {len(missing)}"
    return Facts(
        release=release,
        document=document,
        engine=facts,
        missing=missing,
        busy=busy,
        reason=reason,
        actor=actor,
        ci=ci,
    )


def decide(facts: Facts) -> Plan:
    """Say what will be done, or why nothing can be.

    Raises:
        RunFailed: a port is taken, or an image exists only on another engine.
    """
    release = facts.release.record
    for pin in facts.missing:
        if "@" not in pin:
            raise RunFailed(
                f"image {pin} is not on this engine, and no registry has it",
                where=f"{release.name} on {facts.engine.url}",
                hint="run it where it was built, or configure a registry, build and release again",
            )
    if facts.busy:
        raise RunFailed(
            "; ".join(facts.busy),
            where=f"{release.name} on {facts.engine.url}",
            hint=f"stop that, or publish another port: environments/{release.env}/config.toml",
        )
    return Plan(
        release=facts.release,
        document=facts.document,
        engine=facts.engine,
        pull=facts.missing,
        reason=facts.reason,
        actor=facts.actor,
        ci=facts.ci,
    )


def apply(
    plan: Plan,
    *,
    ledger: Ledger,
    engine: Engine,
    runner: Runner,
    secrets: Mapping[str, str],
    emit: Emit,
    cancel: Cancel,
) -> Stored[Run]:
    """Bring the release up, prove it, and record it, however it ends.

    Args:
        plan: what to run.
        ledger: gets the record.
        engine: where it runs.
        runner: brings it up.
        secrets: the values of the release's secrets.
        emit: told of each step.
        cancel: stops it at the next safe place.

    Raises:
        RunFailed: what came up is not what was released, or did not come up; with the last lines
            of the first container that failed.
        LedgerError: another run of the environment is under way.
    """
    return Running(plan, ledger, engine, runner, emit, cancel).up(secrets)


def stop(
    env: str,
    *,
    ledger: Ledger,
    engine: Engine,
    runner: Callable[[Release], Runner],
    actor: str,
    ci: CI | None = None,
    emit: Emit,
    cancel: Cancel,
) -> Stored[Run]:
    """Take down what runs in an environment, and record it. Volumes stay.

    Raises:
        InputError: nothing was ever run there.
    """
    last = last_run(ledger, env, emit)
    if last is None:
        raise InputError(f"nothing was ever run in {env}", hint=f"inv run --env {env}")
    release, document = verified(ledger, env, last.record.release.id)
    plan = Plan(
        release=release,
        document=document,
        engine=engine.facts(),
        pull=(),
        reason="stop",
        actor=actor,
        ci=ci,
    )
    return Running(plan, ledger, engine, runner(release.record), emit, cancel).down()
