"""The docker command, for what the API has no word for: stacks, and what people look at."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked, LogsAsked
from stagekit.engine.programs import docker_config
from stagekit.errors import EngineError
from stagekit.process import Result

_OLDEST = (20, 10)
_DETACHES = (26, 0)
_MEMORY = 4 * 2**30
_LIMIT = 60.0
_ANYWHERE = Path("/")
_CREDENTIALS = ("auths", "credHelpers", "credsStore")

Argv = tuple[str, ...]


class DockerProgram:
    """The docker command of this machine.

    Args:
        path: where it is.
        environment: under which it reaches the manager; nothing else of the process's passes.
    """

    def __init__(self, path: str, environment: Mapping[str, str]) -> None:
        self._path = path
        self.environment = dict(environment)

    def deploy(
        self, stack: str, document: object, *, given: Mapping[str, str], cancel: Cancel
    ) -> Result:
        """Hand a stack file to the manager, on stdin. It is not waited for: whoever calls looks at
        the tasks anyway. Services that are not in it stay.

        Args:
            stack: the stack's name.
            document: the stack file.
            given: what it leaves open, by variable; masked in what is printed.
            cancel: stops it.

        Raises:
            LimitExceeded: it took too long.
        """
        argv = stack_deploy(
            self._path,
            stack,
            detach=self._version >= _DETACHES,
            credentials=has_credentials(self.environment),
        )
        return process.run(
            argv,
            env={**given, **self.environment},
            limit=_LIMIT,
            cancel=cancel,
            stdin=json.dumps(document).encode(),
            memory=_MEMORY,
            mask=tuple(given.values()),
            cwd=_ANYWHERE,
        )

    def remove(self, stack: str, *, cancel: Cancel) -> Result:
        """Remove a stack's services, networks, configs and secrets. Volumes stay."""
        return process.run(
            (self._path, "stack", "rm", stack),
            env=self.environment,
            limit=_LIMIT,
            cancel=cancel,
            cwd=_ANYWHERE,
        )

    def logs(self, services: Sequence[str], asked: LogsAsked) -> Argv:
        """Return how to print what services printed, side by side where there are several."""
        argv = service_logs(self._path, asked)
        if len(services) == 1:
            return (*argv, *services)
        return (sys.executable, "-m", "stagekit.engine.swarm.beside", *argv, "--", *services)

    def execute(self, container: str, asked: CommandAsked) -> Argv:
        """Return how to run a command in a container of the engine."""
        return container_exec(self._path, container, asked)

    @cached_property
    def _version(self) -> tuple[int, int]:
        result = process.run(
            (self._path, "--version"), env=self.environment, limit=_LIMIT, cancel=Cancel()
        )
        found = re.search(r"(\d+)\.(\d+)", result.stdout)
        version = (int(found[1]), int(found[2])) if found else (0, 0)
        if version < _OLDEST:
            raise EngineError(
                f"needs the docker command 20.10 or newer, found {result.stdout.strip() or 'none'}",
                where=self._path,
                hint="https://docs.docker.com/engine/install/",
            )
        return version


def find_docker(environ: Mapping[str, str], environment: Mapping[str, str]) -> DockerProgram:
    """Return this machine's docker command.

    Raises:
        EngineError: there is none.
    """
    path = shutil.which("docker", path=environ.get("PATH"))
    if path is None:
        raise EngineError(
            "the docker command is not installed, and a stack is deployed by it",
            hint="apt-get install docker-cli, or https://docs.docker.com/engine/install/",
        )
    return DockerProgram(path, environment)


def stack_deploy(program: str, stack: str, *, detach: bool, credentials: bool) -> Argv:
    """Images are named by their digests: nothing is left to be looked up."""
    return (
        *(program, "stack", "deploy", "--compose-file", "-", "--resolve-image", "never"),
        *(("--detach=true",) if detach else ()),
        *(("--with-registry-auth",) if credentials else ()),
        stack,
    )


def service_logs(program: str, asked: LogsAsked) -> Argv:
    return (
        *(program, "service", "logs", "--no-task-ids"),
        *(("--follow",) if asked.follow else ()),
        *(("--timestamps",) if asked.timestamps else ()),
        *(("--tail", str(asked.tail)) if asked.tail is not None else ()),
        *(("--since", asked.since) if asked.since else ()),
    )


def container_exec(program: str, container: str, asked: CommandAsked) -> Argv:
    return (
        *(program, "exec", "--interactive"),
        *(("--tty",) if asked.terminal else ()),
        *(("--user", asked.user) if asked.user else ()),
        *(("--workdir", asked.workdir) if asked.workdir else ()),
        container,
        *asked.command,
    )


def has_credentials(environ: Mapping[str, str]) -> bool:
    """Tell whether the docker command knows any credentials, which nodes then get to pull with."""
    try:
        known = json.loads((docker_config(environ) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(known, dict) and any(known.get(key) for key in _CREDENTIALS)
