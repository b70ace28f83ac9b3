"""A release made: of which build, what it would be, and what plugins are told."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.gathered import Gathered
from stagekit.cli.new_build import needed_by, new_build
from stagekit.cli.told import releasing, told_after

if TYPE_CHECKING:
    from stagekit.inputs.environment import Environment
    from stagekit.inputs.fingerprint import ImageInputs
    from stagekit.pipeline.release import Asked, Facts, Plan
    from stagekit.records import Build, Release, Stored


def new_release(
    app: App, environment: Environment, build: Stored[Build], asked: Asked, *, force: bool = False
) -> Stored[Release]:
    """Join a build with an environment's configuration; where nothing changed, return the last
    release.

    Args:
        app: the repository's.
        environment: where to.
        build: what is released.
        asked: who asks for it, and how; a terminal is asked for a confirmation that is wanted.
        force: make one also where nothing changed.

    Raises:
        InputError, ReleaseFailed, RegistryError, PluginFailed, Cancelled.
    """
    from msgspec.structs import replace

    from stagekit.pipeline import release as stage

    with releasing(app, environment.name, build):
        facts = gathered(app, environment, build, asked)
        if environment.policy.wants("confirm") and not asked.confirmed and not asked.ci:
            question = f"type {environment.name} to release {build.record.id} to it: "
            facts = replace(facts, confirmed=app.console.ask(question))
        decided = stage.decide(facts)
        _check(app, decided, facts)
        made = force or not decided.unchanged
        stored = _sealed(app, environment, decided) if made else _as_it_is(app, decided)
    hook = "stagekit_released" if made else "stagekit_release_unchanged"
    told_after(app, hook, release=stored, emit=app.console.emit, environ=os.environ)
    return stored


def promoted(
    app: App,
    env: str,
    to: str,
    release: str | None,
    *,
    message: str | None,
    confirmed: str | None,
    force: bool,
) -> tuple[Stored[Build], Asked]:
    """Return the build that goes on from one environment to another, and what is asked of it.

    Args:
        app: the repository's.
        env: the environment it comes from.
        to: the environment it goes to.
        release: one of ``env``'s; by default the one that was run last.
        message: why.
        confirmed: what was typed to confirm it.
        force: take also one that never ran well.

    Raises:
        InputError, LedgerError: as `stagekit.pipeline.promotion.promotion`.
    """
    from stagekit.pipeline.promotion import promotion
    from stagekit.pipeline.release import Asked

    app.check_environment(env, option="--from")
    app.check_environment(to, option="--to")
    found = promotion(app.ledger, env, release, force=force, emit=app.console.emit)
    return found.build, Asked(
        actor=app.actor,
        ci=app.ci,
        message=message,
        confirmed=confirmed,
        promoted_from=found.release.name,
        pins=found.release.pins,
        forced=found.forced,
    )


def chosen(app: App, id: str, *, may_build: bool) -> Stored[Build]:
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
    return new_build(app)


def _inputs_now(work: Gathered) -> dict[str, ImageInputs]:
    """Return what images are made from now.

    Raises:
        NoBuild: tasks that they need would run: what is there was made from another source.
    """
    from stagekit.errors import NoBuild

    needed = needed_by(work.app, work.project)
    for item in needed.foreseen().values() if needed else ():
        if item.runs and not item.each_time:
            raise NoBuild(
                f"no build of the source at hand: {item.task} would run ({item.reason})",
                where="artifacts/builds/",
                hint="inv build",
            )
    return work.inputs


def gathered(app: App, environment: Environment, build: Stored[Build], asked: Asked) -> Facts:
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


def _check(app: App, decided: Plan, facts: Facts) -> None:
    """Ask plugins what is wrong with what would be sealed.

    Raises:
        ReleaseFailed: something is; with all that they say.
    """
    from stagekit.errors import ReleaseFailed

    document = decided.files["compose.yaml"]
    wrong = app.plugins.gathered(
        "stagekit_check_release", release=decided.release, document=document
    )
    if wrong:
        raise ReleaseFailed(
            str(wrong[0]),
            where=f"{facts.environment.name} by {decided.release.deploy.engine}",
            output=tuple(map(str, wrong[1:])),
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
