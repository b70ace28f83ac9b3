"""How what is under way is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic

from stagekit.errors import Cancelled, StagekitError

_POLL = 0.2


class Cancel:
    """The one token by which a person or a signal, or what cannot go on, stops what is under way.

    Stages look at it between steps, `stagekit.process.run` while a program works.

    Args:
        above: tokens each of which stops this one as well.
    """

    def __init__(self, *above: Cancel) -> None:
        self._event = Event()
        self._above = above
        self._reason = _on_request

    def request(self, reason: Callable[[], StagekitError] | None = None) -> None:
        """Ask for a stop at the next safe place.

        Args:
            reason: makes what is raised there; by default `Cancelled`.
        """
        self._reason = reason or self._reason
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
        """Raise `Cancelled`, or the reason that was given, if a stop was asked for."""
        if self.requested:
            raise self._why()

    def _why(self) -> StagekitError:
        """Return what to raise: what a person wants goes before what happened below."""
        above = next((token for token in self._above if token.requested), None)
        return above._why() if above else self._reason()


class Shield(Cancel):
    """A token below others whose requests it can keep off for a while: what is done already is made
    known, though the next thing is not begun.

    Args:
        above: as `Cancel` has them; a stop is asked for there.
    """

    def __init__(self, *above: Cancel) -> None:
        super().__init__(*above)
        self._until = 0.0

    @contextmanager
    def raised(self, seconds: float) -> Iterator[None]:
        """Let the block come to its end, for so many seconds, though a stop is asked for."""
        self._until = monotonic() + seconds
        try:
            yield
        finally:
            self._until = 0.0

    @property
    def requested(self) -> bool:
        return monotonic() >= self._until and super().requested


def _on_request() -> StagekitError:
    return Cancelled("stopped on request", hint="what was finished before stays recorded")
