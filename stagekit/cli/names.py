"""Tasks by their names, as they are typed after ``inv``."""

from __future__ import annotations

from collections.abc import Iterator

from invoke.collection import Collection
from invoke.tasks import Task

from stagekit.cli.app import App
from stagekit.cli.task import StageTask
from stagekit.errors import InputError


def name_of(app: App, task: Task) -> str:  # type: ignore[type-arg]
    """Return the name by which a task is called: with its collections, where it is in some."""
    namespace = app.namespace or Collection()
    for name in namespace.task_names:
        if namespace[name] == task:
            return str(name)
    return str(namespace.transform(task.name))


def find_task(app: App, name: str, where: str) -> Task:  # type: ignore[type-arg]
    """Return the task of a name or an alias.

    Raises:
        InputError: there is none; says which there are.
    """
    namespace = app.namespace or Collection()
    try:
        found: Task = namespace[name]  # type: ignore[type-arg]
    except (KeyError, ValueError) as error:
        from stagekit.inputs.near import known_names

        raise InputError(
            f"there is no task {name!r}",
            where=where,
            hint=known_names(name, _own_names(namespace)),
        ) from error
    return found


def _own_names(namespace: Collection) -> Iterator[str]:
    for name, aliases in namespace.task_names.items():
        if not isinstance(namespace[name], StageTask):
            yield from (name, *aliases)
