"""Two releases side by side on one engine, apart from each other and from what runs; asked the same
questions, and taken down again with all that was made for them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Protocol

from msgspec.structs import replace

from stagekit import process
from stagekit.alive import left_behind, ourselves
from stagekit.errors import EngineError, RunFailed, StagekitError
from stagekit.events import Noted, Warned, step
from stagekit.pipeline.compare import Difference
from stagekit.pipeline.failure import failure_of, is_cancelled
from stagekit.pipeline.run import attempt, beside
from stagekit.pipeline.run.halves import Asked, Half, half_of
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.questions import (
    Place,
    ask_command,
    ask_page,
    await_answers,
    program_of,
)
from stagekit.pipeline.run.recording import Running
from stagekit.protocols import ComparisonSlot
from stagekit.records import (
    Compared,
    ComparedRelease,
    Comparison,
    ComparisonOutcome,
    Failure,
    Part,
    Stored,
)


class Watcher(Protocol):
    """Whoever looks on while two releases are compared."""

    def up(self, old: ComparedRelease, new: ComparedRelease) -> None:
        """Both are up and proven."""
        ...

    def answered(self, compared: Compared) -> None:
        """Both have answered a question."""
        ...

    def hold(self) -> None:
        """Everything was asked; when this returns, both are taken down."""
        ...


class Plan(Part, frozen=True):
    """What is compared: both halves, and how the releases differ on paper."""

    old: Half
    new: Half
    asked: Asked
    difference: Difference

    @property
    def halves(self) -> tuple[Half, Half]:
        return self.old, self.new

    @property
    def name(self) -> str:
        return f"{self.old.name} and {self.new.name}"


def plan(
    old: tuple[str, str], new: tuple[str, str], asked: Asked, difference: Difference, on: Platform
) -> Plan:
    """Say what a comparison would bring up; change nothing.

    Args:
        old: the environment and id of a release.
        new: those of another; of another environment too.
        asked: what is wanted of them.
        difference: of the two, as `stagekit.pipeline.compare` has it.
        on: what it is done with.

    Raises:
        InputError: no such release, port or program.
        LedgerError: a release is not what was sealed.
        RunFailed: one was cancelled, or cannot run beside another; says why.
    """
    if asked.command:
        program_of(asked.command, on.environ)
    token = secrets.token_hex(3)
    checked = [attempt.verify(env, id, on, Running(on)) for env, id in (old, new)]
    one, other = (
        half_of(release, asked, called=f"compare-{token}-{side}", engine=on.engine)
        for release, side in zip(checked, ("old", "new"), strict=True)
    )
    return Plan(old=one, new=other, asked=asked, difference=difference)


def compare(plan: Plan, on: Platform, watcher: Watcher) -> Stored[Comparison]:
    """Bring both up, prove both, ask them, and take them down with their volumes; record it,
    however it ends. The environments that they are of are not touched.

    Args:
        plan: what is compared.
        on: what it is done with.
        watcher: is shown how it goes, and may take its time before both are taken down.

    Raises:
        InputError: a secret cannot be had.
        RunFailed: one of them did not come up, or is not what was released.
    """
    clean_up(on)
    slot = on.ledger.begin_comparison(_begun(plan, on))
    try:
        return _Comparing(plan, on, slot, watcher).recorded()
    finally:
        slot.close()


def clean_up(on: Platform) -> None:
    """Remove what comparisons of this machine left on the engine whose process is gone, and record
    those as interrupted."""
    for n in on.ledger.close_interrupted_comparisons():
        on.emit(Warned(f"comparison {n} was interrupted: its process ended before it did"))
    try:
        removed = on.engine.remove_compared(left_behind)
    except EngineError as error:
        on.emit(Warned(f"what a comparison left behind cannot be removed: {error}"))
        return
    if removed:
        on.emit(Warned(f"removed what a comparison left behind: {', '.join(removed)}"))


def _begun(plan: Plan, on: Platform) -> Comparison:
    now = datetime.now(UTC)
    return Comparison(
        n=0,
        project=plan.old.sealed.release.record.project,
        outcome="interrupted",
        created=now,
        finished=now,
        actor=on.actor,
        ci=on.ci,
        old=plan.old.about,
        new=plan.new.about,
    )


class _Comparing:
    """One comparison under way."""

    def __init__(self, plan: Plan, on: Platform, slot: ComparisonSlot, watcher: Watcher) -> None:
        self._watcher = watcher
        self._plan = plan
        self._on = on
        self._slot = slot
        self._at = "start"
        self._fell = False
        self._secrets: tuple[str, ...] = ()
        self._record = replace(_begun(plan, on), n=slot.n)

    def recorded(self) -> Stored[Comparison]:
        """Do it all and record it, as what it was."""
        try:
            try:
                self._work()
            finally:
                self._remove()
        except BaseException as error:  # a second Ctrl-C is recorded too
            self._reword(error)
            outcome: ComparisonOutcome = "cancelled" if is_cancelled(error) else "failed"
            self._finish(outcome, failure_of(error, step=self._at, subject=self._plan.name))
            raise
        return self._finish("different" if self._differs else "same")

    @property
    def _differs(self) -> bool:
        if self._plan.asked.anything:
            return self._fell or any(compared.differs for compared in self._record.compared)
        return self._plan.difference.differs

    def _work(self) -> None:
        self._tell()
        self._step("check")
        self._record = replace(self._record, engine=self._on.engine.facts())
        old, new = (self._ready(half) for half in self._plan.halves)
        self._step(f"up {old.half.name}")
        one = self._bring_up(old)
        self._record = replace(self._record, old=one.about)
        self._step(f"up {new.half.name}")
        other = self._bring_up(new)
        self._record = replace(self._record, new=other.about)
        self._watcher.up(one.about, other.about)
        if self._plan.asked.anything:
            self._step("ask")
            self._ask()
            for made, up in ((old, one), (new, other)):
                if text := beside.fallen(made, up, self._on):
                    self._fell = True
                    self._warn(text)
        self._step("hold")
        self._watcher.hold()

    def _tell(self) -> None:
        """Say what each runs without; what both do, once."""
        old, new = (half.about.left_out for half in self._plan.halves)
        for text in dict.fromkeys((*old, *new)):
            who = "both run" if text in old and text in new else f"{self._who(text, old)} runs"
            self._on.emit(Noted(f"{who} without {text}"))
        for half in self._plan.halves:
            command = half.sealed.release.record.deploy.release_command
            if command and not self._plan.asked.release_command:
                self._on.emit(
                    Noted(f"{half.name}: its release command is not run (--release-command)")
                )

    def _who(self, text: str, old: tuple[str, ...]) -> str:
        return self._plan.old.name if text in old else self._plan.new.name

    def _ready(self, half: Half) -> beside.Ready:
        made = beside.ready(half, self._on)
        self._secrets = (*self._secrets, *made.secrets.values())
        return made

    def _bring_up(self, made: beside.Ready) -> beside.Up:
        if made.plan.release.deploy.release_command:
            ran = (*self._record.commands_ran, made.half.name)
            self._record = replace(self._record, commands_ran=ran)
        return beside.bring_up(made, self._on)

    def _ask(self) -> None:
        asked, on, masked = self._plan.asked, self._on, self._secrets
        sides = (self._record.old, self._record.new)
        one, other = (Place(side.name, side.project, side.address) for side in sides)
        places = (one, other)
        if asked.urls:
            await_answers(places, asked.urls[0], on)
        for path in asked.urls:
            self._add(ask_page(path, asked.headers, places, masked, on))
        if asked.command:
            self._add(ask_command(asked.command, places, masked, on))

    def _add(self, compared: Compared) -> None:
        self._record = replace(self._record, compared=(*self._record.compared, compared))
        self._watcher.answered(compared)

    def _step(self, name: str) -> None:
        """Begin a step, which a process that dies in it leaves in the journal."""
        self._on.cancel.check()
        self._at = name
        self._slot.note({"step": name})

    def _warn(self, text: str) -> None:
        text = process.hide(text, self._secrets)
        self._record = replace(self._record, warnings=(*self._record.warnings, text))
        self._on.emit(Warned(text))

    def _remove(self) -> None:
        """Remove all that was made for it. What cannot be removed now, the next one removes."""
        us = ourselves()
        try:
            with step(self._on.emit, "remove", self._plan.name) as under_way:
                removed = self._on.engine.remove_compared(lambda process: process == us)
                under_way.outcome = f"{len(removed)} containers, networks and volumes"
        except EngineError as error:
            self._warn(f"not all that was made for it is removed: {error}")
            self._on.emit(Noted("the next inv run.compare on this machine tries again"))

    def _reword(self, error: BaseException) -> None:
        """Take secrets out of an error, and hints at the environment, which was not touched."""
        if not isinstance(error, StagekitError):
            error.args = tuple(process.hide(str(part), self._secrets) for part in error.args)
            return
        if isinstance(error, RunFailed) and self._at.startswith("up "):
            names = f"{self._plan.old.name} {self._plan.new.name}"
            error.hint = f"inv release.diff {names} shows what is different on paper"
        error.reword(lambda text: process.hide(text, self._secrets))

    def _finish(
        self, outcome: ComparisonOutcome, failure: Failure | None = None
    ) -> Stored[Comparison]:
        return self._slot.finish(
            replace(self._record, outcome=outcome, failure=failure, finished=datetime.now(UTC))
        )
