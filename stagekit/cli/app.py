"""Puts together what a task needs, each part on first use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from stagekit.cli.console import Console
from stagekit.process import Cancel

if TYPE_CHECKING:
    from stagekit.engine.docker import DockerEngine
    from stagekit.inputs.project import Project
    from stagekit.ledger.files import FileLedger
    from stagekit.plugins.manager import Plugins
    from stagekit.protocols import Runner
    from stagekit.records import CI


class App:
    """One repository's stagekit. Shipped tasks get it as their first argument.

    Args:
        root: the folder of tasks.py.
        plugins: the repository's own, on top of what ships.
    """

    def __init__(self, root: Path, plugins: Iterable[object] = ()) -> None:
        self.root = root
        self._own_plugins = tuple(plugins)
        self.console = Console()
        self.cancel = Cancel()

    @cached_property
    def plugins(self) -> Plugins:
        from stagekit.builtin.shipped import shipped
        from stagekit.plugins.manager import Plugins

        return Plugins((*shipped(), *self._own_plugins))

    @cached_property
    def project(self) -> Project:
        from stagekit.inputs.project import load_project

        return load_project(self.root, os.environ)

    @cached_property
    def ledger(self) -> FileLedger:
        from stagekit.ledger.files import FileLedger

        ledger = FileLedger(self.project.artifacts)
        for id in ledger.close_interrupted_builds():
            self.console.warn(f"build {id} was interrupted: its process ended before it did")
        return ledger

    @cached_property
    def engine(self) -> DockerEngine:
        from stagekit.engine.discovery import find_engine

        return find_engine(os.environ)

    @cached_property
    def ci(self) -> CI | None:
        return self.plugins.ci(os.environ)

    @cached_property
    def actor(self) -> str:
        """Who does this, as far as the machine knows: ``user@host``."""
        import getpass
        import socket

        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in many containers
            user = str(os.getuid())
        return f"{user}@{socket.gethostname()}"

    def forget(self) -> None:
        """Look for the engine again: what runs on this machine has changed."""
        self.__dict__.pop("engine", None)

    def runner(self, kind: str) -> Runner:
        """Return the runner of that name on the engine."""
        return self.plugins.runner(kind, self.engine, os.environ)

    def check_environment(self, env: str) -> None:
        """Raise InputError unless ``env`` is one of the project's environments."""
        from stagekit.inputs.environment import check_environment

        check_environment(self.project, env)

    @contextmanager
    def cancelling(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into the cancel token; a second one ends at once."""
        previous = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
        for name in previous:
            signal.signal(name, self._interrupt)
        try:
            yield
        finally:
            for name, handler in previous.items():
                signal.signal(name, handler)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.cancel.requested:
            raise KeyboardInterrupt
        self.cancel.request()
        self.console.note("stopping; once more ends at once")
