"""Who looks whether promises hold, and finds nothing wrong with anything, looks at nothing: what is
broken on purpose, in one way each, is found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from stagekit import locks
from tests.faults.nursery import Ended
from tests.faults.prepared import Prepared
from tests.faults.promises import Promises
from tests.faults.sabotage import SABOTAGE
from tests.faults.saboteur import Point
from tests.faults.scenarios import BUILD, NEWER, SHIP, V1, V2, Scenario
from tests.faults.stage import Stage

pytestmark = pytest.mark.engine

_NOWHERE = 10_000
_CANCEL = ("release.cancel", "prod/v1", "--reason", "leaks")


@dataclass(frozen=True)
class Case:
    """A promise, and how it is found out that it is broken.

    Attributes:
        sabotage: what is broken, by its name.
        scenario: comes by it.
        found: what is said of that.
        kill: the command, where its release is not whole yet.
    """

    sabotage: str
    scenario: Scenario
    found: str
    kill: bool = False


_RELEASED = (BUILD, SHIP)
_RAN = (BUILD, SHIP, NEWER, V1)
CASES = (
    Case("a record is edited", Scenario(_CANCEL, _RELEASED), "is not what it was"),
    Case("a record is lost", Scenario(NEWER, _RELEASED), ".toml is gone"),
    Case("ids count down", Scenario(NEWER, _RELEASED), "0 of releases/prod was given after 1"),
    Case("what is left stays", Scenario(NEWER, _RELEASED), "is left", kill=True),
    Case("history is rewritten", Scenario(NEWER, _RELEASED, ledger=True), "has not what it had"),
    Case("nothing is sent", Scenario(BUILD, ledger=True), "is still owed"),
    Case("the lease is kept", Scenario(V2, _RAN, in_place=True), "the lock of"),
    Case("what is in force is not noted", Scenario(V2, _RAN, in_place=True), "in force are"),
    Case("two are in force", Scenario(V2, _RAN, in_place=True), "in force are"),
    Case("another release comes up", Scenario(V2, _RAN, in_place=True), "containers say"),
)


@pytest.mark.parametrize("case", CASES, ids=[case.sabotage for case in CASES])
def test_what_is_broken_on_purpose_is_found(case: Case, prepared: Prepared) -> None:
    """By the promise that it breaks."""
    stage = Stage(case.scenario, prepared, sabotage=case.sabotage)
    at = _first_of_a_release(stage.points()) if case.kill else _NOWHERE
    said = stage.strike("SIGKILL", at)
    stage.close()
    assert any(case.found in text for text in said), said


def _first_of_a_release(points: tuple[Point, ...]) -> int:
    return next(
        number
        for number, point in enumerate(points)
        if point.kind == "os.fsync" and point.subject.startswith("/artifacts/releases")
    )


def test_a_lock_that_is_held_is_found(tmp_path: Path) -> None:
    """By whom, is not asked: nobody works there."""
    lock = tmp_path / "project/artifacts/runs/prod/lock"
    lock.parent.mkdir(parents=True)
    promises, ended = Promises(tmp_path), Ended(0, "", (), ())
    descriptor = locks.try_lock(lock)
    assert descriptor is not None
    held = list(promises.broken(promises.look(), ended))
    os.close(descriptor)
    assert held == ["project/artifacts/runs/prod/lock is locked"]
    assert list(promises.broken(promises.look(), ended)) == []


def test_each_way_to_break_one_is_tried() -> None:
    """One that is in no case finds nothing out."""
    assert {case.sabotage for case in CASES} == set(SABOTAGE)
