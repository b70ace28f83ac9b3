"""Commands timed in turn, A B A B …: a machine that slows down slows down all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_LIMIT = 600


@dataclass(frozen=True)
class Command:
    """What is timed: argv each, one after the other, in ``folder``; ``before`` each, untimed."""

    argvs: Sequence[Sequence[str]]
    folder: Path
    environ: Mapping[str, str]
    before: Callable[[], object] = lambda: None

    def seconds(self) -> float:
        self.before()
        begun = time.perf_counter()
        for argv in self.argvs:
            done = subprocess.run(
                argv,
                cwd=self.folder,
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_LIMIT,
                check=False,
            )
            if done.returncode != 0:
                sys.exit(f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
        return time.perf_counter() - begun


def compare(
    what: str, ours: Command, theirs: Command, *, name: str, rounds: int, goal: float | None = None
) -> None:
    """Print both medians and the median of the ratios of each pair, after a round that does not
    count.

    Args:
        what: is measured.
        ours: stagekit.
        theirs: what it is compared with.
        name: of what it is compared with.
        rounds: how many pairs.
        goal: the ratio not to be above, if there is one.
    """
    ours.seconds(), theirs.seconds()
    pairs = [(ours.seconds(), theirs.seconds()) for _ in range(rounds)]
    ratio = median(mine / other for mine, other in pairs)
    mine, other = (median(times) for times in zip(*pairs, strict=True))
    aim = f", goal {goal:g}" if goal else ""
    verdict = "   ABOVE THE GOAL" if goal and ratio > goal else ""
    print(
        f"{what:<44} {mine:7.2f} s   {name} {other:7.2f} s   "
        f"ratio {ratio:.2f}  ({rounds} pairs{aim}){verdict}",
        flush=True,
    )
