"""``inv release``: a build plus an environment, sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.new_release import chosen, gathered, new_release, promoted
from stagekit.cli.task import ENV, JSON, PLAN, stage_task

_UNNAMED = ("id", "created")
"""What only a release that is made has."""

if TYPE_CHECKING:
    from stagekit.inputs.environment import Environment
    from stagekit.pipeline.release import Asked, Plan
    from stagekit.records import Build, Release, Stored


@stage_task(
    name="new",
    default=True,
    help={
        "env": ENV,
        "build": "a build's id; by default the newest that succeeded of the source at hand",
        "set": "KEY=VALUE, beats every layer of configuration; may be given several times",
        "message": "why, for the record",
        "refresh-images": "ask registries again what third-party images are",
        "force": "make a release also where nothing changed since the last one",
        "confirm": "the environment's name once more, where it wants a confirmation",
        "plan": PLAN,
        "json": JSON,
    },
    short={"env": "e", "message": "m"},
    iterable=["set"],
    values={"set": "setting"},
)
def new(
    app: App,
    *,
    env: str = "",
    build: str = "",
    set: Sequence[str] | None = None,
    message: str = "",
    refresh_images: bool = False,
    force: bool = False,
    confirm: str = "",
    plan: bool = False,
    json: bool = False,
) -> Stored[Release] | None:
    """Join a build with one environment's configuration, and seal the result.

    Writes artifacts/releases/<env>/<id>/, which `inv run` reads: compose.yaml with every image
    pinned and every variable filled in. Nothing is built and nothing is started. Where nothing
    changed since the environment's last release, none is made.
    """
    from stagekit.pipeline.release import Asked

    app.console.for_machine |= json
    environment = app.environment(env, set or ())
    return _release(
        app,
        environment,
        chosen(app, build, may_build=environment.policy.auto_build and not plan),
        Asked(
            actor=app.actor,
            ci=app.ci,
            message=message or None,
            confirmed=confirm or None,
            refresh_images=refresh_images,
        ),
        force=force,
        plan=plan,
        json=json,
    )


@stage_task(
    name="promote",
    help={
        "from": "the environment whose release goes on",
        "to": "the environment it goes to",
        "release": "one of --from's releases; by default the one that was run last",
        "set": "KEY=VALUE, beats every layer of --to's configuration; several times",
        "message": "why, for the record",
        "force": "promote also what never ran well, and where nothing changed",
        "confirm": "--to once more, where it wants a confirmation",
        "plan": PLAN,
        "json": JSON,
    },
    short={"message": "m"},
    iterable=["set"],
    values={"from": "environment", "to": "environment", "set": "setting"},
)
def promote(
    app: App,
    *,
    from_: str = "",
    to: str = "",
    release: str = "",
    set: Sequence[str] | None = None,
    message: str = "",
    force: bool = False,
    confirm: str = "",
    plan: bool = False,
    json: bool = False,
) -> Stored[Release] | None:
    """Release to one environment what ran well in another.

    The same build, by digest, and the same third-party images; the configuration is --to's.
    """
    build, asked = promoted(
        app,
        from_,
        to,
        release or None,
        message=message or None,
        confirmed=confirm or None,
        force=force,
    )
    return _release(
        app,
        app.environment(to, set or ()),
        build,
        asked,
        force=force,
        plan=plan,
        json=json,
    )


def _release(
    app: App,
    environment: Environment,
    build: Stored[Build],
    asked: Asked,
    *,
    force: bool,
    plan: bool,
    json: bool,
) -> Stored[Release] | None:
    if plan:
        from msgspec.structs import replace

        from stagekit.pipeline.release import decide

        facts = gathered(app, environment, build, asked)
        decided = decide(replace(facts, confirmed=environment.name))
        _show_plan(app, replace(decided, unchanged=None) if force else decided, json)
        return None
    stored = new_release(app, environment, build, asked, force=force)
    _show(app, stored, json)
    return stored


def _show_plan(app: App, plan: Plan, json: bool) -> None:
    """Say what the release would be against the last one, or whole where it is the first."""
    from msgspec import to_builtins

    from stagekit.cli.difference import show_difference
    from stagekit.envelope import plain
    from stagekit.pipeline.compare import Side, compare
    from stagekit.pipeline.sides import commits

    planned = Side(name="the plan", release=plan.release, files=plan.files)
    difference = (
        compare(
            plan.previous,
            planned,
            commits(app.root, app.ledger, plan.previous.release, plan.release, app.console.emit),
        )
        if plan.previous
        else None
    )
    if json:
        changes = to_builtins(difference) if difference else None
        release = {**plain(plan.release), "unchanged": plan.unchanged, "changes": changes}
        app.console.data({name: value for name, value in release.items() if name not in _UNNAMED})
    elif difference:
        show_difference(app.console, difference)
        if not plan.unchanged and not difference.differs:
            app.console.note("one that says the same would be made")
    else:
        app.console.note(f"the first release to {plan.release.env}")
        app.console.result(plan.files["compose.yaml"].decode().rstrip())


def _show(app: App, stored: Stored[Release], json: bool) -> None:
    from stagekit.envelope import plain

    release = stored.record
    if json:
        app.console.data(plain(release))
        return
    app.console.result(f"release {release.name}  from build {release.build.id}")
    for service, pin in sorted(release.pins.items()):
        app.console.result(f"  {service}  {pin.pinned}")
    sealed = app.where_recorded(f"releases/{release.name}/")
    app.console.next(f"inv run --env {release.env}", f"sealed: {sealed}")
