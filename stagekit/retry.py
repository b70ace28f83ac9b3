"""Trying again what may go well a little later."""

from __future__ import annotations

import random
from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from stagekit.cancel import Cancel
from stagekit.errors import StagekitError

Result = TypeVar("Result")

_ATTEMPTS = 5
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 10.0
_POLL = 0.1


def patiently(
    attempt: Callable[[], Result],
    *,
    on_wait: Callable[[str], None],
    cancel: Cancel,
    attempts: int = _ATTEMPTS,
) -> Result:
    """Do ``attempt``, up to five times while its errors are transient.

    Between two there is a wait that doubles, half of it by chance, so that many who failed together
    do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        attempt: what to do.
        on_wait: told why and how long is waited.
        cancel: ends a wait.
        attempts: how many, instead of five.
    """
    for number in range(1, attempts):
        try:
            return attempt()
        except StagekitError as error:
            if not error.transient:
                raise
            wait = min(_FIRST_WAIT * 2 ** (number - 1), _LONGEST_WAIT)
            wait *= random.uniform(0.5, 1.0)  # noqa: S311  # nosec B311  # no secret
            on_wait(f"{error.what}; again in {wait:.1f} s ({number + 1} of {attempts})")
            pause(wait, cancel)
    return attempt()


def pause(seconds: float, cancel: Cancel) -> None:
    """Wait, unless this is cancelled meanwhile."""
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0:
        cancel.check()
        sleep(min(left, _POLL))
