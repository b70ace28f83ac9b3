"""Docker's SDK, imported on first use, whichever thread that is in."""

from __future__ import annotations

from threading import Lock
from typing import Any

_IMPORTING = Lock()


def sdk() -> Any:
    """Return the package ``docker``.

    Its modules import one another in a circle: of two threads that begin at once each would find
    the other's half of it, and fail.
    """
    with _IMPORTING:
        import docker
    return docker
