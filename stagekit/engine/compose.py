"""Docker Compose: called with an environment made for it, a time limit and a memory limit.

Compose reads ``.env`` and the environment of its process; neither must reach a release. Its loader
can be made to loop and to take all memory, so every call is bounded (Go needs 2 GiB of addresses).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine import commands
from stagekit.engine.documents import Document, as_files, judged, passable, refuse_unset
from stagekit.engine.programs import find_plugin
from stagekit.errors import EngineError, InputError, LimitExceeded, ReleaseFailed
from stagekit.process import Result

OLDEST = (2, 26)
"""The oldest version that is accepted."""

_READS_MODES = (2, 40)
_QUOTED_MODE = re.compile(r"""\bmode['"]?\s*:\s*["']0?[0-7]+["']""")

CONFIG_LIMIT = 20.0
"""Seconds: a thousand services take one or two, on a busy machine some more."""

_MEMORY = 4 * 2**30
_ANYWHERE = Path("/")
"""Where Compose runs: all its paths are given, and the folder of whoever called may be gone."""

_OWN = {"COMPOSE_DISABLE_ENV_FILE": "1", "COMPOSE_MENU": "0", "COMPOSE_EXPERIMENTAL": "0"}
# Left out, Compose would set it to this machine's folder.
_NOWHERE = {"PWD": ""}  # nosec B105  # the working folder, no password


class Compose:
    """The Compose program of this machine.

    Args:
        program: its path.
        environment: under which it reaches the engine; nothing else of the process's passes.
    """

    def __init__(self, program: Path, environment: Mapping[str, str]) -> None:
        self.program = program
        self.environment = {**environment, **_OWN}

    @cached_property
    def version(self) -> str:
        """Its version, e.g. ``5.6.1``.

        Raises:
            EngineError: too old, or no Compose.
        """
        result = self.run(commands.compose_version(self.program), limit=20.0, cancel=Cancel())
        version = result.stdout.strip().removeprefix("v")
        if not result.ok or not _at_least(version, OLDEST):
            raise EngineError(
                f"needs Docker Compose {OLDEST[0]}.{OLDEST[1]} or newer, found {version or 'none'}",
                where=str(self.program),
                hint="pip install 'stagekit[compose]'",
            )
        return version

    def config(
        self,
        documents: Sequence[Document],
        *,
        name: str,
        folder: Path,
        variables: Mapping[str, str],
        profiles: Sequence[str] = (),
        cancel: Cancel,
        warn: Callable[[str], None],
        unset: Callable[[str, str], None] = refuse_unset,
    ) -> str:
        """Have Compose validate, merge and normalise documents; return its model as JSON.

        Args:
            documents: Compose files, each merged over the one before it.
            name: the Compose project's name.
            folder: what relative paths start from, whichever file they stand in.
            variables: all that ``${NAME}`` may find.
            profiles: those whose services count.
            cancel: stops it.
            warn: told what Compose warns of.
            unset: told of each variable that has no value, and of the documents' paths.

        Raises:
            ReleaseFailed: Compose refuses it, in its own words, or does not come to an end.
            InputError: a file that it takes in asks for a variable without a value.
        """
        where = ", ".join(document.where for document in documents)
        for document in documents:
            if _QUOTED_MODE.search(document.text) and not _at_least(self.version, _READS_MODES):
                raise InputError(
                    f"Compose {self.version} takes a quoted mode for decimal digits",
                    where=document.where,
                    hint="write it without quotes: mode: 0440",
                )
        with as_files(documents) as (files, stdin):
            argv = commands.compose_config(
                self.program, name=name, folder=folder, files=files, profiles=profiles
            )
            try:
                result = self.run(
                    argv,
                    limit=CONFIG_LIMIT,
                    cancel=cancel,
                    stdin=stdin,
                    # No HOME, no PATH, no DOCKER_HOST: `${HOME:-/x}` must not find this machine's.
                    env={**_NOWHERE, **passable(variables, documents), **_OWN},
                    cwd=folder,  # where Compose before 2.40 looks for an env_file
                )
            except LimitExceeded as error:
                raise ReleaseFailed(
                    f"Compose does not come to an end with it: {error.what}",
                    where=where,
                    hint="look for anchors, extends or includes that lead back to themselves",
                ) from error
        names = dict(zip(map(str, files), documents, strict=True))
        return judged(result, where, names, warn=warn, unset=unset)

    def run(
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
        binary: bool = False,
    ) -> Result:
        """Run the program, bounded as all its calls are.

        Args:
            argv: the program and its arguments.
            limit: seconds it may take.
            cancel: stops it.
            env: its environment; by default the one under which it reaches the engine.
            stdin: what it reads.
            on_line: told each line that it prints to stderr.
            mask: what is hidden in all that is printed.
            cwd: where it runs; by default where nothing of this machine's is.
            binary: return its output as bytes.

        Raises:
            LimitExceeded: it took longer, or more memory than any document needs.
        """
        return process.run(
            argv,
            env=self.environment if env is None else env,
            limit=limit,
            cancel=cancel,
            stdin=stdin,
            memory=_MEMORY,
            on_line=on_line,
            mask=mask,
            cwd=cwd or _ANYWHERE,
            binary=binary,
        )


def _at_least(version: str, oldest: tuple[int, int]) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and tuple(map(int, numbers.groups())) >= oldest


def find_compose(environ: Mapping[str, str], environment: Mapping[str, str]) -> Compose:
    """Return this machine's Compose.

    Raises:
        EngineError: there is none.
    """
    program = find_plugin("docker-compose", environ)
    if program is None:
        raise EngineError("Docker Compose is not installed", hint="pip install 'stagekit[compose]'")
    return Compose(program, environment)
