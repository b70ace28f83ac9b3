"""``inv release``: a build plus an environment, sealed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stagekit.cli import build as build_tasks
from stagekit.cli.app import App
from stagekit.cli.gathered import Gathered
from stagekit.cli.task import ENV, JSON, PLAN, stage_task
from stagekit.cli.told import releasing, told_after

_UNNAMED = ("id", "created")
"""What only a release that is made has."""

if TYPE_CHECKING:
    from stagekit.inputs.environment import Environment
    from stagekit.inputs.fingerprint import ImageInputs
    from stagekit.pipeline.release import Asked, Facts, Plan
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
        _chosen(app, build, may_build=environment.policy.auto_build and not plan),
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
    from stagekit.pipeline.promotion import promotion
    from stagekit.pipeline.release import Asked

    app.check_environment(from_, option="--from")
    app.check_environment(to, option="--to")
    promoted = promotion(app.ledger, from_, release or None, force=force, emit=app.console.emit)
    return _release(
        app,
        app.environment(to, set or ()),
        promoted.build,
        Asked(
            actor=app.actor,
            ci=app.ci,
            message=message or None,
            confirmed=confirm or None,
            promoted_from=promoted.release.name,
            pins=promoted.release.pins,
            forced=promoted.forced,
        ),
        force=force,
        plan=plan,
        json=json,
    )


def _chosen(app: App, id: str, *, may_build: bool) -> Stored[Build]:
    """Return the build to release; make it where there is none and the environment says so."""
    from stagekit.errors import NoBuild
    from stagekit.pipeline.choice import build_of_source, named_build

    if id:
        return named_build(app.ledger, id)
    work = Gathered(app, pull=False)
    try:
        return build_of_source(
            work.project,
            app.ledger,
            source=work.source,
            inputs=lambda: _inputs_now(work),
            emit=app.console.emit,
        )
    except NoBuild as error:
        if not may_build:
            raise
        app.console.note(f"{error.what}: building (auto_build)")
    built: Stored[Build] = build_tasks.new.body(app)
    return built


def _inputs_now(work: Gathered) -> dict[str, ImageInputs]:
    """Return what images are made from now.

    Raises:
        NoBuild: tasks that they need would run: what is there was made from another source.
    """
    from stagekit.errors import NoBuild

    needed = build_tasks.needed_by(work.app, work.project)
    for item in needed.foreseen().values() if needed else ():
        if item.runs and not item.each_time:
            raise NoBuild(
                f"no build of the source at hand: {item.task} would run ({item.reason})",
                where="artifacts/builds/",
                hint="inv build",
            )
    return work.inputs


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
    from msgspec.structs import replace

    from stagekit.pipeline import release as stage

    if plan:
        facts = _gathered(app, environment, build, asked)
        _show_plan(app, stage.decide(replace(facts, confirmed=environment.name)), json)
        return None
    with releasing(app, environment.name, build):
        facts = _gathered(app, environment, build, asked)
        if environment.policy.wants("confirm") and not asked.confirmed and not asked.ci:
            question = f"type {environment.name} to release {build.record.id} to it: "
            facts = replace(facts, confirmed=app.console.ask(question))
        decided = stage.decide(facts)
        made = force or not decided.unchanged
        stored = _sealed(app, environment, decided) if made else _as_it_is(app, decided)
    if made:
        told_after(app, "stagekit_released", release=stored, environ=os.environ)
    _show(app, stored, json)
    return stored


def _gathered(app: App, environment: Environment, build: Stored[Build], asked: Asked) -> Facts:
    from stagekit.engine.compose import find_compose
    from stagekit.pipeline import release as stage

    return stage.gather(
        app.project,
        environment,
        build,
        asked,
        ledger=app.ledger,
        engine=app.engine,
        compose=find_compose(os.environ, app.engine.environment()),
        providers=app.secret_provider,
        emit=app.console.emit,
        cancel=app.cancel,
    )


def _sealed(app: App, environment: Environment, decided: Plan) -> Stored[Release]:
    from stagekit.pipeline import release as stage

    return stage.apply(
        decided,
        ids=lambda taken: app.plugins.release_ids(
            environment.policy.id, ci=app.ci, now=datetime.now(UTC), taken=taken
        ),
        ledger=app.ledger,
        emit=app.console.emit,
    )


def _as_it_is(app: App, decided: Plan) -> Stored[Release]:
    assert decided.unchanged
    app.console.note(f"nothing changed since {decided.unchanged}: no release is made (--force)")
    env, _, id = decided.unchanged.partition("/")
    return app.ledger.release(env, id)


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
            commits(app.root, app.ledger, plan.previous.release, plan.release),
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
    app.console.note(
        f"next: inv run --env {release.env}   (sealed: artifacts/releases/{release.name}/)"
    )
