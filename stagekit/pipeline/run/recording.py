"""How a run is recorded: step by step while it is under way, once and whole at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from time import monotonic

from msgspec import to_builtins

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.errors import NotProven, StagekitError
from stagekit.events import Event, Step, Warned, ignore, reworded, step
from stagekit.pipeline.failure import failure_of, is_cancelled
from stagekit.pipeline.history import interrupted, last_run
from stagekit.pipeline.run.hooks import Hooks
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.subject import Subject
from stagekit.protocols import RunJournal
from stagekit.records import (
    ContainerSeen,
    EngineFacts,
    HostRun,
    Link,
    Run,
    RunOutcome,
    Standing,
    StepTaken,
    Stored,
)


class Running:
    """One run under way.

    Args:
        on: what it is done with.
        taken: the steps that were done before it could be recorded.

    Attributes:
        engine: where it runs, once that is known.
        secrets: values that must stand in no record and no error, whoever prints them.
        changed: whether a step began that changes what runs.
        proven: whether it is recorded as what it was to be: what comes after takes nothing back.
        hosts: those of a fleet, as far as they have come.
        left: hosts that are none of these, and that something is on; by default those that the run
            in force has left.
    """

    def __init__(self, on: Platform, taken: Sequence[StepTaken] = ()) -> None:
        self._on = on
        self._steps = list(taken)
        self._at = "start"
        self._journal: RunJournal | None = None
        self._subject: Subject | None = None
        self._hooks = Hooks()
        self._warnings: list[str] = []
        self._command_ran = False
        self.changed = False
        self.proven = False
        self.engine: EngineFacts | None = None
        self.secrets: tuple[str, ...] = ()
        self.hosts: tuple[HostRun, ...] = ()
        self.left: tuple[HostRun, ...] = ()

    @property
    def steps(self) -> tuple[StepTaken, ...]:
        """The steps that are done."""
        return tuple(self._steps)

    @contextmanager
    def step(
        self, name: str, subject: str, *, changes: bool = False, shown: bool = True
    ) -> Iterator[Step]:
        """Do one step: its hooks around it, shown, timed, and in the journal before and after.

        Args:
            name: the step's.
            subject: what it works on.
            changes: after it, what runs may be another thing than before.
            shown: say that it begins and ends; otherwise what is done in it does.

        Raises:
            RunFailed: the hook before it failed, or the environment's lock was lost.
        """
        self._on.cancel.check()
        self._at = name
        self._before(f"before_{name}")
        self._guard()
        self._note({"begins": name, "changes": changes})
        self.changed = self.changed or changes
        self._command_ran = self._command_ran or name == "command"
        begun = monotonic()
        with step(self._emit if shown else ignore, name, subject) as under_way:
            yield under_way
        seconds = round(monotonic() - begun, 3)
        self._steps.append(StepTaken(name=name, seconds=seconds, outcome=under_way.outcome))
        self._note({"step": name, "seconds": seconds, "outcome": under_way.outcome})
        self._after(f"after_{name}", self._on.cancel)

    def recorded(
        self,
        subject: Subject,
        outcome: RunOutcome,
        work: Callable[[], tuple[ContainerSeen, ...]],
        *,
        hooks: Hooks | None = None,
    ) -> Stored[Run]:
        """Do ``work`` and record it, as ``outcome`` if it returns, and as what it was if not."""
        self._subject = subject
        self._hooks = hooks or self._hooks
        given = self.left
        self.left = given or self._left_over(subject.env)
        journal = self._on.ledger.begin_run(subject.env, self._begun(subject))
        self._journal = journal
        created = datetime.now(UTC)
        try:
            for n in journal.interrupted:
                self._on.emit(Warned(interrupted(subject.env, n)))
                self.left = given or self._left_over(subject.env)  # it may have left more
            try:
                self._before("before_run")
                seen = work()
            except BaseException as error:  # a second Ctrl-C, and a plugin's bug, are recorded too
                self._hide_in(error)
                with self._recording_first("on_failure", Cancel(), reason=str(error)):
                    self._tell(journal.finish(self._failed(journal.n, created, error)))
                raise
            with self._recording_first("after_run", self._on.cancel, outcome=outcome):
                stored = journal.finish(self._record(journal.n, created, outcome, seen))
                self.proven = True
                return self._tell(stored)
        finally:
            journal.close()

    def _tell(self, stored: Stored[Run]) -> Stored[Run]:
        """Tell plugins of what is recorded: it is too late for them to stop anything."""
        for error in self._on.plugins.tell_all("stagekit_ran", run=stored):
            self._on.emit(Warned(error.in_a_line))
            with suppress(StagekitError):  # it was said
                self._on.ledger.warn(error.in_a_line)
        return stored

    @contextmanager
    def _recording_first(
        self, moment: str, cancel: Cancel, *, outcome: str = "failed", **more: str
    ) -> Iterator[None]:
        """Run the hook at the end of a run, then the block that records it, whatever the hook
        raises: what a hook was stopped in is a warning, and a second Ctrl-C goes on after it."""
        later: BaseException | None = None
        try:
            self._after(moment, cancel, outcome=outcome, **more)
        except Exception as error:
            self._warn(f"the hook {moment} failed: {error}")
        except BaseException as error:
            later = error
        yield
        if later:
            raise later

    @property
    def reason(self) -> str:
        """Why it is run; empty before that can be recorded."""
        return self._subject.reason if self._subject else ""

    @property
    def n(self) -> int:
        """The run's number."""
        return self._journal.n if self._journal else 0

    def standing(self, outcome: RunOutcome, release: Link, build: str = "") -> Standing:
        """Return what is noted on an engine where this run has left a release, or has taken one
        down.

        Args:
            outcome: which of both.
            release: the one.
            build: the id of what it was made from.
        """
        subject = self._subject
        assert subject
        return Standing(
            project=subject.project,
            env=subject.env,
            run=self.n,
            outcome=outcome,
            reason=subject.reason,
            release=release.id,
            release_digest=release.digest,
            build=build,
            actor=subject.actor,
            when=datetime.now(UTC),
        )

    def _begun(self, subject: Subject) -> dict[str, object]:
        return {
            **subject.begun,
            "taken_over": self._taken_over(),
            "hosts": [to_builtins(host.left_alone) for host in self.hosts],
            "left": [to_builtins(host.left_alone) for host in self.left],
        }

    def _left_over(self, env: str) -> tuple[HostRun, ...]:
        last = last_run(self._on.ledger, env, ignore)
        return last.record.leaves(but=self.hosts) if last else ()

    def _taken_over(self) -> str | None:
        """Say whose lease had run out when this run took the environment."""
        holder = self._on.lease.taken_over if self._on.lease else None
        return str(holder) if holder else None

    def _guard(self) -> None:
        if self._on.lease:
            self._on.lease.check()

    def _note(self, entry: dict[str, object]) -> None:
        if self._journal:
            self._journal.note(entry)

    def _before(self, moment: str) -> None:
        if self._journal:
            self._hooks.before(moment, self._facts(), emit=self._emit, cancel=self._on.cancel)

    def _after(self, moment: str, cancel: Cancel, **more: str) -> None:
        if self._journal:
            facts = {**self._facts(), **more}
            wrong = self._hooks.after(moment, facts, emit=self._emit, cancel=cancel)
            if wrong:
                self._warn(wrong)

    def _warn(self, text: str) -> None:
        self._warnings.append(self._hide(text))
        self._emit(Warned(text))

    def _facts(self) -> dict[str, str]:
        subject = self._subject
        assert subject
        return {
            "env": subject.env,
            "project": subject.project,
            "release": subject.release.id,
            "release_digest": subject.release.digest,
            "run": str(self.n),
            "run_reason": subject.reason,
            "step": self._at,
            "actor": subject.actor,
            "engine": self._on.engine.url,
        }

    def _hide_in(self, error: BaseException) -> None:
        if isinstance(error, StagekitError):
            error.reword(self._hide)
        else:
            error.args = tuple(self._hide(str(part)) for part in error.args)

    def _emit(self, event: Event) -> None:
        self._on.emit(reworded(event, self._hide))

    def _hide(self, text: str) -> str:
        return process.hide(text, self.secrets)

    def _failed(self, n: int, created: datetime, error: BaseException) -> Run:
        outcome: RunOutcome = "cancelled" if is_cancelled(error) else "failed"
        return self._record(n, created, outcome, (), error)

    def _record(
        self,
        n: int,
        created: datetime,
        outcome: RunOutcome,
        containers: tuple[ContainerSeen, ...],
        error: BaseException | None = None,
    ) -> Run:
        subject = self._subject
        assert subject
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
            engine=self.engine,
            ci=subject.ci,
            steps=tuple(self._steps),
            containers=containers,
            failed=error.failed if isinstance(error, NotProven) else (),
            failure=failure_of(error, step=self._at, subject=subject.name) if error else None,
            changed=self.changed,
            command_ran=self._command_ran,
            answers=subject.answers,
            plan=subject.plan,
            taken_over=self._taken_over(),
            scale=subject.scale,
            warnings=tuple(self._warnings),
            hosts=self.hosts,
            resumes=subject.resumes,
            left=self.left,
        )
