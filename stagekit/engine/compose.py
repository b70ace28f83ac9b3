"""Docker Compose: called with an environment made for it, a time limit and a memory limit.

Compose reads ``.env`` and the environment of its process; neither must reach a release. Its loader
can be made to loop and to take all memory, so every call is bounded (Go needs 2 GiB of addresses).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from stagekit import process
from stagekit.engine import commands
from stagekit.engine.programs import find_program
from stagekit.errors import EngineError, InputError, ReleaseFailed
from stagekit.process import Cancel, Result

OLDEST = (2, 26)
"""The oldest version that is accepted."""

_CONFIG_LIMIT = 120.0
_DOWN_LIMIT = 180.0
_MEMORY = 4 * 2**30
_OWN = {"COMPOSE_DISABLE_ENV_FILE": "1", "COMPOSE_MENU": "0", "COMPOSE_EXPERIMENTAL": "0"}
_UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_WARNING = re.compile(r'level=warning msg="((?:[^"\\]|\\.)*)"')


class Compose:
    """The Compose program of this machine.

    Args:
        program: its path.
        environment: under which it reaches the engine; nothing else of the process's passes.
    """

    def __init__(self, program: Path, environment: Mapping[str, str]) -> None:
        self.program = program
        self._environment = {**environment, **_OWN}

    @cached_property
    def version(self) -> str:
        """Its version, e.g. ``5.6.1``.

        Raises:
            EngineError: too old, or no Compose.
        """
        result = self._run(commands.compose_version(self.program), limit=20.0, cancel=Cancel())
        version = result.stdout.strip().removeprefix("v")
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if not result.ok or not numbers or tuple(map(int, numbers.groups())) < OLDEST:
            raise EngineError(
                f"needs Docker Compose {OLDEST[0]}.{OLDEST[1]} or newer, found {version or 'none'}",
                where=str(self.program),
                hint="pip install 'stagekit[compose]'",
            )
        return version

    def config(
        self,
        document: str,
        *,
        name: str,
        folder: Path,
        variables: Mapping[str, str],
        where: str,
        cancel: Cancel,
        warn: Callable[[str], None],
    ) -> str:
        """Have Compose validate, merge and normalise a document; return its model as JSON.

        Args:
            document: the Compose file.
            name: the Compose project's name.
            folder: what relative paths start from.
            variables: all that ``${NAME}`` may find.
            where: the template's path, for errors.
            cancel: stops it.
            warn: told what Compose warns of.

        Raises:
            ReleaseFailed: Compose refuses it, in its own words.
            InputError: a file that it takes in asks for a variable without a value.
        """
        result = self._run(
            commands.compose_config(self.program, name=name, folder=folder),
            limit=_CONFIG_LIMIT,
            cancel=cancel,
            stdin=document.encode(),
            # No HOME, no PATH, no DOCKER_HOST: `${HOME:-/x}` must not find this machine's.
            env={**variables, **_OWN},
        )
        for message in _WARNING.findall(result.stderr):
            if unset := _UNSET.search(message):
                raise InputError(
                    f"${{{unset.group(1)}}} has no value, in a file that the template takes in",
                    where=where,
                    hint=f"set {unset.group(1)} in environments/<env>/config.toml [vars]",
                )
            warn("Compose: " + message.replace(r"\"", '"'))
        if not result.ok:
            reason = result.tail(5) or (f"it ended with {result.code}",)
            raise ReleaseFailed(
                f"Compose refuses the document: {reason[-1]}",
                where=where,
                hint="its format: https://docs.docker.com/reference/compose-file/",
                output=reason[:-1],
            )
        return result.stdout

    def up(
        self,
        document: bytes,
        *,
        name: str,
        folder: Path,
        timeout: float,
        secrets: Mapping[str, str],
        on_line: Callable[[str], None],
        cancel: Cancel,
    ) -> Result:
        """Bring up a sealed document and wait for health, at most ``timeout`` seconds.

        ``folder`` is where its relative paths would start from. ``secrets`` reach Compose by its
        environment and nothing else, masked in what it prints.
        """
        argv = commands.compose_up(
            self.program, name=name, folder=folder, timeout=max(1, round(timeout))
        )
        return self._run(
            argv,
            # Stopping what is replaced may take its own grace on top.
            limit=timeout + 120.0,
            cancel=cancel,
            stdin=document,
            env={**secrets, **self._environment},
            on_line=on_line,
            mask=tuple(secrets.values()),
        )

    def down(self, *, name: str, on_line: Callable[[str], None], cancel: Cancel) -> Result:
        """Remove a project's containers and networks; its volumes stay."""
        with tempfile.TemporaryDirectory(prefix="stagekit-") as empty:
            argv = commands.compose_down(self.program, name=name, folder=Path(empty))
            return self._run(
                argv, limit=_DOWN_LIMIT, cancel=cancel, on_line=on_line, cwd=Path(empty)
            )

    def _run(
        self,
        argv: Sequence[str],
        *,
        limit: float,
        cancel: Cancel,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        mask: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> Result:
        return process.run(
            argv,
            env=self._environment if env is None else env,
            limit=limit,
            cancel=cancel,
            stdin=stdin,
            memory=_MEMORY,
            on_line=on_line,
            mask=mask,
            cwd=cwd,
        )


def find_compose(environ: Mapping[str, str], environment: Mapping[str, str]) -> Compose:
    """Return this machine's Compose.

    Raises:
        EngineError: there is none.
    """
    program = find_program("docker-compose", environ)
    if program is None:
        raise EngineError("Docker Compose is not installed", hint="pip install 'stagekit[compose]'")
    return Compose(program, environment)
