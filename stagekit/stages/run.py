"""Run: a sealed release → running, proven. Adds nothing, renders nothing, builds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stagekit.errors import InputError, RegistryError, RunFailed
from stagekit.events import Emit, step
from stagekit.inputs import seal
from stagekit.process import Cancel
from stagekit.protocols import Engine, Ledger, Runner
from stagekit.records import (
    CI,
    ContainerSeen,
    EngineFacts,
    Part,
    Release,
    Run,
    RunReason,
    Stored,
    compose_project,
)
from stagekit.stages import proof
from stagekit.stages.history import last_run
from stagekit.stages.ports import conflicts
from stagekit.stages.running import Running, Subject
from stagekit.stages.verify import Verified, verified


class Facts(Part, frozen=True):
    """What a run is decided from.

    Attributes:
        verified: the release.
        engine: where it will run.
        missing: the pins the engine does not have.
        busy: what stands in the way of its ports.
    """

    verified: Verified
    engine: EngineFacts
    missing: tuple[str, ...]
    busy: tuple[str, ...]
    reason: RunReason
    actor: str
    ci: CI | None = None


class Plan(Part, frozen=True):
    """What will be done: images to pull by digest, then the release, whole."""

    verified: Verified
    pull: tuple[str, ...]
    subject: Subject

    @property
    def release(self) -> Release:
        return self.verified.release.record


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
    with step(emit, "verify", f"{env}/{release_id or 'latest'}") as under_way:
        checked = verified(ledger, env, release_id)
        release = checked.release.record
        under_way.outcome = f"{release.name} is as it was sealed"
    pins = sorted({pin.pinned for pin in release.pins.values()})
    with step(emit, "check", engine.url) as under_way:
        facts = engine.facts()
        missing = tuple(pin for pin in pins if engine.image(pin) is None)
        busy = conflicts(seal.published_ports(checked.document), release.compose_project, engine)
        under_way.outcome = f"version {facts.version}, images to pull: {len(missing)}"
    return Facts(
        verified=checked,
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
    stored = facts.verified.release
    release = stored.record
    where = f"{release.name} on {facts.engine.url}"
    for pin in facts.missing:
        if "@" not in pin:
            raise RunFailed(
                f"image {pin} is not on this engine, and no registry has it",
                where=where,
                hint="run it where it was built, or configure a registry, build and release again",
            )
    if facts.busy:
        raise RunFailed(
            "; ".join(facts.busy),
            where=where,
            hint=f"stop that, or publish another port: environments/{release.env}/config.toml",
        )
    return Plan(
        verified=facts.verified,
        pull=facts.missing,
        subject=Subject(
            env=release.env,
            project=release.project,
            release=stored.link,
            runner=release.deploy.engine,
            engine=facts.engine,
            reason=facts.reason,
            actor=facts.actor,
            ci=facts.ci,
        ),
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
        secrets: the values of the release's secrets; masked in every error and record.
        emit: told of each step.
        cancel: stops it at the next safe place.

    Raises:
        RunFailed: what came up is not what was released, or did not come up; with the last lines
            of the first container that failed.
        LedgerError: another run of the environment is under way.
    """
    running = Running(
        plan.subject, ledger=ledger, emit=emit, cancel=cancel, secrets=tuple(secrets.values())
    )

    def bring_up() -> tuple[ContainerSeen, ...]:
        release = plan.release
        for pin in plan.pull:
            with running.step("pull", pin):
                _pull(pin, engine, emit, cancel)
        folder = ledger.release_folder(release.env, release.id)
        with running.step("up", release.name):
            complaint = runner.up(
                release, plan.verified.text, folder, secrets=secrets, emit=emit, cancel=cancel
            )
        with running.step("settle", release.name) as under_way:
            containers, seconds = proof.settle(
                release, plan.verified.document, runner, complaint, engine, cancel
            )
            under_way.outcome = f"held for {seconds:g} s"
        with running.step("prove", release.name) as under_way:
            seen = proof.compare(release, containers, engine)
            under_way.outcome = f"{len(seen)} containers run what was released"
        return seen

    return running.recorded("running", bring_up)


def stop(
    env: str,
    *,
    ledger: Ledger,
    engine: Engine,
    runner: Callable[[str], Runner],
    actor: str,
    ci: CI | None = None,
    emit: Emit,
    cancel: Cancel,
) -> Stored[Run]:
    """Take down what runs in an environment, and record it. Volumes stay.

    It needs no release: what runs is known by its project's name, whatever became of the files.

    Raises:
        InputError: nothing was ever run there.
    """
    last = last_run(ledger, env, emit)
    if last is None:
        raise InputError(f"nothing was ever run in {env}", hint=f"inv run --env {env}")
    subject = Subject(
        env=env,
        project=last.record.project,
        release=last.record.release,
        runner=last.record.runner,
        engine=engine.facts(),
        reason="stop",
        actor=actor,
        ci=ci,
    )
    running = Running(subject, ledger=ledger, emit=emit, cancel=cancel)
    project = compose_project(subject.project, env)

    def take_down() -> tuple[ContainerSeen, ...]:
        with running.step("down", subject.name) as under_way:
            runner(last.record.runner).down(project, emit=emit, cancel=cancel)
            under_way.outcome = "volumes stay"
        return ()

    return running.recorded("stopped", take_down)


def _pull(pin: str, engine: Engine, emit: Emit, cancel: Cancel) -> None:
    try:
        engine.pull(pin, emit=emit, cancel=cancel)
    except RegistryError as error:
        raise RunFailed(
            f"image cannot be pulled: {error.what}", where=pin, hint=error.hint
        ) from error
