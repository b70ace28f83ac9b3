"""From a repository's tasks.py to what ``inv`` can do."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from invoke.collection import Collection
from invoke.tasks import Task

from stagekit.cli import (
    build,
    builds,
    bundle,
    compare,
    completion,
    doctor,
    engine,
    explain,
    history,
    init,
    keeping,
    ledger,
    logs,
    release,
    releases,
    run,
    sbom,
    secrets,
    services,
    sign,
    status,
    unlock,
    up,
    why,
)
from stagekit.cli import (
    plugins as plugin_tasks,
)
from stagekit.cli.app import App, remember
from stagekit.cli.own import OwnTask
from stagekit.cli.task import StageTask
from stagekit.cli.uncaught import show_uncaught
from stagekit.errors import NameClash, StagekitError
from stagekit.inputs.loaded import keep_below

_TOP = (
    *(init.init, up.up, doctor.doctor, plugin_tasks.plugins),
    *(why.why, sbom.sbom, sign.sign, completion.completion),
)
_GROUPS = {
    "build": (build.new, build.why, builds.list_, builds.show, builds.log),
    "release": (
        *(release.new, release.promote, explain.explain),
        *(releases.list_, releases.show, releases.diff, releases.notes),
        *(keeping.verify, keeping.cancel, keeping.prune, bundle.export),
    ),
    "run": (
        *(run.new, status.status, run.rollback, run.scale, run.stop, unlock.unlock),
        *(logs.logs, services.exec_, services.once, services.restart),
        *(history.history, history.show, compare.compare, compare.comparisons),
    ),
    "secrets": (secrets.keygen, secrets.set_, secrets.edit, secrets.list_, secrets.rotate),
    "ledger": (ledger.status, ledger.import_, ledger.export, ledger.verify),
    "engine": (engine.start, engine.stop, engine.status),
}


def collection(
    *own_tasks: Task,  # type: ignore[type-arg]
    plugins: Iterable[object] = (),
    override: Mapping[str, Task] | None = None,  # type: ignore[type-arg]
    root: Path | None = None,
) -> Collection:
    """Return the tasks of a repository: stagekit's, and its own next to them.

    Assign it to ``ns`` in tasks.py. It never fails on the project's settings: each task reports
    those itself.

    Args:
        own_tasks: plain Invoke tasks, those of `stagekit.task`, or shipped-style ones.
        plugins: modules or objects with functions under ``@stagekit.hookimpl``.
        override: the name of a shipped task, such as ``build`` or ``run.stop``, → the task that
            takes its place, whatever its own name is.
        root: the project's folder; by default that of the calling tasks.py.

    Raises:
        NameClash: an own task has the name of another, both are named; or there is nothing to
            override by a name.
    """
    loaded_from = root
    if root is None:
        loaded_from = Path(sys._getframe(1).f_globals["__file__"]).parent
        root = loaded_from.resolve()
    show_uncaught()
    app = App(root, plugins)
    remember(app)
    app.namespace = namespace = _shipped(app, override or {})
    every = (*own_tasks, *_added(plugins, app))
    for own in every:
        for name in map(namespace.transform, (own.name, *own.aliases)):
            if name in namespace.tasks or name in namespace.collections:
                raise _clash(name, own, namespace)
        namespace.add_task(_bound(own, app))
    if any(isinstance(task, OwnTask) for task in (*every, *(override or {}).values())):
        keep_below(root.resolve(), (loaded_from or root).absolute())
    return namespace


def _shipped(app: App, override: Mapping[str, Task]) -> Collection:  # type: ignore[type-arg]
    namespace = Collection()
    for task in _TOP:
        namespace.add_task(task.bound(app))
    for name, tasks in _GROUPS.items():
        group = Collection(name)
        for task in tasks:
            group.add_task(task.bound(app))
        namespace.add_collection(group)
    for name, own in override.items():
        try:
            shipped = namespace[name]
        except (KeyError, ValueError) as error:
            from stagekit.inputs.near import known_names

            names = (name for task, all in namespace.task_names.items() for name in (task, *all))
            raise NameClash(
                f"nothing that ships is called {name!r}",
                where="override",
                hint=known_names(name, names),
            ) from error
        group = namespace.collections.get(name.partition(".")[0], namespace)
        group.tasks[group.transform(shipped.name)] = _bound(own, app)
    return namespace


def _bound(task: Task, app: App) -> Task:  # type: ignore[type-arg]
    return task.bound(app) if isinstance(task, StageTask | OwnTask) else task


def _clash(name: str, own: Task, namespace: Collection) -> NameClash:  # type: ignore[type-arg]
    other = namespace.tasks.get(name)
    if other is None or other.__module__.startswith("stagekit."):
        there, hint = "one of stagekit's own", f"rename it, or override={{{name!r}: …}}"
    else:
        there, hint = f"the one {_place(other)}", "rename one of them"
    return NameClash(
        f"task {name!r} of {own.__module__} has the name of {there}", where=_place(own), hint=hint
    )


def _place(task: Task) -> str:  # type: ignore[type-arg]
    code = getattr(inspect.unwrap(task.body), "__code__", None)
    return f"{os.path.relpath(code.co_filename)}:{code.co_firstlineno}" if code else task.__module__


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
