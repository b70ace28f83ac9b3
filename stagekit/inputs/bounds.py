"""Bounds for code that a repository brings: it may loop for ever, or take all memory."""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_AGAIN = 1.0
"""Seconds after which it is said once more, should it not have been heard."""


class TookTooLong(BaseException):
    """The time is over. No ``except Exception`` of what is bounded may swallow it."""


@contextmanager
def limited(*, seconds: float, memory: int) -> Iterator[None]:
    """Let what is done inside take so long, and so many bytes of memory more than there are now.

    The time holds on the main thread, where tasks run; memory where the system says how much is
    in use (``/proc``).

    Raises:
        TookTooLong: the time is over.
        MemoryError: the memory is.
    """
    with _memory_limited(memory), _time_limited(seconds):
        yield


@contextmanager
def _time_limited(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # None is a handler that was not set from Python, and cannot be either.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if previous is None else previous)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise TookTooLong


@contextmanager
def _memory_limited(more: int) -> Iterator[None]:
    in_use = _addresses_in_use()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    lowered = in_use + more
    if not in_use or lowered >= (soft if soft != resource.RLIM_INFINITY else lowered + 1):
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (lowered, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _addresses_in_use() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return 0
    return pages * resource.getpagesize()
