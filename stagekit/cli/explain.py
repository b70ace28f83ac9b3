"""``inv release.explain``: where each value came from, and where it goes."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.task import ENV, JSON, stage_task

if TYPE_CHECKING:
    from stagekit.pipeline.explain import Explained


@stage_task(
    name="explain",
    help={
        "env": ENV,
        "key": "one variable, or all of a table: web.port, web",
        "set": "KEY=VALUE, as inv release takes it; may be given several times",
        "json": JSON,
    },
    short={"env": "e", "key": "k"},
    iterable=["set"],
    values={"key": "variable", "set": "setting"},
)
def explain(
    app: App,
    *,
    env: str = "",
    key: str = "",
    set: Sequence[str] | None = None,
    json: bool = False,
) -> None:
    """Say of each variable what it is, which layer set it, over what, and which template uses it.

    Reads environments/, STAGEKIT_VAR_* and --set as `inv release` would, and makes nothing.
    """
    from msgspec import to_builtins

    from stagekit.pipeline.explain import explain as explained
    from stagekit.pipeline.explain import found_uses

    environment = app.environment(env, set or ())
    variables = explained(environment, found_uses(app.project, environment), key or None)
    if json:
        app.console.data(to_builtins(variables))
        return
    for variable in variables:
        _show(app, variable)


def _show(app: App, variable: Explained) -> None:
    app.console.result(f"{variable.name} = {_written(variable.value)}")
    layer = "" if variable.layer == variable.origin else f"{variable.layer}  "
    app.console.result(f"  set   {layer}{variable.origin}")
    for before in reversed(variable.overridden):
        app.console.result(f"  over  {_written(before.value)}  {before.origin}")
    for place in variable.used:
        app.console.result(f"  used  {place}")
    if not variable.used:
        asked = f": did you mean {variable.meant}?" if variable.meant else ""
        app.console.warn(f"{variable.name} is used by no template{asked}")


def _written(value: object) -> str:
    return json_text.dumps(value, ensure_ascii=False)
