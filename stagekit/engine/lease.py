"""The lock of an environment: a lease that all who use an engine see.

Every state of it is a generation, put there by a compare-and-swap of the engine's own (`Lock`): who
put the token there has that generation. The highest counts. A lease is renewed by taking the next
generation, and let go of by the same with a label that says so: numbers never start again, and
whoever slept past the end of a lease finds a higher one than its own. Ages are told by the engine's
clock alone.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import msgspec

from stagekit import alive
from stagekit.cancel import Cancel
from stagekit.errors import Busy, EngineError, LeaseLost
from stagekit.events import Emit, Noted, Warned
from stagekit.records import Holder, Part

LOCK = "stagekit.lock"
"""Label of what a lock is kept in: the environment's name."""

GENERATION = "stagekit.generation"
"""Label of a generation: its number."""

TOKEN = "stagekit.token"  # noqa: S105  # nosec B105  # the name of a label
"""Label of a generation: who put it there."""

_SECONDS = "stagekit.seconds"
_HOLDER = "stagekit.holder"
_FREE = "stagekit.free"

_POLL = 0.5
_RENEWALS = 3
_TRIES = 100


class Generation(Part, frozen=True):
    """One state of a lock: whose it is, since when and for how long."""

    number: int
    token: str
    seconds: float
    created: datetime
    free: bool
    holder: Holder | None

    def ends_in(self, now: datetime) -> float:
        """Return the seconds that are left of it, by the engine's clock."""
        return self.seconds - (now - self.created).total_seconds()


class Lock(Protocol):
    """Where the lock of one environment is kept, for all who use an engine."""

    @property
    def name(self) -> str:
        """The environment's, as its containers are named."""
        ...

    @property
    def where(self) -> str:
        """The engine's address."""
        ...

    def top(self) -> Generation | None:
        """Return the generation that counts."""
        ...

    def claim(self, number: int, labels: Mapping[str, str]) -> bool:
        """Try to put the next generation there; return whether it is ours, and counts."""
        ...

    def remove_below(self, number: int) -> None:
        """Remove what does not count any more."""
        ...

    def now(self) -> datetime:
        """Return the time by the clock that generations are dated by."""
        ...


def generation(labels: Mapping[str, str], created: str) -> Generation | None:
    """Read a generation from the labels it was put there with, and the time of that."""
    try:
        said = labels.get(_HOLDER)
        return Generation(
            number=int(labels[GENERATION]),
            token=labels[TOKEN],
            seconds=float(labels[_SECONDS]),
            created=datetime.fromisoformat(created),
            free=_FREE in labels,
            holder=msgspec.json.decode(said, type=Holder) if said else None,
        )
    except (KeyError, ValueError, msgspec.DecodeError):
        return None  # somebody else's, who took our label


class HeldLease:
    """A lease that this process holds (the `stagekit.protocols.Lease`).

    A thread renews it. Where that finds it taken, or cannot reach the engine until it has run out,
    it is lost, and ``cancel`` is requested, for that reason.
    """

    def __init__(
        self,
        lock: Lock,
        number: int,
        labels: Mapping[str, str],
        *,
        seconds: float,
        taken_over: Holder | None,
        cancel: Cancel,
    ) -> None:
        self.taken_over = taken_over
        self.lost = False
        self._lock = lock
        self._number = number
        self._labels = dict(labels)
        self._seconds = seconds
        self._cancel = cancel
        self._renewed = _elapsed()
        self._unsure = False
        self._one_at_a_time = threading.Lock()
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        if not self.lost and not self._counts():
            self._renew()
        if self.lost:
            raise self._loss()

    def release(self) -> None:
        if self._released.is_set():
            return
        self._released.set()
        with self._one_at_a_time, suppress(EngineError):  # unreachable: it runs out by itself
            if self.lost:
                return
            self._go_on_from_what_is_there()
            if self._lock.claim(self._number + 1, {**self._labels, _FREE: "yes"}):
                self._lock.remove_below(self._number + 1)

    def _go_on_from_what_is_there(self) -> None:
        """After a request that broke: a generation of ours may have been made all the same, and is
        neither another's nor the next one."""
        if self._unsure:
            top = self._lock.top()
            if top and top.token == self._labels[TOKEN]:
                self._number = max(self._number, top.number)
            self._unsure = False

    def _counts(self) -> bool:
        """Tell whether the engine has it as ours, with time left before it is to be renewed."""
        if _elapsed() - self._renewed > self._seconds * 2 / _RENEWALS:
            return False  # this process slept, or the engine did
        try:
            top = self._lock.top()
        except EngineError:
            return True  # it has not run out yet; what comes next will say what is wrong
        return top is not None and top.token == self._labels[TOKEN]

    def _keep(self) -> None:
        while not self._released.wait(self._seconds / _RENEWALS) and not self.lost:
            self._renew()

    def _renew(self) -> None:
        with self._one_at_a_time:
            if self._released.is_set() or self.lost:
                return
            begun = _elapsed()
            try:
                self._go_on_from_what_is_there()
                ours = self._lock.claim(self._number + 1, self._labels)
                if ours:
                    self._number += 1
                    self._renewed = begun
                    self._lock.remove_below(self._number)
            except EngineError:
                self._unsure = True
                ours = _elapsed() - self._renewed < self._seconds
            if not ours:
                self.lost = True
                self._cancel.request(self._loss)

    def _loss(self) -> LeaseLost:
        return LeaseLost(
            "another run has taken the environment, or its lock ran out: this one stops",
            where=self._lock.name,
            hint="look at what runs, and run again: inv run.status",
        )


def take(
    lock: Lock,
    holder: Holder,
    *,
    seconds: float,
    wait: float,
    emit: Emit,
    cancel: Cancel,
) -> HeldLease:
    """Do what `stagekit.protocols.Engine.lease` says."""
    name = lock.name
    labels = {
        TOKEN: secrets.token_hex(16),
        _SECONDS: f"{seconds:g}",
        _HOLDER: msgspec.json.encode(holder).decode(),
    }
    deadline = _elapsed() + wait
    told = False
    for _ in range(_TRIES + round(wait / _POLL)):
        cancel.check()
        top = lock.top()
        left = 0.0 if top is None or top.free or _died(top.holder) else top.ends_in(lock.now())
        if top and left > 0:
            if _elapsed() >= deadline:
                raise _busy(name, top, left)
            if not told:
                emit(Noted(f"waiting for {name}: {top.holder or 'somebody'}"))
                told = True
            time.sleep(_POLL)
            continue
        number = top.number + 1 if top else 1
        if lock.claim(number, labels):
            before = top.holder if top and not top.free else None
            if before:
                emit(Warned(f"taking over the lock of {name}, left behind: {before}"))
            lock.remove_below(number)
            return HeldLease(
                lock, number, labels, seconds=seconds, taken_over=before, cancel=cancel
            )
    raise EngineError(f"the lock of {name} could not be taken", where=lock.where)


def held(lock: Lock) -> tuple[Holder, float] | None:
    """Return who holds the lock of an environment, and for how many seconds more."""
    top = lock.top()
    if top is None or top.free or top.holder is None:
        return None
    left = top.ends_in(lock.now())
    return (top.holder, left) if left > 0 else None


def break_open(lock: Lock) -> Holder | None:
    """Free the lock of an environment, whoever holds it; return who did. That one finds it lost
    before its next step."""
    labels = {TOKEN: secrets.token_hex(16), _SECONDS: "0", _FREE: "yes"}
    for _ in range(_TRIES):
        top = lock.top()
        if top is None or top.free:
            return None
        if lock.claim(top.number + 1, labels):
            lock.remove_below(top.number + 1)
            return top.holder
    raise EngineError(f"the lock of {lock.name} could not be freed", where=lock.where)


def _died(holder: Holder | None) -> bool:
    """Tell whether a holder is known to have ended: one of this machine, whose process is gone."""
    if holder is None or holder.machine is None or holder.machine != alive.machine():
        return False
    return alive.start_time(holder.pid) != holder.started


def _busy(name: str, top: Generation, left: float) -> Busy:
    return Busy(
        f"another run holds it: {top.holder or 'somebody'}",
        where=name,
        hint=f"--wait-lock SECONDS waits; it is renewed while that process lives, and free "
        f"at most {left:.0f} s after; inv run.unlock frees it now",
    )


def _elapsed() -> float:
    """Return seconds that pass while the machine sleeps, too."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
