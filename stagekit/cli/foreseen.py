"""What would become of tasks, said beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from invoke.tasks import Task

from stagekit.cli.own import OwnTask
from stagekit.errors import InputError
from stagekit.inputs.differences import reasons
from stagekit.pipeline.once import UNNAMED
from stagekit.records import Part

EACH_TIME = "a plain task runs each time"


class Foreseen(Part, frozen=True):
    """What would become of a task.

    Attributes:
        task: its name.
        why: what makes it run; empty where nothing does by itself.
        after: the tasks that it needs and that may run: what it is made from is known after them.
    """

    task: str
    why: tuple[str, ...]
    after: tuple[str, ...] = ()

    @property
    def runs(self) -> bool | None:
        """Whether it would run; None where that is not known yet."""
        return True if self.why else None if self.after else False

    @property
    def each_time(self) -> bool:
        """Whether it runs whatever has changed."""
        return self.why in ((EACH_TIME,), (UNNAMED,))

    @property
    def reason(self) -> str:
        """Say it in one line."""
        waits = f"depends on what {', '.join(self.after)} will have made"
        return reasons(self.why) if self.why else waits if self.after else "nothing changed"

    @property
    def data(self) -> dict[str, object]:
        """Say it for machines."""
        return {
            "task": self.task,
            "run": self.runs,
            "why": list(self.why),
            "after": list(self.after),
        }


def foresee(name: str, task: Task, after: tuple[str, ...]) -> Foreseen:  # type: ignore[type-arg]
    """Say what would become of a task.

    Args:
        name: the task's.
        task: it.
        after: those of the tasks that it needs that may run.

    Raises:
        InputError: there is nothing for a pattern of its inputs, and no other task may make it.
    """
    if not isinstance(task, OwnTask):
        return Foreseen(name, (EACH_TIME,), after)
    try:
        return Foreseen(name, task.verdict().why, after)
    except InputError:
        if not after:
            raise
        return Foreseen(name, (), after)


def shown(foreseen: Iterable[Foreseen]) -> Iterator[str]:
    """Write what would become of tasks, as the plan of a build has it."""
    for item in foreseen:
        verb = {True: "run ", False: "skip", None: "run?"}[item.runs]
        yield f"{verb}   {item.task}  ({item.reason})"
