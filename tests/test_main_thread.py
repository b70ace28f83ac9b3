"""What the threads of a fleet's hosts have done on the main thread, where that is stopped."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import Cancelled
from stagekit.pipeline.run.fleet.abreast import MainThread


def test_what_was_given_up_is_not_done() -> None:
    """Who asked for it has said already that it was not."""
    cancel, done, posted = Cancel(), [], []  # type: ignore[var-annotated]
    cancel.request()
    with pytest.raises(Cancelled):
        MainThread(posted.append, cancel)(lambda: done.append("noted"))
    posted[0].do()
    assert done == []


def test_what_was_begun_is_waited_for() -> None:
    """However long it takes: it is done, and whoever asked for it hears so."""
    cancel, begun, go_on = Cancel(), Event(), Event()

    def slow() -> str:
        begun.set()
        go_on.wait(10)
        return "noted"

    def stopped_meanwhile() -> None:
        begun.wait(10)
        cancel.request()
        begun.clear()
        begun.wait(0.3)  # longer than it takes to see that
        go_on.set()

    def post(call: Any) -> None:
        Thread(target=call.do, daemon=True).start()

    Thread(target=stopped_meanwhile, daemon=True).start()
    assert MainThread(post, cancel)(slow) == "noted"
