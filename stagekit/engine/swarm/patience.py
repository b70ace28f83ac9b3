"""Asking a Swarm whose managers may be choosing a leader."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from stagekit.cancel import Cancel
from stagekit.errors import EngineError

Answer = TypeVar("Answer")

PATIENCE = 30.0
"""Seconds in which the managers that are left may agree on a leader, where that one went."""

_POLL = 0.3


def answered(ask: Callable[[], Answer], cancel: Cancel) -> Answer:
    """Ask until there is an answer: what is under way does not end because its leader went.

    Args:
        ask: asks; may be called several times.
        cancel: stops it.

    Raises:
        EngineError: no manager has answered for half a minute.
    """
    begun = monotonic()
    while True:
        try:
            return ask()
        except EngineError:
            if monotonic() - begun > PATIENCE:
                raise
        cancel.wait(_POLL)
        cancel.check()
