"""Projects that are ready for a scenario: what was done before is done once, and copied from then
on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker

from examples.cleaning import remove_projects_of
from stagekit.testing.project import FILES
from tests.conftest import Machine
from tests.faults.nursery import Ended, Nursery
from tests.faults.promises import VALUE
from tests.faults.saboteur import Fault
from tests.faults.scenarios import Words
from tests.repository import Repository

_SETTINGS = """\
[stagekit]
settle = 0
timeout = 20
lease = 5

[vars]
GREETING = "hello"
"""


@dataclass(frozen=True)
class Ground:
    """Where commands build and run.

    Attributes:
        environ: leads to the engine, and the registry.
        clients: of all engines that prod is on.
        prod: its settings, below ``[stagekit]``.
        swarm: it is run by a Swarm.
        hosts: the names of a fleet's hosts, in the order of the clients.
    """

    environ: Mapping[str, str]
    clients: Sequence[docker.DockerClient]
    prod: str = ""
    swarm: bool = False
    hosts: Sequence[str] = ()

    @classmethod
    def of(cls, machine: Machine) -> Ground:
        """The engine of a machine."""
        environ = {**machine.environ, "STAGEKIT_REGISTRY": machine.registry}
        return cls(environ, [machine.client()])


class Prepared:
    """One project, always in the same place: as it is in the beginning, or after commands.

    Args:
        folder: for all of it.
        commands: runs them.
        ground: where.

    Attributes:
        here: holds the project, its TMPDIR, its HOME and the repository of a shared ledger.
        name: the project's.
    """

    def __init__(self, folder: Path, commands: Nursery, ground: Ground) -> None:
        self.ground = ground
        self.here = folder / "here"
        self._commands = commands
        self._folder = folder
        self._kept: dict[tuple[tuple[Words, ...], bool], Path] = {}
        self._environ = {
            **ground.environ,
            "TMPDIR": f"{self.here}/tmp",
            "HOME": f"{self.here}/home",
            "STAGEKIT_AGE_IDENTITY": str(folder / "identity"),
        }
        for name in ("project", "tmp", "home"):
            (self.here / name).mkdir(parents=True)
        project = Repository.create(self.here / "project", self._environ)
        self.name = project.name
        self._lay_out(project)

    @property
    def shared(self) -> Path:
        """The repository of a shared ledger."""
        return self.here / "ledger.git"

    def bring(self, before: tuple[Words, ...], *, ledger: bool) -> None:
        """Have the project here as it is once commands were done in it, and nothing else.

        Args:
            before: the commands.
            ledger: they recorded in the shared ledger.
        """
        kept = self._kept.get((before, ledger))
        if kept is None:
            self.bring(before[:-1], ledger=ledger)
            self.do(before[-1], ledger=ledger)
            self._keep(before, ledger=ledger)
        else:
            shutil.rmtree(self.here)
            shutil.copytree(kept, self.here, symlinks=True)

    def do(self, words: Words, *, ledger: bool, stdin: str = "") -> None:
        """Do what has to go well."""
        done = self.run(words, ledger=ledger, stdin=stdin)
        assert done.code == 0, done.text

    def run(
        self,
        words: Words,
        *,
        ledger: bool,
        stdin: str = "",
        fault: Fault | None = None,
        sabotage: str = "",
        limit: float = 0,
        environ: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a command in the project, however it ends."""
        shared = {"STAGEKIT_LEDGER": str(self.shared)} if ledger else {}
        return self._commands.run(
            self.here / "project",
            *words,
            environ={**self._environ, **shared, **(environ or {})},
            fault=fault,
            stdin=stdin,
            sabotage=sabotage,
            limit=limit,
        )

    def clear(self) -> None:
        """Remove what it left on the engines."""
        for client in self.ground.clients:
            remove_projects_of(client, self.name)
            for label in ("stagekit.state", "stagekit.lock"):
                for volume in client.volumes.list(filters={"label": label}):
                    if volume.attrs["Labels"][label].startswith(f"{self.name}-"):
                        volume.remove()

    def _lay_out(self, project: Repository) -> None:
        more = "    deploy: {endpoint_mode: dnsrr}\n" if self.ground.swarm else ""
        template = FILES["templates/compose.yaml.j2"].format(name=project.name)
        template = f"{template}      KEY: ${{SECRET_API_KEY}}\n{more}"
        project.write("templates/compose.yaml.j2", template)
        project.write("environments/base/config.toml", _SETTINGS)
        if self.ground.prod:
            text = f"[stagekit]\n{self.ground.prod}\n[vars]\nGREETING = 'hello, prod'\n"
            project.write("environments/prod/config.toml", text)
        made = ("git", "init", "--quiet", "--bare", "--template=", self.shared)
        subprocess.run(made, check=True)
        keys = {env: self._folder / f"{env}.key" for env in ("dev", "prod")}
        for env, key in keys.items():
            self.do(("secrets.keygen", "-e", env, "--to", str(key)), ledger=False)
        both = "".join(key.read_text() for key in (keys["prod"], keys["dev"]))
        (self._folder / "identity").write_text(both)
        for env in keys:
            self.do(("secrets.set", "API_KEY", "-e", env), ledger=False, stdin=VALUE)
        for ledger in (False, True):
            self._keep((), ledger=ledger)

    def _keep(self, before: tuple[Words, ...], *, ledger: bool) -> None:
        kept = self._folder / f"kept{len(self._kept)}"
        shutil.copytree(self.here, kept, symlinks=True)
        self._kept[before, ledger] = kept
