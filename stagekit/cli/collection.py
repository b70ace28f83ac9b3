"""From a repository's tasks.py to what ``inv`` can do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from invoke.collection import Collection
from invoke.tasks import Task

from stagekit.cli import (
    build,
    builds,
    compare,
    completion,
    doctor,
    engine,
    explain,
    history,
    init,
    keeping,
    release,
    releases,
    run,
    secrets,
    services,
    status,
    unlock,
    up,
    why,
)
from stagekit.cli import (
    plugins as plugin_tasks,
)
from stagekit.cli.app import App
from stagekit.cli.own import OwnTask
from stagekit.cli.task import StageTask
from stagekit.errors import StagekitError

_TOP = (init.init, up.up, doctor.doctor, plugin_tasks.plugins, why.why, completion.completion)
_GROUPS = {
    "build": (build.new, build.why, builds.list_, builds.show, builds.log),
    "release": (
        *(release.new, release.promote, explain.explain),
        *(releases.list_, releases.show, releases.diff, releases.notes),
        *(keeping.verify, keeping.cancel, keeping.prune),
    ),
    "run": (
        *(run.new, status.status, run.rollback, run.scale, run.stop, unlock.unlock),
        *(services.logs, services.exec_, services.once, services.restart),
        *(history.history, history.show, compare.compare, compare.comparisons),
    ),
    "secrets": (secrets.keygen, secrets.set_, secrets.edit, secrets.list_, secrets.rotate),
    "engine": (engine.start, engine.stop, engine.status),
}


def collection(
    *own_tasks: Task,  # type: ignore[type-arg]
    plugins: Iterable[object] = (),
    root: Path | None = None,
) -> Collection:
    """Return the tasks of a repository: stagekit's, and its own next to them.

    Assign it to ``ns`` in tasks.py. It never fails on the project's settings: each task reports
    those itself.

    Args:
        own_tasks: plain Invoke tasks, those of `stagekit.task`, or shipped-style ones.
        plugins: modules or objects with functions under ``@stagekit.hookimpl``.
        root: the project's folder; by default that of the calling tasks.py.

    Raises:
        ValueError: an own task has a shipped one's name; names both.
    """
    if root is None:
        root = Path(sys._getframe(1).f_globals["__file__"]).resolve().parent
    app = App(root, plugins)
    app.namespace = namespace = Collection()
    for task in _TOP:
        namespace.add_task(task.bound(app))
    for name, tasks in _GROUPS.items():
        group = Collection(name)
        for task in tasks:
            group.add_task(task.bound(app))
        namespace.add_collection(group)
    for own in (*own_tasks, *_added(plugins, app)):
        for name in map(namespace.transform, (own.name, *own.aliases)):
            if name in namespace.tasks or name in namespace.collections:
                raise ValueError(
                    f"task {name!r} of {own.__module__} has the name of one of stagekit's own, "
                    "or of another: rename yours"
                )
        namespace.add_task(own.bound(app) if isinstance(own, StageTask | OwnTask) else own)
    return namespace


def _added(plugins: Iterable[object], app: App) -> Iterator[Task]:  # type: ignore[type-arg]
    """Yield the tasks that plugins add. One that fails adds none, and says so: all others are to
    be had all the same."""
    from stagekit.plugins import found

    if os.environ.get("STAGEKIT_NO_PLUGINS"):
        return
    every = [*found.installed(found.TASKS_GROUP), *found.given(plugins)]
    disabled = _disabled(app) if every else ()
    for item in every:
        if item.name in disabled:
            continue
        try:
            plugin = item.load()
            adds = getattr(plugin, "stagekit_tasks", None)
            yield from adds() if adds else ()
        except Exception as error:
            text = error if isinstance(error, StagekitError) else f"plugin {item.name}: {error!r}"
            app.console.warn(f"no tasks of it: {text}")


def _disabled(app: App) -> tuple[str, ...]:
    try:
        return app.project.plugins.disable
    except StagekitError:  # each task says what is wrong with the settings
        return ()
