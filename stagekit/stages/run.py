"""Run: a sealed release → running, proven. Adds nothing, renders nothing, builds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic

import yaml

from stagekit.errors import (
    Cancelled,
    InputError,
    LedgerError,
    RegistryError,
    RunFailed,
    StagekitError,
)
from stagekit.events import Emit, Step, step
from stagekit.inputs import seal
from stagekit.inputs.merge import Tree
from stagekit.process import Cancel
from stagekit.protocols import Engine, Ledger, RunJournal, Runner
from stagekit.records import (
    CI,
    ContainerFailure,
    ContainerSeen,
    EngineFacts,
    Failure,
    Link,
    Part,
    Release,
    Run,
    StepTaken,
    Stored,
)
from stagekit.stages import proof
from stagekit.stages.ports import conflicts
from stagekit.stages.release import check_content


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
    reason: str
    actor: str
    ci: CI | None = None


class Plan(Part, frozen=True):
    """What will be done: images to pull by digest, then the release, whole."""

    release: Stored[Release]
    document: Tree
    engine: EngineFacts
    pull: tuple[str, ...]
    reason: str
    actor: str
    ci: CI | None = None


def gather(
    env: str,
    *,
    release_id: str | None,
    reason: str,
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
    with step(emit, "verify", f"{env}/{release_id or 'newest'}") as under_way:
        release, document = verified(env, release_id, ledger)
        under_way.outcome = f"{release.record.name} {release.record.content}"
    pins = sorted({pin.pinned for pin in release.record.pins.values()})
    name = f"{release.record.project}-{env}"
    with step(emit, "check", engine.url) as under_way:
        facts = engine.facts()
        missing = tuple(pin for pin in pins if engine.image(pin) is None)
        busy = conflicts(seal.published_ports(document), name, engine)
        under_way.outcome = f"engine {facts.version}, {len(missing)} images to pull"
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
    return _Running(plan, ledger, engine, runner, emit, cancel).up(secrets)


def stop(
    env: str,
    *,
    ledger: Ledger,
    engine: Engine,
    runner: Runner,
    actor: str,
    ci: CI | None = None,
    emit: Emit,
    cancel: Cancel,
) -> Stored[Run]:
    """Take down what runs in an environment, and record it. Volumes stay.

    Raises:
        InputError: nothing was ever run there.
    """
    last = last_run(ledger, env)
    if last is None:
        raise InputError(f"nothing was ever run in {env}", hint=f"inv run --env {env}")
    release, document = verified(env, last.record.release.id, ledger)
    plan = Plan(
        release=release,
        document=document,
        engine=engine.facts(),
        pull=(),
        reason="stop",
        actor=actor,
        ci=ci,
    )
    return _Running(plan, ledger, engine, runner, emit, cancel).down()


def verified(env: str, release_id: str | None, ledger: Ledger) -> tuple[Stored[Release], Tree]:
    """Return a release after checking that it is byte for byte what was sealed."""
    ids = ledger.releases(env)
    if not ids:
        raise InputError(f"nothing was released to {env} yet", hint=f"inv release --env {env}")
    id = release_id or ids[0]
    release = ledger.release(env, id)
    where = str(ledger.release_folder(env, id))
    files = ledger.release_files(env, id)
    check_content(release.record, files, where)
    _check_chain(release.record, ledger, where)
    return release, yaml.load(files["compose.yaml"], Loader=_LOADER)


def last_run(ledger: Ledger, env: str, *, well: bool = False) -> Stored[Run] | None:
    """Return an environment's newest run; with ``well``, the newest that came up."""
    for n in ledger.runs(env):
        run = ledger.run(env, n)
        if run.record.ran_well or not well:
            return run
    return None


def rollback_target(ledger: Ledger, env: str) -> str:
    """Return the last release before the current one that ran well.

    Raises:
        InputError: there is none.
    """
    current = last_run(ledger, env)
    if current is not None:
        ids = ledger.releases(env)
        at = ids.index(current.record.release.id) if current.record.release.id in ids else -1
        runs = (ledger.run(env, n).record for n in ledger.runs(env))
        good = {run.release.id for run in runs if run.ran_well}
        for id in ids[at + 1 :]:
            if id in good:
                return id
    raise InputError(
        f"no earlier release ran well in {env}",
        hint=f"inv release.list --env {env}; then inv run.rollback --env {env} --to ID",
    )


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_chain(release: Release, ledger: Ledger, where: str) -> None:
    """Compare the build the release names with the ledger's, where it is at hand (a CI job that
    only runs may have no more than the release)."""
    if release.build.id not in ledger.builds():
        return
    build = ledger.build(release.build.id)
    if build.digest != release.build.digest:
        raise LedgerError(
            f"build {release.build.id} is not the one this release was made from",
            where=where,
            hint="bring back artifacts/builds as it was",
        )


class _Running:
    """One run under way: its journal, its steps, its record."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        engine: Engine,
        runner: Runner,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._engine = engine
        self._runner = runner
        self._emit = emit
        self._cancel = cancel
        self._release = plan.release.record
        self._steps: list[StepTaken] = []
        self._at = "start"

    def up(self, secrets: Mapping[str, str]) -> Stored[Run]:
        return self._recorded("running", lambda: self._bring_up(secrets))

    def down(self) -> Stored[Run]:
        return self._recorded("stopped", self._take_down)

    def _bring_up(self, secrets: Mapping[str, str]) -> tuple[ContainerSeen, ...]:
        for pin in self._plan.pull:
            with self._step("pull", pin):
                self._pull(pin)
        folder = self._ledger.release_folder(self._release.env, self._release.id)
        with self._step("up", self._release.name):
            complaint = self._runner.up(
                self._release, folder, secrets=secrets, emit=self._emit, cancel=self._cancel
            )
        with self._step("settle", self._release.name) as under_way:
            containers = proof.settle(
                self._release,
                self._plan.document,
                self._runner,
                complaint,
                self._engine,
                self._cancel,
            )
            under_way.outcome = f"held for {self._release.deploy.settle:g} s"
        with self._step("prove", self._release.name) as under_way:
            seen = proof.compare(self._release, containers, self._engine)
            under_way.outcome = f"{len(seen)} containers run what was released"
        return seen

    def _take_down(self) -> tuple[ContainerSeen, ...]:
        folder = self._ledger.release_folder(self._release.env, self._release.id)
        with self._step("down", self._release.name) as under_way:
            self._runner.down(self._release, folder, emit=self._emit, cancel=self._cancel)
            under_way.outcome = "volumes stay"
        return ()

    def _pull(self, pin: str) -> None:
        try:
            self._engine.pull(pin, emit=self._emit, cancel=self._cancel)
        except RegistryError as error:
            raise RunFailed(
                f"image cannot be pulled: {error.what}", where=pin, hint=error.hint
            ) from error

    @contextmanager
    def _step(self, name: str, subject: str) -> Iterator[Step]:
        self._cancel.check()
        self._at = name
        begun = monotonic()
        with step(self._emit, name, subject) as under_way:
            yield under_way
        taken = StepTaken(
            name=name, seconds=round(monotonic() - begun, 3), outcome=under_way.outcome
        )
        self._steps.append(taken)
        self._journal.note({"step": name, "seconds": taken.seconds, "outcome": taken.outcome})

    def _recorded(self, outcome: str, work: Callable[[], tuple[ContainerSeen, ...]]) -> Stored[Run]:
        self._journal: RunJournal = self._ledger.begin_run(self._release.env, self._begun())
        created = datetime.now(UTC)
        try:
            try:
                seen = work()
            except StagekitError as error:
                self._journal.finish(self._failed(created, error))
                raise
            return self._journal.finish(self._record(created, outcome, containers=seen))
        finally:
            self._journal.close()

    def _failed(self, created: datetime, error: StagekitError) -> Run:
        failed = error.failed if isinstance(error, proof.NotProven) else ()
        return self._record(
            created,
            "cancelled" if isinstance(error, Cancelled) else "failed",
            failure=Failure(
                subject=self._release.name, step=self._at, message=str(error), output=error.output
            ),
            failed=failed,
        )

    def _record(
        self,
        created: datetime,
        outcome: str,
        *,
        containers: tuple[ContainerSeen, ...] = (),
        failed: tuple[ContainerFailure, ...] = (),
        failure: Failure | None = None,
    ) -> Run:
        return Run(
            n=self._journal.n,
            env=self._release.env,
            project=self._release.project,
            reason=self._plan.reason,
            outcome=outcome,
            created=created,
            finished=datetime.now(UTC),
            actor=self._plan.actor,
            release=self._plan.release.link,
            engine=self._plan.engine,
            ci=self._plan.ci,
            steps=tuple(self._steps),
            containers=containers,
            failed=failed,
            failure=failure,
        )

    def _begun(self) -> dict[str, object]:
        link: Link = self._plan.release.link
        return {
            "project": self._release.project,
            "reason": self._plan.reason,
            "actor": self._plan.actor,
            "release": {"id": link.id, "digest": link.digest},
        }
