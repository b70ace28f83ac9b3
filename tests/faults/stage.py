"""A project that things happen to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from stagekit.testing.project import FILES
from tests.conftest import Machine
from tests.faults.nursery import Ended, Nursery
from tests.faults.promises import VALUE, broken
from tests.faults.saboteur import Fault, Point
from tests.faults.scenarios import AUDITS, Scenario
from tests.repository import Repository


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
        hit = self._run(here, *self.scenario.command, fault=Fault(at, what))
        return [f"{what}{text}" for text in self._broken(here, hit)]

    def reach(self, engine: Path, prepare: Callable[[], None]) -> list[str]:
        """Type the command where the engine is reached by another socket; return what is broken.

        Args:
            engine: the socket.
            prepare: called just before.
        """
        here = self._fresh()
        prepare()
        hit = self._run(here, *self.scenario.command, DOCKER_HOST=f"unix://{engine}")
        return list(self._broken(here, hit))

    def points(self) -> tuple[Point, ...]:
        """Return the points that the scenario's command comes by where nothing happens."""
        went = self._run(self._fresh(), *self.scenario.command)
        assert went.code == 0, went.text
        return went.points

    def _broken(self, here: Path, hit: Ended) -> Iterator[str]:
        yield from (f": {text}" for text in broken(here, hit))
        then = self._run(here, *self.scenario.next)
        if then.code != 0:
            yield f": what comes next ends with {then.code}: {then.text[-600:]}"
        yield from (f", and after it: {text}" for text in broken(here, then))
        for audit in AUDITS if self.scenario.ledger else AUDITS[:1]:
            found = self._run(here, *audit)
            if found.code != 0:
                yield f", and after it {audit[0]} ends with {found.code}: {found.text[-600:]}"

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
        self,
        here: Path,
        *words: str,
        fault: Fault | None = None,
        stdin: str | None = None,
        **environ: str,
    ) -> Ended:
        return self._commands.run(
            here / "project",
            *words,
            environ={
                **self._environ,
                "TMPDIR": f"{here}/tmp",
                "HOME": f"{here}/home",
                **environ,
            },
            fault=fault,
            stdin=self.scenario.stdin if stdin is None else stdin,
        )
