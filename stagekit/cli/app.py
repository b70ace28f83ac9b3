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
    from stagekit.records import CI, Release


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
        """The project's settings. Without a registry of its own, a trial gets the one that
        ``inv engine.start`` started."""
        from msgspec.structs import replace

        from stagekit.engine import registry
        from stagekit.engine.home import home
        from stagekit.inputs.project import load_project

        project = load_project(self.root, os.environ)
        if project.registry is None and (trial := registry.running(home(os.environ))):
            return replace(project, registry=trial.address)
        return project

    @cached_property
    def ledger(self) -> FileLedger:
        from stagekit.ledger.files import FileLedger

        return FileLedger(self.project.artifacts)

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
        """Look for engine and registry again: what runs on this machine has changed."""
        for part in ("engine", "project"):
            self.__dict__.pop(part, None)

    def runner(self, release: Release) -> Runner:
        return self.plugins.runner(release.deploy.engine, self.engine)

    def environment(self, env: str) -> str:
        """Return ``env`` if it is one of the project's. Raises InputError."""
        from stagekit.inputs.environment import check_environment

        check_environment(self.project, env)
        return env

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
