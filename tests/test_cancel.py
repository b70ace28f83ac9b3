"""How what is under way is stopped, and what is done for a while although it should stop."""

from __future__ import annotations

import pytest

from stagekit.cancel import Cancel, Shield
from stagekit.errors import Cancelled, LeaseLost


def test_a_shield_keeps_a_request_off_until_it_is_let_down() -> None:
    """Whether it was asked for before or within; the token above has heard it all the time."""
    above = Cancel()
    shield = Shield(above)
    with shield.raised(60):
        shield.check()
        above.request()
        shield.check()
        assert (above.requested, Cancel(shield).requested) == (True, False)
    with pytest.raises(Cancelled):
        shield.check()
    with shield.raised(60):
        shield.check()


def test_a_shield_lasts_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is stopped all the same, for the reason that was given above."""
    now = 100.0
    monkeypatch.setattr("stagekit.cancel.monotonic", lambda: now)
    above = Cancel()
    above.request(lambda: LeaseLost("it is lost"))
    shield = Shield(above)
    with shield.raised(15):
        now += 14
        shield.check()
        now += 1
        with pytest.raises(LeaseLost):
            shield.check()
