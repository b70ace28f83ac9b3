"""What a manager says about a task's lines, beside them, is none of them."""

from __future__ import annotations

from stagekit.engine.swarm.api import _lines
from tests.managers import Manager, frame

TIME = "2026-11-27T10:00:00.000000001Z"


def test_what_the_manager_says_itself_is_no_line_of_the_task() -> None:
    """Under load, Docker puts the reason why lines are missing on a stream of its own (3)."""
    time = b"2026-11-27T10:00:00.5Z "
    data = frame(1, time + b"one\n") + frame(3, b"Error grabbing logs: incomplete\n")
    found = list(_lines(data + frame(2, time + b"two\n")))
    assert [(it.stream, it.text) for it in found] == [("stdout", b"one\n"), ("stderr", b"two\n")]


def test_a_line_ends_with_a_line_feed_alone() -> None:
    """The engine puts a time before each of those; what looks like none is none."""
    bar = b"10%\r100% \x0b done\x0c!\n"
    data = frame(1, TIME.encode() + b" " + bar + TIME.encode() + b" next\n")
    found = list(_lines(data + frame(2, b"without a time\n")))
    assert [(it.time, it.text) for it in found] == [
        (TIME, bar),
        (TIME, b"next\n"),
        (TIME, b"without a time\n"),
    ]
    assert [it.text for it in _lines(b"downloading 10%\rdownloading\n")] == [
        b"downloading 10%\rdownloading\n"
    ]


def test_only_what_came_since_is_asked_for() -> None:
    """The API takes seconds, and gives that very second's lines again."""
    manager = Manager()
    later = TIME.replace("1Z", "2Z")
    texts = [f"{time} a b\n".encode() for time in (TIME, later)]
    manager.output = lambda: b"".join(frame(1, text) for text in texts)
    assert [it.time for it in manager.printed("t")] == [TIME, later]
    assert [it.time for it in manager.printed("t", since=TIME)] == [later]
