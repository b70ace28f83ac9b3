"""What a run of the benchmarks found, as it is printed with ``--json`` and read again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stagekit.errors import InputError

Role = Literal["stagekit", "peer", "floor"]
"""What takes part in a measure: stagekit, what people use in its place, or what neither can do
without: the engine's own work, Compose's, the start of Invoke."""

ENOUGH = 5
"""Rounds, less of which are not worth quoting."""

FAILED = "failed: "
"""How the reason begins why one that is there was not measured."""

Unit = Literal["s", "MB", "objects"]


class Spread(Struct, frozen=True):
    """A median, and the quartiles around it."""

    low: float
    median: float
    high: float


class Goal(Struct, frozen=True):
    """A ratio that stagekit is not to be above, and than whom."""

    ratio: float
    than: str


class Row(Struct, frozen=True, omit_defaults=True):
    """One that took part in a measure.

    Attributes:
        samples: a round each, in the measure's unit.
        ratio: of stagekit's sample to this one's, pair by pair.
        absent: why it was not measured.
    """

    who: str
    role: Role
    samples: tuple[float, ...] = ()
    spread: Spread | None = None
    ratio: Spread | None = None
    absent: str = ""


class Contest(Struct, frozen=True):
    """What one measure found."""

    name: str
    title: str
    unit: Unit
    rounds: int
    goal: Goal | None
    rows: tuple[Row, ...]

    @property
    def few(self) -> bool:
        """Whether its rounds are fewer than its figures are worth quoting with."""
        return self.unit != "objects" and self.rounds < ENOUGH

    @property
    def measured(self) -> bool:
        """Whether stagekit's own part in it was."""
        return any(row.role == "stagekit" and row.spread for row in self.rows)


class Machine(Struct, frozen=True):
    """What it was measured on. ``load`` is the average of the minute before it began: processes
    that ran or wanted to."""

    cores: int
    cpu: str
    memory: int
    kernel: str
    load: float


class Report(Struct, frozen=True):
    """A whole run.

    Attributes:
        quick: fewer rounds than the figures are worth quoting with.
        versions: of what took part; empty where it is not there.
    """

    begun: datetime
    seconds: float
    quick: bool
    machine: Machine
    versions: dict[str, str]
    contests: tuple[Contest, ...]


def joined(before: Report, after: Report) -> Report:
    """Return what was found before, with what was found after it in the place of what it measured
    again; date and machine are those of the first."""
    again = {contest.name: contest for contest in after.contests}
    kept = tuple(again.pop(contest.name, contest) for contest in before.contests)
    return replace(
        before,
        seconds=round(before.seconds + after.seconds, 1),
        quick=any(contest.few for contest in (*kept, *again.values())),
        versions={**before.versions, **after.versions},
        contests=(*kept, *again.values()),
    )


def read(path: Path) -> Report:
    """Read what ``--json`` printed.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"no report of the benchmarks: {error}",
            where=str(path),
            hint="inv bench --json writes one",
        ) from error
