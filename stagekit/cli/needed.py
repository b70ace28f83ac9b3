"""Tasks that are needed before something else: by a build's images, or by other tasks."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any

from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import CommandTimedOut, Exit, Failure
from invoke.tasks import Call, Task

from stagekit.cli.app import App
from stagekit.cli.foreseen import EACH_TIME, Foreseen, foresee
from stagekit.cli.names import find_task, name_of
from stagekit.cli.own import Need, OwnTask
from stagekit.cli.task import StageTask
from stagekit.cli.voices import Grouped, Voice, speaking, spoken, voices
from stagekit.errors import BuildFailed, Cancelled, InputError, StagekitError
from stagekit.events import Emit, Noted, step
from stagekit.inputs.loaded import note_values

if TYPE_CHECKING:
    from stagekit.cancel import Cancel
    from stagekit.inputs.project import Project


@dataclass
class _Node:
    """One call of a task, and the labels of those that come before it."""

    call: Call
    before: list[str] = field(default_factory=list)

    @property
    def task(self) -> Any:
        return self.call.task


class Needed:
    """Tasks that are needed, each after those that it needs itself.

    Args:
        app: the repository's.
        wanted: where a need is written → the tasks, by name or as they are.

    Raises:
        InputError: there is no such task, it cannot be called without arguments, or tasks need
            each other in a circle.
    """

    def __init__(self, app: App, wanted: Mapping[str, Iterable[Need]]) -> None:
        from stagekit.inputs.ordering import in_order

        self._app = app
        self._nodes: dict[str, _Node] = {}
        self._wanted = {
            where: [self._add(Call(self._found(need, where)), where) for need in needs]
            for where, needs in wanted.items()
        }
        graph = {label: node.before for label, node in self._nodes.items()}
        self._order = in_order(graph, what="tasks need one another", where="needs")

    @classmethod
    def of_project(cls, app: App, project: Project) -> Needed:
        """Return what the images of a project need."""
        return cls(app, {_where(name): image.needs for name, image in project.images.items()})

    @classmethod
    def of_task(cls, app: App, task: OwnTask) -> Needed:
        """Return what a task needs, which is about to be called."""
        needed = cls(app, {"": [task]})
        own = name_of(app, task)
        del needed._nodes[own]
        needed._order = tuple(label for label in needed._order if label in needed._nodes)
        return needed

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def of_image(self, name: str) -> set[str]:
        """Return the names of all tasks that an image needs, by way of others too."""
        return self._all_before(self._wanted.get(_where(name), ()))

    def foreseen(self) -> dict[str, Foreseen]:
        """Say of each task what would become of it, in the order in which they would be done.

        Raises:
            InputError: there is nothing for a pattern of one's inputs.
        """
        found: dict[str, Foreseen] = {}
        for label in self._order:
            node = self._nodes[label]
            after = tuple(item for item in node.before if found[item].runs is not False)
            found[label] = foresee(label, node.task, after)
        return found

    def do(self, *, fail_fast: bool = False) -> None:
        """Do them, side by side where none needs another.

        Args:
            fail_fast: let one that fails stop all others, and not only those that need it.

        Raises:
            BuildFailed: one of them failed; what needs it was not done.
            Cancelled: they were stopped.
        """
        if not self._nodes:
            return
        from stagekit.pipeline.abreast import abreast, failure_of_all

        app, voice = self._app, speaking()
        emit, cancel = (voice.emit, voice.cancel) if voice else (app.console.emit, app.cancel)
        contexts = {label: self._context(label) for label in self._nodes}
        ours = current_thread() is main_thread()
        with app.cancelling() if ours else nullcontext(), voices() if ours else nullcontext():
            outcome = abreast(
                {label: node.before for label, node in self._nodes.items()},
                lambda label, emit, cancel: self._done(label, contexts[label], emit, cancel),
                jobs=app.project.jobs,
                fail_fast=fail_fast,
                emit=emit,
                cancel=cancel,
            )
        if outcome.failed:
            failed = ", ".join(outcome.failed)
            for label in self._order:
                if label not in outcome.done and label not in outcome.failed:
                    emit(Noted(f"{label}: left out, because of {failed}"))
            raise failure_of_all(outcome, len(self._nodes), "tasks")
        cancel.check()

    def _found(self, need: Need, where: str) -> Task:  # type: ignore[type-arg]
        return need if isinstance(need, Task) else find_task(self._app, need, where)

    def _add(self, call: Call, where: str) -> str:
        """Add a call, and what comes before it; return its label."""
        task = call.task
        name = name_of(self._app, task)
        given = f" {call.args} {call.kwargs}" if call.args or call.kwargs else ""
        label = f"{name}{given}"
        if label in self._nodes:
            return label
        if isinstance(task, StageTask):
            raise InputError(
                f"{name} is one of stagekit's tasks, and cannot be needed",
                where=where,
                hint="name tasks of the repository's own",
            )
        if where:
            _check_callable(call, name, where)
        node = self._nodes[label] = _Node(call)
        if isinstance(task, OwnTask):
            own = f"tasks.py, needs of task {name}"
            node.before = [self._add(Call(self._found(n, own)), own) for n in task.needs]
        if where:  # of a task that was called, Invoke itself does these
            previous = None
            for first in _calls(task.pre):
                added = self._add(first, f"pre of {name}")
                node.before.append(added)
                if previous and added not in self._all_before([previous]):  # Invoke's own order
                    self._nodes[added].before.append(previous)
                previous = added
        return label

    def _all_before(self, labels: Iterable[str]) -> set[str]:
        """Return these and all that come before them, by way of others too."""
        found: set[str] = set()
        waiting = list(labels)
        while waiting:
            label = waiting.pop()
            if label not in found:
                found.add(label)
                waiting += self._nodes[label].before
        return found

    def _context(self, label: str) -> Context:
        """Return a context of a task's own: Invoke's settings are not made for several threads."""
        called, namespace = self._app.context, self._app.namespace
        config = called.config.clone() if called else Config()
        if namespace is not None:
            known = label in namespace.task_names
            config.load_collection(namespace.configuration(label if known else None))
        config.load_shell_env()
        config.run.in_stream = False  # one terminal for several tasks
        config.runners.local = Grouped
        return Context(config)

    def _done(self, label: str, context: Context, emit: Emit, cancel: Cancel) -> None:
        voice = Voice(label, emit, cancel)
        with spoken(voice):
            try:
                self._call(self._nodes[label], label, context, voice)
            except BaseException as error:
                if cancel.requested:
                    raise Cancelled("stopped on request") from error
                if isinstance(error, StagekitError):
                    raise
                raise BuildFailed(_told(error, voice), where=f"task {label}") from error

    def _call(self, node: _Node, label: str, context: Context, voice: Voice) -> None:
        voice.cancel.check()
        given = dict(node.call.kwargs)
        if isinstance(node.task, OwnTask):
            node.task.do(
                context,
                node.call.args,
                given,
                force=bool(given.pop("force", False)),
                emit=voice.emit,
                cancel=voice.cancel,
                around=lambda: step(voice.emit, "task", label),
            )
        else:
            voice.emit(Noted(f"{label}: {EACH_TIME}"))
            note_values()
            with step(voice.emit, "task", label):
                node.task(context, *node.call.args, **given)
        for call in _calls(node.task.post):
            call.task(context, *call.args, **call.kwargs)


def _where(image: str) -> str:
    return f"pyproject.toml [tool.stagekit.images.{image}] needs"


def _calls(listed: Iterable[Any]) -> Iterator[Call]:
    """Return what stands in a task's pre= or post= as calls."""
    return (item if isinstance(item, Call) else Call(item) for item in listed)


def _check_callable(call: Call, name: str, where: str) -> None:
    parameters = list(call.task.argspec(call.task.body).parameters.values())[len(call.args) :]
    lacking = [
        item.name
        for item in parameters
        if item.default is inspect.Parameter.empty
        and item.name not in call.kwargs
        and item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
    ]
    if lacking:
        raise InputError(
            f"task {name} cannot be needed: nobody gives it {', '.join(lacking)}",
            where=where,
            hint="give its parameters defaults",
        )


def _told(error: BaseException, voice: Voice) -> str:
    """Say in a few words what stopped a task; where it is a mistake in it, its traceback is what
    it said last."""
    if isinstance(error, CommandTimedOut):
        return f"{error.result.command} took more than {error.timeout} s"
    if isinstance(error, Failure):
        ended = f"ended with {error.result.exited}" if error.reason is None else str(error.reason)
        return f"{error.result.command} {ended}"
    if isinstance(error, Exit):
        return error.message or f"it ended with {error.code}"
    if isinstance(error, SystemExit):
        return f"it ended with {error.code}"
    voice.write("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {error}"
