"""What a run does, step by step, and how it is recorded however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic

from stagekit.errors import NotProven, RegistryError, RunFailed
from stagekit.events import Emit, Step, step
from stagekit.inputs.merge import Tree
from stagekit.process import Cancel
from stagekit.protocols import Engine, Ledger, RunJournal, Runner
from stagekit.records import (
    CI,
    ContainerFailure,
    ContainerSeen,
    EngineFacts,
    Failure,
    Part,
    Release,
    Run,
    RunOutcome,
    RunReason,
    StepTaken,
    Stored,
)
from stagekit.stages import proof
from stagekit.stages.failure import failure_of, is_cancelled


class Plan(Part, frozen=True):
    """What will be done: images to pull by digest, then the release, whole."""

    release: Stored[Release]
    document: Tree
    engine: EngineFacts
    pull: tuple[str, ...]
    reason: RunReason
    actor: str
    ci: CI | None = None


class Running:
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

    def _recorded(
        self, outcome: RunOutcome, work: Callable[[], tuple[ContainerSeen, ...]]
    ) -> Stored[Run]:
        self._journal: RunJournal = self._ledger.begin_run(self._release.env, self._begun())
        created = datetime.now(UTC)
        try:
            try:
                seen = work()
            except BaseException as error:  # a second Ctrl-C, and a plugin's bug, are recorded too
                self._journal.finish(self._failed(created, error))
                raise
            return self._journal.finish(self._record(created, outcome, containers=seen))
        finally:
            self._journal.close()

    def _failed(self, created: datetime, error: BaseException) -> Run:
        failed = error.failed if isinstance(error, NotProven) else ()
        return self._record(
            created,
            "cancelled" if is_cancelled(error) else "failed",
            failure=failure_of(error, step=self._at, subject=self._release.name),
            failed=failed,
        )

    def _record(
        self,
        created: datetime,
        outcome: RunOutcome,
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
        link = self._plan.release.link
        return {
            "project": self._release.project,
            "reason": self._plan.reason,
            "actor": self._plan.actor,
            "release": {"id": link.id, "digest": link.digest},
        }
