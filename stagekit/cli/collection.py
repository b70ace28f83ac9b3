"""From a repository's tasks.py to what ``inv`` can do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from invoke.collection import Collection
from invoke.tasks import Task

from stagekit.cli import build, builds, doctor, engine, release, run, up
from stagekit.cli.app import App
from stagekit.cli.task import StageTask

_TOP = (up.up, doctor.doctor)
_GROUPS = {
    "build": (build.new, build.why, builds.list_, builds.show, builds.log),
    "release": (release.new, release.list_, release.show),
    "run": (run.new, run.status, run.rollback, run.stop),
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
        own_tasks: plain Invoke tasks, or shipped-style ones.
        plugins: modules or objects with functions under ``@stagekit.hookimpl``.
        root: the project's folder; by default that of the calling tasks.py.

    Raises:
        ValueError: an own task has a shipped one's name; names both.
    """
    if root is None:
        root = Path(sys._getframe(1).f_globals["__file__"]).resolve().parent
    app = App(root, plugins)
    namespace = Collection()
    for task in _TOP:
        namespace.add_task(task.bound(app))
    for name, tasks in _GROUPS.items():
        group = Collection(name)
        for task in tasks:
            group.add_task(task.bound(app))
        namespace.add_collection(group)
    for own in own_tasks:
        for name in map(namespace.transform, (own.name, *own.aliases)):
            if name in namespace.tasks or name in namespace.collections:
                raise ValueError(
                    f"task {name!r} of {own.__module__} has the name of one of stagekit's own, "
                    "or of another: rename yours"
                )
        namespace.add_task(own.bound(app) if isinstance(own, StageTask) else own)
    return namespace
