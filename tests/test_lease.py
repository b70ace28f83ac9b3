"""A lock whose engine makes what it is asked for, and does not say so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from stagekit.cancel import Cancel
from stagekit.engine.lease import GENERATION, TOKEN, Generation, Lock, generation, held, take
from stagekit.errors import EngineError
from stagekit.records import Holder
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON

BOB = Holder(actor="bob", host="ci", pid=7, command="inv run", since=NOON)


class Mute:
    """A lock of which one answer is lost where ``mute`` says so."""

    name, where = "shop-prod", "a test"

    def __init__(self) -> None:
        self.mute = False
        self._there: dict[int, Generation] = {}

    def now(self) -> datetime:
        return datetime.now(UTC)

    def top(self) -> Generation | None:
        return max(self._there.values(), key=lambda item: item.number, default=None)

    def claim(self, number: int, labels: Mapping[str, str]) -> bool:
        if number not in self._there:
            made = generation({**labels, GENERATION: str(number)}, self.now().isoformat())
            assert made
            self._there[number] = made
        if self.mute:
            self.mute = False
            raise EngineError("the connection ended")
        top = self.top()
        return self._there[number].token == labels[TOKEN] == (top and top.token)

    def remove_below(self, number: int) -> None:
        for older in [item for item in self._there if item < number]:
            del self._there[older]


def test_a_renewal_without_an_answer_is_let_go_of_too() -> None:
    """Whoever comes next would wait for a holder that is gone."""
    mute = Mute()
    lock = cast("Lock", mute)
    lease = take(lock, BOB, seconds=60, wait=0, emit=Heard(), cancel=Cancel())
    mute.mute = True
    lease._renew()
    lease.release()
    assert held(lock) is None
    take(lock, BOB, seconds=60, wait=0, emit=Heard(), cancel=Cancel()).release()
