"""How a run is recorded: step by step while it is under way, once and whole at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic

from stagekit import process
from stagekit.errors import NotProven, StagekitError
from stagekit.events import Emit, Step, step
from stagekit.process import Cancel
from stagekit.protocols import Ledger, RunJournal
from stagekit.records import (
    CI,
    ContainerSeen,
    EngineFacts,
    Link,
    Part,
    Run,
    RunOutcome,
    RunReason,
    StepTaken,
    Stored,
)
from stagekit.stages.failure import failure_of, is_cancelled


class Subject(Part, frozen=True):
    """What is run, where, why, and by whom: all of a record that is known before it begins."""

    env: str
    project: str
    release: Link
    runner: str
    engine: EngineFacts
    reason: RunReason
    actor: str
    ci: CI | None = None

    @property
    def name(self) -> str:
        return f"{self.env}/{self.release.id}"


class Running:
    """One run under way.

    Args:
        subject: what is run.
        ledger: gets the journal and the record.
        emit: told of each step.
        cancel: looked at before each step.
        secrets: values that must stand in no record and no error, whoever prints them.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        ledger: Ledger,
        emit: Emit,
        cancel: Cancel,
        secrets: Sequence[str] = (),
    ) -> None:
        self._subject = subject
        self._ledger = ledger
        self._emit = emit
        self._cancel = cancel
        self._secrets = secrets
        self._steps: list[StepTaken] = []
        self._at = "start"
        self._journal: RunJournal | None = None

    @contextmanager
    def step(self, name: str, subject: str) -> Iterator[Step]:
        """Do one step: shown, timed, and in the journal once it is done."""
        self._cancel.check()
        self._at = name
        begun = monotonic()
        with step(self._emit, name, subject) as under_way:
            yield under_way
        seconds = round(monotonic() - begun, 3)
        self._steps.append(StepTaken(name=name, seconds=seconds, outcome=under_way.outcome))
        if self._journal:
            self._journal.note({"step": name, "seconds": seconds, "outcome": under_way.outcome})

    def recorded(
        self, outcome: RunOutcome, work: Callable[[], tuple[ContainerSeen, ...]]
    ) -> Stored[Run]:
        """Do ``work`` and record it, as ``outcome`` if it returns, and as what it was if not."""
        subject = self._subject
        journal = self._ledger.begin_run(
            subject.env,
            {
                "project": subject.project,
                "runner": subject.runner,
                "reason": subject.reason,
                "actor": subject.actor,
                "release": {"id": subject.release.id, "digest": subject.release.digest},
            },
        )
        self._journal = journal
        created = datetime.now(UTC)
        try:
            try:
                seen = work()
            except BaseException as error:  # a second Ctrl-C, and a plugin's bug, are recorded too
                journal.finish(self._failed(journal.n, created, error))
                raise
            return journal.finish(self._record(journal.n, created, outcome, seen))
        finally:
            journal.close()

    def _failed(self, n: int, created: datetime, error: BaseException) -> Run:
        if isinstance(error, StagekitError):
            error.reword(self._hide)
        else:
            error.args = tuple(self._hide(str(part)) for part in error.args)
        return self._record(
            n,
            created,
            "cancelled" if is_cancelled(error) else "failed",
            (),
            error,
        )

    def _hide(self, text: str) -> str:
        return process.hide(text, self._secrets)

    def _record(
        self,
        n: int,
        created: datetime,
        outcome: RunOutcome,
        containers: tuple[ContainerSeen, ...],
        error: BaseException | None = None,
    ) -> Run:
        subject = self._subject
        return Run(
            n=n,
            env=subject.env,
            project=subject.project,
            reason=subject.reason,
            outcome=outcome,
            created=created,
            finished=datetime.now(UTC),
            actor=subject.actor,
            release=subject.release,
            runner=subject.runner,
            engine=subject.engine,
            ci=subject.ci,
            steps=tuple(self._steps),
            containers=containers,
            failed=error.failed if isinstance(error, NotProven) else (),
            failure=failure_of(error, step=self._at, subject=subject.name) if error else None,
        )
