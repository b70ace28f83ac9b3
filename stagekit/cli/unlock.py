"""``inv run.unlock``: frees an environment by hand."""

from __future__ import annotations

from stagekit.cli.app import App
from stagekit.cli.engines import engines_of
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
    from stagekit.records import compose_project

    app.check_environment(env)
    name = compose_project(app.project.name, env)
    with engines_of(app, env) as engines:
        held = [(engine, found) for engine in engines if (found := engine.lock_holder(name))]
        if not held:
            if json:
                app.console.data(None)
            else:
                app.console.result(f"nobody holds {env}")
            return
        for engine, (holder, seconds) in held:
            where = f" on {engine.url}" if len(engines) > 1 else ""
            app.console.note(
                f"{env} is held{where} by {holder}; for {seconds:.0f} s more unless it is renewed"
            )
        if (confirm or app.console.ask(f"type {env} to free it all the same: ")) != env:
            raise InputError(
                f"{env} stays locked", where="--confirm", hint=f"--confirm {env} frees it"
            )
        freed = [engine.break_lock(name) for engine, _ in held]
    broken = next(filter(None, freed), None)
    if json:
        app.console.data(plain(broken) if broken else None)
    else:
        app.console.result(f"{env} is free; it was held by {broken or 'nobody any more'}")
