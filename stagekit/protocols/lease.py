"""An environment's lock, which runs out where nobody renews it."""

from __future__ import annotations

from typing import Protocol

from stagekit.records import Holder


class Lease(Protocol):
    """A lock that this process holds, and renews for as long as it lives."""

    @property
    def taken_over(self) -> Holder | None:
        """Whose lease had run out when this one was taken."""
        ...

    @property
    def lost(self) -> bool:
        """Whether somebody else has it by now, or may have."""
        ...

    def check(self) -> None:
        """Raise LeaseLost unless it is still held."""
        ...

    def release(self) -> None:
        """Let go of it; of one that is lost, nothing."""
        ...
