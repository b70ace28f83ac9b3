"""What a manager says about a task's lines, beside them, is none of them."""

from __future__ import annotations

from stagekit.engine.swarm.api import _lines


def frame(kind: int, text: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def test_what_the_manager_says_itself_is_no_line_of_the_task() -> None:
    """Under load, Docker puts the reason why lines are missing on a stream of its own (3)."""
    time = b"2026-11-27T10:00:00.5Z "
    data = frame(1, time + b"one\n") + frame(3, b"Error grabbing logs: incomplete\n")
    found = list(_lines(data + frame(2, time + b"two\n")))
    assert [(it.stream, it.text) for it in found] == [("stdout", b"one\n"), ("stderr", b"two\n")]
