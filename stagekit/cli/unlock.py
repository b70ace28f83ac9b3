"""``inv run.unlock``: frees an environment by hand."""

from __future__ import annotations

from stagekit.cli.app import App
from stagekit.cli.task import ENV, JSON, stage_task


@stage_task(
    name="unlock",
    help={
        "env": ENV,
        "confirm": "the environment's name once more, where nobody can be asked",
        "json": JSON,
    },
    short={"env": "e"},
)
def unlock(app: App, *, env: str = "", confirm: str = "", json: bool = False) -> None:
    """Free an environment whose lock another run holds; that run stops before its next step.

    A lock frees itself soon after the process that holds it ended: this is for one that hangs.
    """
    from stagekit.envelope import plain
    from stagekit.errors import InputError
    from stagekit.pipeline.history import runner_of
    from stagekit.records import compose_project

    app.check_environment(env)
    name = compose_project(app.project.name, env)
    engine = app.runner(runner_of(app.ledger, env, app.console.emit)).engine_for(app.engine)
    held = engine.lock_holder(name)
    if held is None:
        if json:
            app.console.data(None)
        else:
            app.console.result(f"nobody holds {env}")
        return
    holder, seconds = held
    app.console.note(f"{env} is held by {holder}; for {seconds:.0f} s more unless it is renewed")
    if (confirm or app.console.ask(f"type {env} to free it all the same: ")) != env:
        raise InputError(f"{env} stays locked", where="--confirm", hint=f"--confirm {env} frees it")
    broken = engine.break_lock(name)
    if json:
        app.console.data(plain(broken) if broken else None)
    else:
        app.console.result(f"{env} is free; it was held by {broken or 'nobody any more'}")
