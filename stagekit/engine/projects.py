"""Compose projects: sealed documents brought up, acted on and taken down, by Docker Compose."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

from stagekit.cancel import Cancel
from stagekit.engine import commands
from stagekit.engine.compose import CONFIG_LIMIT, Compose
from stagekit.errors import RunFailed
from stagekit.process import Result
from stagekit.records import Part

_DOWN_LIMIT = 180.0
_REPLACING = 120.0


class Given(Part, frozen=True):
    """What a sealed document leaves open, which reaches Compose by its environment alone.

    Attributes:
        secrets: values by the variable's name, masked in all that is printed.
        variables: others, as they are.
    """

    secrets: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}


class Projects:
    """The Compose projects of one engine.

    Args:
        compose: the program, which reaches the engine.
    """

    def __init__(self, compose: Compose) -> None:
        self._compose = compose

    def up(
        self,
        document: bytes,
        *,
        name: str,
        folder: PurePath,
        timeout: float,
        scale: Mapping[str, int],
        given: Given,
        on_line: Callable[[str], None],
        cancel: Cancel,
    ) -> Result:
        """Bring up a sealed document.

        Args:
            document: its bytes.
            name: the Compose project's name.
            folder: where its relative paths start from, on the engine's host.
            timeout: seconds that may pass until what others depend on is healthy.
            scale: numbers of containers other than the document's, by service.
            given: what the document leaves open.
            on_line: told each line that Compose prints.
            cancel: stops it.

        Raises:
            LimitExceeded: it took longer.
        """
        return self._with(
            document,
            commands.compose_up(self._compose.program, name=name, folder=folder, scale=scale),
            # Stopping what is replaced may take its own grace on top.
            limit=timeout + _REPLACING,
            given=given,
            on_line=on_line,
            cancel=cancel,
        )

    def once(
        self,
        document: bytes,
        *,
        name: str,
        folder: PurePath,
        service: str,
        command: Sequence[str],
        dependencies: bool,
        label: str,
        limit: float,
        given: Given,
        on_line: Callable[[str], None],
        cancel: Cancel,
    ) -> Result:
        """Run a command in a container of its own, removed after it.

        Args:
            document: a sealed one.
            name: as in `up`, as the others are.
            folder: see above.
            service: whose container it is like.
            command: its words.
            dependencies: start what the service depends on first.
            label: set on the container, ``key=value``.
            limit: seconds it may take.
            given: what the document leaves open.
            on_line: told each line that it prints to stderr.
            cancel: stops it.

        Raises:
            LimitExceeded: it took longer.
        """
        argv = commands.compose_run(
            self._compose.program,
            name=name,
            folder=folder,
            service=service,
            command=command,
            dependencies=dependencies,
            label=label,
        )
        return self._with(document, argv, limit=limit, given=given, on_line=on_line, cancel=cancel)

    def definitions(
        self, document: bytes, *, name: str, folder: PurePath, given: Given, cancel: Cancel
    ) -> dict[str, str]:
        """Return the digest of each service's definition, which Compose writes on its containers
        and by which it tells whether another container has to take their place.

        Args:
            document: a sealed one.
            name: as in `up`, as the others are.
            folder: see above.
            given: what the document leaves open.
            cancel: stops it.

        Raises:
            RunFailed: Compose refuses the document.
            LimitExceeded: it does not come to an end.
        """
        argv = commands.compose_definitions(self._compose.program, name=name, folder=folder)
        env = {**given.variables, **given.secrets, **self._compose.environment}
        result = self._compose.run(
            argv,
            limit=CONFIG_LIMIT,
            cancel=cancel,
            stdin=document,
            env=env,
            mask=tuple(given.secrets.values()),
            binary=True,  # as they are: a short secret could be part of a digest
        )
        if not result.ok:
            raise RunFailed("Compose refuses the document", where=name, output=result.tail())
        pairs = (line.split() for line in result.data.decode("utf-8", "replace").splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}  # noqa: PLR2004

    def down(self, *, name: str, on_line: Callable[[str], None], cancel: Cancel) -> Result:
        """Remove a project's containers and networks; its volumes stay."""
        with tempfile.TemporaryDirectory(prefix="stagekit-") as empty:
            argv = commands.compose_down(self._compose.program, name=name, folder=Path(empty))
            return self._compose.run(
                argv, limit=_DOWN_LIMIT, cancel=cancel, on_line=on_line, cwd=Path(empty)
            )

    def restart(
        self,
        *,
        name: str,
        services: Sequence[str],
        on_line: Callable[[str], None],
        cancel: Cancel,
    ) -> Result:
        """Restart a project's containers as they are, all or those of ``services``."""
        with tempfile.TemporaryDirectory(prefix="stagekit-") as empty:
            folder = Path(empty)
            argv = commands.compose_restart(
                self._compose.program, name=name, folder=folder, services=services
            )
            return self._compose.run(
                argv, limit=_DOWN_LIMIT, cancel=cancel, on_line=on_line, cwd=folder
            )

    def _with(
        self,
        document: bytes,
        argv: Sequence[str],
        *,
        limit: float,
        given: Given,
        on_line: Callable[[str], None],
        cancel: Cancel,
    ) -> Result:
        return self._compose.run(
            argv,
            limit=limit,
            cancel=cancel,
            stdin=document,
            env={**given.variables, **given.secrets, **self._compose.environment},
            on_line=on_line,
            mask=tuple(given.secrets.values()),
        )
