"""At every point of every task that writes: stopped, or refused by the disk, the promises hold, and
the next command goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import stagekit
from stagekit.testing.project import FILES
from tests.conftest import Machine, remove_projects
from tests.faults.nursery import Ended, Nursery
from tests.faults.promises import VALUE, broken
from tests.faults.saboteur import Fault, Point
from tests.faults.scenarios import ELSEWHERE, ONLY_LOOKS, SCENARIOS, Scenario
from tests.repository import Repository

pytestmark = pytest.mark.engine

_FEW = 4
"""Points of a scenario that are struck by default, of those that are alike one each."""
KINDS = ("SIGKILL", "ENOSPC", "SIGTERM", "EIO", "SIGINT", "EACCES")


class Stage:
    """A project, prepared for a scenario, and commands in it.

    Args:
        folder: for the project, its TMPDIR and its HOME.
        scenario: what it is prepared for.
        commands: runs them.
        machine: where its engine is.
    """

    def __init__(
        self, folder: Path, scenario: Scenario, commands: Nursery, machine: Machine
    ) -> None:
        self.scenario = scenario
        self._commands = commands
        self._folder = folder
        self._whole = folder / "whole"
        self._environ = {**machine.environ, "STAGEKIT_REGISTRY": machine.registry}
        self._prepare(folder)

    def strike(self, what: str, at: int) -> list[str]:
        """Let something happen at a point; return what is broken then and after what comes next."""
        here = self._fresh()
        said = []
        hit = self._run(here, *self.scenario.command, fault=Fault(at, what))
        said += [f"{what}: {text}" for text in broken(here, hit)]
        then = self._run(here, *self.scenario.next)
        if then.code != 0:
            said.append(f"{what}: what comes next ends with {then.code}: {then.text[-600:]}")
        said += [f"{what}, and after it: {text}" for text in broken(here, then)]
        return said

    def points(self) -> tuple[Point, ...]:
        """Return the points that the scenario's command comes by where nothing happens."""
        went = self._run(self._fresh(), *self.scenario.command)
        assert went.code == 0, went.text
        return went.points

    def _prepare(self, folder: Path) -> None:
        for name in ("project", "tmp", "home"):
            (self._whole / name).mkdir(parents=True)
        project = Repository.create(self._whole / "project", self._environ)
        self.name = project.name
        template = FILES["templates/compose.yaml.j2"].format(name=project.name)
        project.write("templates/compose.yaml.j2", f"{template}      KEY: ${{SECRET_API_KEY}}\n")
        lease = "[stagekit]\nsettle = 0\ntimeout = 20\nlease = 5\n\n[vars]\nGREETING = 'hello'\n"
        project.write("environments/base/config.toml", lease)
        key = folder / "identity"
        if self.scenario.ledger:
            shared = folder / "ledger.git"
            subprocess.run(["git", "init", "--quiet", "--bare", shared], check=True)
            self._environ["STAGEKIT_LEDGER"] = str(shared)
        self._environ["STAGEKIT_AGE_IDENTITY"] = str(key)
        for env in ("dev", "prod"):
            self._do("secrets.keygen", "-e", env, "--to", str(key.with_name(f"{env}.key")))
        shutil.copy(key.with_name("prod.key"), key)
        with key.open("a") as both:
            both.write(key.with_name("dev.key").read_text())
        for env in ("dev", "prod"):
            self._do("secrets.set", "API_KEY", "-e", env, stdin=VALUE)
        for words in self.scenario.before:
            self._do(*words)

    def _do(self, *words: str, stdin: str = "") -> None:
        done = self._run(self._whole, *words, stdin=stdin)
        assert done.code == 0, done.text

    def _fresh(self) -> Path:
        """Return a folder in which the scenario's command is about to be typed."""
        if self.scenario.again:
            for words in self.scenario.again:
                self._do(*words)
            return self._whole
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._whole, copy, symlinks=True)
        return copy

    def _run(
        self, here: Path, *words: str, fault: Fault | None = None, stdin: str | None = None
    ) -> Ended:
        return self._commands.run(
            here / "project",
            *words,
            environ={**self._environ, "TMPDIR": f"{here}/tmp", "HOME": f"{here}/home"},
            fault=fault,
            stdin=self.scenario.stdin if stdin is None else stdin,
        )


@pytest.fixture(params=SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def stage(
    request: pytest.FixtureRequest, commands: Nursery, machine: Machine, tmp_path: Path
) -> Iterator[Stage]:
    stage = Stage(tmp_path, request.param, commands, machine)
    yield stage
    remove_projects(stage.name, machine.engine)


def chosen(points: tuple[Point, ...], every: bool) -> list[int]:
    """Return the numbers of points to strike: all, or of those that are alike one each, and of
    these a few that lie evenly from the first to the last."""
    if every:
        return list(range(len(points)))
    alike = list(
        {point.label: number for number, point in reversed(list(enumerate(points)))}.values()
    )
    alike.sort()
    step = max(1.0, (len(alike) - 1) / (_FEW - 1)) if len(alike) > 1 else 1.0
    return sorted({alike[round(step * n)] for n in range(_FEW) if round(step * n) < len(alike)})


def test_wherever_something_happens_the_next_command_goes_on(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    """Killed, asked to end, a full disk, a broken one, one that may not be written."""
    every = request.config.getoption("faults") == "all"
    points = stage.points()
    assert points, "the command comes by no point"
    wrong = []
    first = SCENARIOS.index(stage.scenario)
    for turn, number in enumerate(chosen(points, every)):
        for what in KINDS if every else (KINDS[(first + turn) % len(KINDS)],):
            said = stage.strike(what, number)
            wrong += [f"at {number}, {points[number]}: {text}" for text in said]
    assert wrong == []


def test_every_task_is_in_a_scenario_or_only_looks(tmp_path: Path) -> None:
    """A new one has to be put on one of the lists."""
    shipped = stagekit.collection(root=tmp_path)
    named = {shipped.transform(scenario.command[0]) for scenario in SCENARIOS}
    told = {
        name
        for name, aliases in shipped.task_names.items()
        if {name, *aliases} & (named | ONLY_LOOKS | set(ELSEWHERE))
    }
    assert set(shipped.task_names) - told == set()
    assert all((Path(__file__).parents[2] / path).is_file() for path in ELSEWHERE.values())
