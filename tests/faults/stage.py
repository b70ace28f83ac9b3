"""A project that things happen to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from logging import getLogger
from pathlib import Path

import docker

from examples.cleaning import remove_projects_of
from stagekit.testing.project import FILES
from tests.conftest import Machine
from tests.faults.in_force import InForce
from tests.faults.nursery import Ended, Nursery
from tests.faults.promises import VALUE, Look, Promises
from tests.faults.saboteur import Fault, Point
from tests.faults.scenarios import AUDITS, Scenario, Words
from tests.repository import Repository

_LOG = getLogger(__name__)
_ANSWER_LIMIT = 2.0


@dataclass(frozen=True)
class Ground:
    """Where commands build and run.

    Attributes:
        environ: leads to the engine, and the registry.
        clients: of all engines that prod is on.
        prod: its settings, below ``[stagekit]``.
        swarm: it is run by a Swarm.
    """

    environ: Mapping[str, str]
    clients: Sequence[docker.DockerClient]
    prod: str = ""
    swarm: bool = False

    @classmethod
    def of(cls, machine: Machine) -> Ground:
        """The engine of a machine."""
        environ = {**machine.environ, "STAGEKIT_REGISTRY": machine.registry}
        return cls(environ, [machine.client()])


class Stage:
    """A project, prepared for a scenario, and commands in it.

    Args:
        folder: for the project, its TMPDIR and its HOME.
        scenario: what it is prepared for.
        commands: runs them.
        ground: where.
        sabotage: what of stagekit is broken on purpose once that is done.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Scenario,
        commands: Nursery,
        ground: Ground,
        *,
        sabotage: str = "",
    ) -> None:
        self.scenario = scenario
        self._commands = commands
        self._here = folder / "here"
        self._kept = folder / "kept"
        self._sabotage = ""
        self._typed = cycle((scenario.command, scenario.other or scenario.command))
        self._ground = ground
        self._environ = dict(ground.environ)
        self._shared = self._here / "ledger.git" if scenario.ledger else None
        self._prepare(folder)
        self._promises = Promises(
            self._here,
            shared=self._shared,
            in_force=[
                InForce(each, f"{self.name}-prod", "prod", swarm=ground.swarm)
                for each in ground.clients
            ],
        )
        self._sabotage = sabotage

    def close(self) -> None:
        """Remove what it left on the engines, and let go of them."""
        for client in self._ground.clients:
            remove_projects_of(client, self.name)
            client.close()

    def strike(self, what: str, at: int) -> list[str]:
        """Let something happen at a point; return what is broken then and after what comes next."""
        command, before = self._about_to()
        hit = self._run(*command, fault=Fault(at, what))
        said = [f"{what}{text}" for text in self._broken(command, before, hit)]
        _LOG.info(
            "%s: %s at %d, exit code %d, broken: %s", self.scenario.name, what, at, hit.code, said
        )
        return said

    def reach(
        self, prepare: Callable[[], None], mend: Callable[[], None], **environ: str
    ) -> list[str]:
        """Type the command where an engine or a registry does not do what it should; return what is
        broken.

        Args:
            prepare: called just before.
            mend: called just after.
            environ: what leads there.
        """
        command, before = self._about_to()
        prepare()
        hit = self._run(*command, limit=_ANSWER_LIMIT, **environ)
        mend()
        said = list(self._broken(command, before, hit))
        _LOG.info("%s: exit code %d, broken: %s", self.scenario.name, hit.code, said)
        return said

    def points(self) -> tuple[Point, ...]:
        """Return the points that the scenario's command comes by where nothing happens."""
        command, _ = self._about_to()
        went = self._run(*command)
        assert went.code == 0, went.text
        return went.points

    def audit(self) -> list[str]:
        """Return what is found wrong with all that was recorded."""
        found = []
        for words in AUDITS if self._shared else AUDITS[:1]:
            ended = self._run(*words)
            if ended.code != 0:
                found.append(f"{words[0]} ends with {ended.code}: {ended.text[-600:]}")
        return found

    def _broken(self, command: Words, before: Look, hit: Ended) -> Iterator[str]:
        yield from (f": {text}" for text in self._promises.broken(before, hit))
        between = self._promises.look()
        then = self._run(*(self.scenario.after or command))
        if then.code != 0:
            yield f": what comes next ends with {then.code}: {then.text[-600:]}"
        for text in self._promises.broken(between, then, settled=True):
            yield f", and after it: {text}"
        if not self.scenario.in_place:
            yield from (f", and after it: {text}" for text in self.audit())

    def _prepare(self, folder: Path) -> None:
        for name in ("project", "tmp", "home"):
            (self._here / name).mkdir(parents=True)
        project = Repository.create(self._here / "project", self._environ)
        self.name = project.name
        template = FILES["templates/compose.yaml.j2"].format(name=project.name)
        more = "    deploy: {endpoint_mode: dnsrr}\n" if self._ground.swarm else ""
        template = f"{template}      KEY: ${{SECRET_API_KEY}}\n{more}"
        project.write("templates/compose.yaml.j2", template)
        lease = "[stagekit]\nsettle = 0\ntimeout = 20\nlease = 5\n\n[vars]\nGREETING = 'hello'\n"
        project.write("environments/base/config.toml", lease)
        if self._ground.prod:
            text = f"[stagekit]\n{self._ground.prod}\n[vars]\nGREETING = 'hello, prod'\n"
            project.write("environments/prod/config.toml", text)
        if self._shared:
            subprocess.run(["git", "init", "--quiet", "--bare", self._shared], check=True)
        if not self.scenario.moves_in:
            self._share()
        key = folder / "identity"
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
        self._share()
        if not self.scenario.in_place:
            shutil.copytree(self._here, self._kept, symlinks=True)

    def _share(self) -> None:
        if self._shared:
            self._environ["STAGEKIT_LEDGER"] = str(self._shared)

    def _do(self, *words: str, stdin: str = "") -> None:
        done = self._run(*words, stdin=stdin)
        assert done.code == 0, done.text

    def _about_to(self) -> tuple[Words, Look]:
        """Return what is about to be typed, and what there is then."""
        if self.scenario.in_place:
            for words in self.scenario.again:
                self._do(*words)
        else:
            shutil.rmtree(self._here)
            shutil.copytree(self._kept, self._here, symlinks=True)
        return next(self._typed), self._promises.look()

    def _run(
        self,
        *words: str,
        fault: Fault | None = None,
        stdin: str | None = None,
        limit: float = 0,
        **environ: str,
    ) -> Ended:
        local = {"TMPDIR": f"{self._here}/tmp", "HOME": f"{self._here}/home"}
        return self._commands.run(
            self._here / "project",
            *words,
            environ={**self._environ, **local, **environ},
            fault=fault,
            stdin=self.scenario.stdin if stdin is None else stdin,
            sabotage=self._sabotage,
            limit=limit,
        )
