"""A long history, beside a short one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import history
from benchmarks.measure import Contestant, Measure
from benchmarks.measures.releasing import environ_of
from benchmarks.place import INV, NOT_FOUND, Place
from benchmarks.report import Goal

FEW, MANY, VERY_MANY = 10, 10_000, 100_000

_FEW = f"with {FEW} releases"
_MANY = f"stagekit, with {MANY:,} releases"
_VERY_MANY = f"stagekit, with {VERY_MANY:,} releases"
_ROUNDS = 11


def of_files(words: Sequence[str], mixed: bool, place: Place) -> Sequence[Contestant]:
    """``inv`` with ``words`` in a project of many releases, beside one of a few."""

    def command(count: int) -> Callable[[], float]:
        name = f"history{count}" + ("mixed" if mixed else "")
        root = place.once(name, lambda folder: history.in_files(place, folder, count, mixed=mixed))
        return place.command(root, (*INV, *words), environ=environ_of(place)).seconds

    return (Contestant(_MANY, command(MANY), "stagekit"), Contestant(_FEW, command(FEW), "floor"))


def of_git(words: Sequence[str], fresh: bool, place: Place) -> Sequence[Contestant]:
    """The same with a shared ledger; ``fresh``: on a machine that has nothing of it yet."""

    def command(count: int) -> Callable[[], float]:
        root = _shared(place, count)

        def forget() -> None:
            if fresh:
                shutil.rmtree(root / "artifacts", ignore_errors=True)

        return place.command(root, (*INV, *words), before=forget).seconds

    if not shutil.which("git"):
        return (Contestant(_VERY_MANY, NOT_FOUND, "stagekit"),)
    return (
        Contestant(_VERY_MANY, command(VERY_MANY), "stagekit"),
        Contestant(_FEW, command(FEW), "floor"),
    )


def seen(place: Place) -> Sequence[Contestant]:
    """How much of the repository a machine has that made a release from nothing."""
    root = _shared(place, VERY_MANY)
    shutil.rmtree(root / "artifacts", ignore_errors=True)
    place.command(root, (*INV, "next")).seconds()
    [copy] = (root / "artifacts/.ledger").glob("*/git")
    return (
        Contestant("stagekit's copy", lambda: _objects(copy), "stagekit"),
        Contestant("the ledger", lambda: _objects(root / history.REMOTE), "floor"),
    )


def _shared(place: Place, count: int) -> Path:
    return place.once(f"git{count}", lambda folder: history.in_git(folder, count))


def _objects(repository: Path) -> float:
    argv = ["git", "-C", str(repository), "count-objects", "-v"]
    told = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    counted = dict(line.split(": ") for line in told.splitlines())
    return float(counted["count"]) + float(counted["in-pack"])


_LIST = ("release.list", "--env", "prod")
_OF_FILES = (
    ("list", "release.list", _LIST, False, False),
    ("next", "the ledger's part of the next release", ("next",), False, False),
    ("release", "a whole release", ("release", "--env", "prod", "--force"), False, False),
    ("diff", "release.diff", ("release.diff", "prod/v3", "prod/latest"), False, True),
    ("mixed", "release.list, numbered in two ways", _LIST, True, True),
)
_OF_GIT = (
    ("next", "the next release in git, with a copy", ("next",), False),
    ("fresh", "the next release in git, with no copy", ("next",), True),
    ("list", "release.list in git", _LIST, False),
)

MEASURES = (
    *(
        Measure(
            f"ledger-{name}",
            title,
            partial(of_files, words, mixed),
            rounds=_ROUNDS,
            goal=Goal(1.2, _FEW),
            asked=asked,
        )
        for name, title, words, mixed, asked in _OF_FILES
    ),
    *(
        Measure(
            f"git-{name}",
            title,
            partial(of_git, words, fresh),
            rounds=_ROUNDS,
            goal=Goal(1.5, _FEW),
            asked=True,
        )
        for name, title, words, fresh in _OF_GIT
    ),
    Measure(
        "git-seen",
        "what a machine that had nothing has then",
        seen,
        unit="objects",
        rounds=1,
        asked=True,
    ),
)
