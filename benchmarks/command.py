"""Commands, and what they take: seconds, or memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.resident import watched
from stagekit import process
from stagekit.cancel import Cancel
from stagekit.errors import StagekitError
from stagekit.process import Result

_LIMIT = 120.0
"""Seconds that one command may take."""

_TOLD = 6
_MEGABYTE = 1_000_000


class CommandFailed(StagekitError):
    """What was to be measured ended with an error."""


@dataclass(frozen=True)
class Command:
    """What is measured: each argv after the other, in ``folder``.

    Attributes:
        environ: the whole environment.
        cancel: ends it.
        before: done each time before, and not measured.
    """

    argvs: Sequence[Sequence[str]]
    folder: Path
    environ: Mapping[str, str]
    cancel: Cancel
    before: Callable[[], object] = lambda: None

    def seconds(self) -> float:
        """Run it, and return how long that took."""
        self.before()
        begun = time.perf_counter()
        self._run()
        return time.perf_counter() - begun

    def megabytes(self) -> float:
        """Run it, and return the most memory that its processes had at one time."""
        self.before()
        with watched() as peak:
            self._run()
        return peak() / _MEGABYTE

    def output(self) -> str:
        """Run it, and return what the last one printed on stdout."""
        self.before()
        return self._run().stdout

    def _run(self) -> Result:
        for argv in self.argvs:
            done = process.run(
                argv, env=self.environ, cwd=self.folder, limit=_LIMIT, cancel=self.cancel
            )
            if not done.ok:
                raise CommandFailed(
                    f"{' '.join(argv)} ended with {done.code}",
                    output=tuple(line for line in done.tail(_TOLD) if not _is_hint(line)),
                )
        return done


def _is_hint(line: str) -> bool:
    return line.strip().startswith("next:")
