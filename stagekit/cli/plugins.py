"""``inv plugins``: what is asked besides what ships, and what can be answered."""

from __future__ import annotations

from stagekit.cli.app import App
from stagekit.cli.task import JSON, stage_task


@stage_task(
    name="plugins",
    help={"hooks": "list the hooks there are, with their arguments", "json": JSON},
)
def plugins(app: App, *, hooks: bool = False, json: bool = False) -> None:
    """List plugins: where each comes from, its version, and the hooks that it implements.

    They come with stagekit, from tasks.py (collection(plugins=…)), from pyproject.toml
    ([tool.stagekit] plugins) and from installed packages (entry points). plugins.disable there
    names those that are not to be asked; STAGEKIT_NO_PLUGINS=1 asks none but what ships.
    """
    if hooks:
        _show_hooks(app, json)
        return
    listed = [
        {
            "name": item.found.name,
            "origin": item.found.origin,
            "version": item.found.version,
            "hooks": list(item.hooks),
        }
        for item in app.plugins.listed()
    ]
    if json:
        app.console.data(listed)
        return
    app.console.table(
        ["PLUGIN", "FROM", "VERSION", "HOOKS"],
        [
            [
                str(item["name"]),
                str(item["origin"]),
                str(item["version"]),
                ", ".join(name.removeprefix("stagekit_") for name in item["hooks"]),
            ]
            for item in listed
        ],
    )


def _show_hooks(app: App, json: bool) -> None:
    from inspect import cleandoc, signature

    from stagekit.plugins import spec

    listed = {
        name: {
            "signature": str(signature(hook)).replace("self, ", "").replace("self", ""),
            "help": cleandoc(hook.__doc__ or ""),
        }
        for name, hook in vars(spec.Hooks).items()
        if name.startswith("stagekit_")
    }
    if json:
        app.console.data({"version": spec.VERSION, "hooks": listed})
        return
    app.console.result(f"hooks, version {spec.VERSION}", "title")
    for name, about in listed.items():
        app.console.result(f"{name}{about['signature']}")
        for line in about["help"].splitlines():
            app.console.result(f"    {line}".rstrip())
