"""Reading what an engine streams, without being at its mercy.

A step of a build, or a registry behind a push, may say nothing for minutes, or for ever. Another
thread reads; this one can be cancelled, and gives up after a silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeVar

from stagekit.cancel import Cancel
from stagekit.errors import LimitExceeded

Entry = TypeVar("Entry")

_POLL = 0.2


def watched(
    stream: Callable[[], Iterable[Entry]],
    *,
    silence: float,
    cancel: Cancel,
    limit: float = math.inf,
) -> Iterator[Entry]:
    """Yield a stream's entries as they come.

    Args:
        stream: starts the stream; called in the reading thread.
        silence: seconds without an entry after which it is given up.
        cancel: stops it.
        limit: seconds after which it is given up all the same.

    Raises:
        Cancelled, LimitExceeded: the reading thread is left behind; its connection closes with the
            process, at which an engine stops what it did for it.
        Exception: whatever the stream raised.
    """
    entries: SimpleQueue[tuple[Entry] | BaseException | None] = SimpleQueue()

    def read() -> None:
        try:
            for entry in stream():
                entries.put((entry,))
            entries.put(None)
        except BaseException as error:
            entries.put(error)

    Thread(target=read, daemon=True).start()
    begun = heard = monotonic()
    while True:
        cancel.check()
        if monotonic() - begun > limit:
            raise LimitExceeded(f"not done after {limit:g} s")
        try:
            item = entries.get(timeout=_POLL)
        except Empty:
            if monotonic() - heard > silence:
                raise LimitExceeded(f"nothing was heard for {silence:g} s") from None
            continue
        heard = monotonic()
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item[0]
