"""Errors of stagekit's that nobody caught: what tasks.py or a plain Invoke task lets through.

They are shown as those of shipped tasks are, and end with the same exit codes.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType

from stagekit.errors import StagekitError


def show_uncaught() -> None:
    """See to it for this process. Whatever else is uncaught goes where it went before."""
    if not isinstance(sys.excepthook, _Hook):
        sys.excepthook = _Hook()


class _Hook:
    def __init__(self) -> None:
        self._before = sys.excepthook

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, StagekitError) or os.environ.get("STAGEKIT_DEBUG"):
            self._before(kind, error, trace)
            return
        from stagekit.cli.console import Console

        Console().error(error)
        raise SystemExit(error.exit_code)  # which Python heeds here, too
