"""What every `stagekit.protocols.Lease` keeps, and the engine that gives them."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import Busy, LeaseLost
from stagekit.events import ignore
from stagekit.protocols import Engine, Lease
from stagekit.records import Holder


class LeaseContract:
    """Inherit it, and give the fixture ``engine``. What it leaves on the engine is labelled
    ``stagekit.lock=contract-…``."""

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine whose leases are looked at."""
        raise NotImplementedError("give a fixture `engine` that returns an Engine")

    @pytest.fixture
    def lock(self) -> str:
        """The name of a lock that nobody else takes."""
        return f"contract-{secrets.token_hex(4)}-prod"

    def test_it_is_held_by_one(self, engine: Engine, lock: str) -> None:
        """The next is told by whom, and an environment of another name is free."""
        lease = _take(engine, lock, "ann")
        held = engine.lock_holder(lock)
        assert held is not None
        assert (held[0].actor, held[1] > 0) == ("ann", True)
        with pytest.raises(Busy, match="ann"):
            _take(engine, lock, "bob")
        _take(engine, f"{lock}-2", "bob").release()
        lease.check()
        assert not lease.lost
        lease.release()

    def test_released_it_is_free_at_once(self, engine: Engine, lock: str) -> None:
        """And whoever takes it next has taken it over from nobody."""
        _take(engine, lock, "ann").release()
        assert engine.lock_holder(lock) is None
        again = _take(engine, lock, "bob")
        assert again.taken_over is None
        again.release()

    def test_broken_open_it_is_lost(self, engine: Engine, lock: str) -> None:
        """Whoever held it finds out at the next step, and its release frees nobody else's."""
        lease = _take(engine, lock, "ann")
        broken = engine.break_lock(lock)
        assert broken is not None
        assert broken.actor == "ann"
        other = _take(engine, lock, "bob")
        with pytest.raises(LeaseLost):
            lease.check()
        lease.release()
        other.check()
        other.release()

    def test_nobody_holds_what_nobody_took(self, engine: Engine, lock: str) -> None:
        """Neither to be told, nor to be broken open."""
        assert engine.lock_holder(lock) is None
        assert engine.break_lock(lock) is None


def _take(engine: Engine, lock: str, actor: str) -> Lease:
    holder = Holder(
        actor=actor, host="here", pid=os.getpid(), command="inv run", since=datetime.now(UTC)
    )
    return engine.lease(lock, holder, seconds=60.0, wait=0.0, emit=ignore, cancel=Cancel())
