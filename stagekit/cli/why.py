"""``inv why``: what would make a task run."""

from __future__ import annotations

from typing import Any

from stagekit.cli.app import App
from stagekit.cli.task import JSON, StageTask, stage_task


@stage_task(name="why", positional=["task"], help={"task": "a task's name", "json": JSON})
def why(app: App, task: str, *, json: bool = False) -> None:
    """Say what would make one of the repository's own tasks run, and the tasks that it needs.

    It is asked of the task without arguments. Nothing is done. What makes images be built is what
    `inv build.why` says.
    """
    from stagekit.cli.names import find_task
    from stagekit.cli.needed import Needed
    from stagekit.errors import InputError

    found: Any = find_task(app, task, "inv why")
    if isinstance(found, StageTask):
        raise InputError(
            f"{task} is one of stagekit's tasks",
            where="inv why",
            hint="name one of the repository's own; inv build.why is about images",
        )
    foreseen = list(Needed(app, {"": [found]}).foreseen().values())
    if json:
        last = foreseen[-1]
        app.console.data({**last.data, "needs": [item.data for item in foreseen[:-1]]})
        return
    for item in foreseen:
        for reason in item.why or (item.reason,):
            app.console.result(f"{item.task}: {reason}")
