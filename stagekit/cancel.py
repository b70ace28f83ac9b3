"""How what is under way is stopped."""

from __future__ import annotations

from threading import Event
from time import monotonic

from stagekit.errors import Cancelled

_POLL = 0.2


class Cancel:
    """The one token by which a person or a signal stops what is under way.

    Stages look at it between steps, `stagekit.process.run` while a program works.

    Args:
        above: tokens each of which stops this one as well.
    """

    def __init__(self, *above: Cancel) -> None:
        self._event = Event()
        self._above = above

    def request(self) -> None:
        """Ask for a stop at the next safe place."""
        self._event.set()

    @property
    def requested(self) -> bool:
        return self._event.is_set() or any(token.requested for token in self._above)

    def wait(self, seconds: float) -> None:
        """Wait, for less where a stop is asked for."""
        until = monotonic() + seconds
        while not self.requested and (left := until - monotonic()) > 0:
            self._event.wait(min(left, _POLL))  # what is above this one is only asked

    def check(self) -> None:
        """Raise `Cancelled` if a stop was asked for."""
        if self.requested:
            raise Cancelled("stopped on request", hint="what was finished before stays recorded")
