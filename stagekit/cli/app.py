"""Puts together what a task needs, each part on first use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from stagekit.cancel import Cancel

if TYPE_CHECKING:
    from invoke.collection import Collection
    from invoke.context import Context

    from stagekit.cli.console import Console
    from stagekit.engine.docker import DockerEngine
    from stagekit.inputs.environment import Environment
    from stagekit.inputs.project import Project
    from stagekit.ledger.files import FileLedger
    from stagekit.pipeline.run.platform import Platform
    from stagekit.plugins.manager import Plugins
    from stagekit.protocols import Engine, Ledger, Runner, SecretProvider
    from stagekit.records import CI


_of_collection: App | None = None

_NO_PLUGINS = "STAGEKIT_NO_PLUGINS"
"""Set, only what ships is asked."""


class App:
    """One repository's stagekit. Shipped tasks get it as their first argument.

    Args:
        root: the folder of tasks.py.
        plugins: the repository's own, on top of what ships.

    Attributes:
        namespace: the repository's tasks, once they are put together.
        context: Invoke's, of the task that was called last.
    """

    def __init__(self, root: Path, plugins: Iterable[object] = ()) -> None:
        self.root = root
        self._own_plugins = tuple(plugins)
        self.cancel = Cancel()
        self.namespace: Collection | None = None
        self.context: Context | None = None

    @cached_property
    def console(self) -> Console:
        from stagekit.cli.console import Console

        return Console()

    @cached_property
    def plugins(self) -> Plugins:
        """What ships, and what was found besides; loaded on first use.

        Raises:
            PluginFailed: one cannot be loaded.
        """
        from stagekit.builtin.shipped import asked_for, shipped
        from stagekit.plugins import found
        from stagekit.plugins.manager import Plugins
        from stagekit.version import __version__

        asked = asked_for(
            self.project, lambda: self.ledger, os.environ, self.console.note, self.cancel
        )
        all = found.shipping(shipped(asked), __version__)
        if not os.environ.get(_NO_PLUGINS):
            all += found.installed(found.TASKS_GROUP) + found.installed()
            all += found.configured(self.project.plugins.load, self.root)
            all += found.given(self._own_plugins)
        return Plugins(all, disabled=self.project.plugins.disable, warn=self.console.warn)

    @cached_property
    def project(self) -> Project:
        from stagekit.inputs.project import load_project

        return load_project(self.root, os.environ)

    @cached_property
    def ledger(self) -> Ledger:
        """Where records are: what the project's settings name, by default its files."""
        ledger = self.shared_ledger or self.file_ledger
        for id in ledger.close_interrupted_builds():
            self.console.warn(f"build {id} was interrupted: its process ended before it did")
        return ledger

    @property
    def file_ledger(self) -> FileLedger:
        """The records that lie in ``artifacts/``."""
        from stagekit.ledger.files import FileLedger

        return FileLedger(self.project.artifacts)

    @cached_property
    def shared_ledger(self) -> Ledger | None:
        """The ledger that the settings name; None where records are files.

        Raises:
            InputError: it is none.
        """
        url = self.project.ledger.url
        if not url:
            return None
        return self.plugins.ledger(
            url,
            artifacts=self.project.artifacts,
            actor=self.actor,
            emit=self.console.emit,
            environ=os.environ,
            cancel=self.cancel,
        )

    def share(self, url: str) -> None:
        """Keep records in the ledger ``url``, whatever the settings say; relative paths of it start
        at the project's folder."""
        from msgspec.structs import replace

        from stagekit.inputs.extending import LedgerSettings

        self.__dict__["project"] = replace(self.project, ledger=LedgerSettings(url=url))
        for read_already in ("ledger", "shared_ledger"):
            self.__dict__.pop(read_already, None)

    def where_recorded(self, path: str) -> str:
        """Say where a record is, given its path as the file ledger has it."""
        url = self.project.ledger.url
        return f"{path} in {url}" if url else f"artifacts/{path}"

    @cached_property
    def engine(self) -> DockerEngine:
        from stagekit.engine.discovery import find_engine

        return find_engine(os.environ)

    @property
    def engine_of_runs(self) -> Engine:
        """The engine, which knows what the pins of images mean that came in bundles."""
        return self._knowing(self.engine)

    def _knowing(self, engine: DockerEngine) -> Engine:
        from stagekit.ledger.bundles import Bundles
        from stagekit.pipeline.run.bundled import knowing

        return knowing(engine, Bundles(self.file_ledger).images())

    @cached_property
    def ci(self) -> CI | None:
        return self.plugins.ci(os.environ)

    @cached_property
    def actor(self) -> str:
        """Who does this, as far as the machine knows: ``user@host``."""
        import socket

        return f"{self.user}@{socket.gethostname()}"

    @cached_property
    def user(self) -> str:
        """The name of the user that this process is, or its number."""
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in many containers
            return str(os.getuid())

    def anew(self) -> App:
        """Return another one for the same repository, which reads everything again."""
        other = App(self.root, self._own_plugins)
        other.cancel = self.cancel
        other.namespace, other.context = self.namespace, self.context
        other.__dict__["console"] = self.console
        return other

    def close(self) -> None:
        """Clear what is shown of work under way, if anything ever was."""
        if console := self.__dict__.get("console"):
            console.close()

    def forget(self) -> None:
        """Look for the engine again: what runs on this machine has changed."""
        self.__dict__.pop("engine", None)

    def runner(self, kind: str) -> Runner:
        """Return the runner of that name on the engine."""
        return self.plugins.runner(kind, self.engine, os.environ)

    def platform(self, *, wait: float = 0.0, engine: DockerEngine | None = None) -> Platform:
        """Return what a run is done with.

        Args:
            wait: seconds to wait for an environment that another run holds.
            engine: where; by default the one that is found.
        """
        import sys
        from functools import cache

        from stagekit.pipeline.run.platform import Platform

        there = engine or self.engine
        return Platform(
            ledger=self.ledger,
            engine=self._knowing(there),
            runner=cache(lambda kind: self.plugins.runner(kind, there, os.environ)),
            providers=self.secret_provider,
            actor=self.actor,
            emit=self.console.emit,
            cancel=self.cancel,
            ci=self.ci,
            project=self._name_here,
            source=self.root,
            environ=os.environ,
            command=" ".join(["inv", *sys.argv[1:]]),
            wait=wait,
            plugins=self.plugins,
        )

    @property
    def _name_here(self) -> str:
        """The project's name, empty where there is no source that says it."""
        from stagekit.inputs.environment import environment_names

        return self.project.name if environment_names(self.project) else ""

    def secret_provider(self, name: str) -> SecretProvider:
        """Return the secret provider of that name."""
        return self.plugins.secret_provider(name, os.environ)

    def check_environment(self, env: str, *, option: str = "--env") -> None:
        """Raise InputError unless ``env`` is one of the project's environments; where there is no
        source that has any, unless something was released to it."""
        from stagekit.inputs.environment import (
            check_environment,
            check_released_to,
            environment_names,
        )

        released_to = () if environment_names(self.project) else self.ledger.environments()
        if released_to:
            check_released_to(released_to, env, option=option)
        else:
            check_environment(self.project, env, option=option)

    def environment(
        self,
        env: str,
        options: Sequence[str] = (),
        values: Mapping[str, object] | None = None,
    ) -> Environment:
        """Return an environment merged with the shell's ``STAGEKIT_VAR_*``, with ``--set``, and
        with values by dotted key."""
        from stagekit.inputs.environment import load_environment
        from stagekit.inputs.jinja import Additions

        plugins = self.plugins
        return load_environment(
            self.project,
            env,
            options=options,
            values=values or {},
            environ=os.environ,
            given_by=plugins.variables(self.root, env, os.environ),
            additions=Additions(
                filters=plugins.template_parts("filters"),
                tests=plugins.template_parts("tests"),
                globals=plugins.template_parts("globals"),
            ),
        )

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


def remember(app: App) -> None:
    """Let ``app`` be the repository that this process is about: that of its collection, and of the
    task that was called last."""
    global _of_collection  # noqa: PLW0603  # a task in plain Invoke knows nothing of it
    _of_collection = app


def repository(root: Path | None) -> App:
    """Return the repository in ``root``; by default that of the collection that was made last, else
    the one around the current folder."""
    from stagekit.cli.program import project_folder

    wanted = root.resolve() if root else None
    if _of_collection and wanted in (None, _of_collection.root.resolve()):
        return _of_collection
    return App(wanted or project_folder(Path.cwd()))
