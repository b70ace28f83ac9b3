"""What a run would do to what runs now, said beforehand: as Compose decides it, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from stagekit.errors import LedgerError, RunFailed
from stagekit.inputs.merge import Tree
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run.actions import Scene, actions
from stagekit.pipeline.run.plan import Plan, release_folder
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.verify import verified
from stagekit.protocols import Ledger
from stagekit.records import ContainerPlanned, EngineFacts, Planned, Prospect, Run, RunReason


class Left(NamedTuple):
    """What a run left on an engine: the run, with the containers there, and its release's document;
    None where that is not at hand."""

    run: Run
    document: Tree | None = None


def planned(
    plan: Plan, reason: RunReason, on: Platform, engine: EngineFacts, secrets: Mapping[str, str]
) -> Planned:
    """Say what a run on one engine would do, service by service; change nothing.

    Args:
        plan: what is to be run.
        reason: why.
        on: what it would be done with.
        engine: where.
        secrets: values by name.
    """
    release = plan.release
    left = last_run(on.ledger, release.env, on.emit)
    found = prospect(plan, on, engine, secrets, left_by(left.record, on.ledger) if left else None)
    return Planned(
        env=release.env,
        project=release.project,
        release=plan.verified.release.link,
        reason=reason,
        engine=engine,
        created=datetime.now(UTC),
        actor=on.actor,
        scale=dict(plan.scale),
        pull=found.pull,
        actions=found.actions,
        seen=found.seen,
    )


def left_by(run: Run, ledger: Ledger) -> Left:
    """Return what a run left on an engine."""
    try:
        return Left(run, verified(ledger, run.env, run.release.id).document)
    except LedgerError:  # gone, or not what it was: the plan says less, and is no less true
        return Left(run)


def prospect(
    plan: Plan,
    on: Platform,
    engine: EngineFacts,
    secrets: Mapping[str, str],
    left: Left | None,
) -> Prospect:
    """Say what a run would do to one engine; change nothing.

    Args:
        plan: what is to be run there.
        on: what it would be done with.
        engine: what the engine says of itself.
        secrets: values by name.
        left: what the run before left there.
    """
    release, runner = plan.release, on.runner(plan.release.deploy.engine)
    containers = runner.observe(release.compose_project).containers
    scene = Scene(
        containers=containers,
        volumes=on.engine.volumes(release.compose_project),
        document=plan.verified.document,
        definitions=runner.definitions(
            release,
            plan.verified.text,
            release_folder(plan, on),
            secrets=secrets,
            source=on.source if release.deploy.source_mounts else None,
            cancel=on.cancel,
        ),
        wanted=plan.wanted,
        before=left.document if left else None,
        left=left.run if left else None,
    )
    return Prospect(
        engine=engine,
        pull=plan.pull,
        actions=tuple(actions(scene)),
        seen=tuple(
            ContainerPlanned(
                name=item.name, id=item.id, state=item.state, definition=item.definition
            )
            for item in sorted(containers, key=lambda item: item.name)
        ),
    )


def refuse_changed(expected: Planned, now: Planned) -> None:
    """Raise unless what would be done now is what was planned.

    Args:
        expected: the plan.
        now: one that was made just now.

    Raises:
        RunFailed: says what is another than it was.
    """
    if changed := next(_changed(expected, now), None):
        raise not_as_planned(expected, changed)


def not_as_planned(expected: Planned, changed: str) -> RunFailed:
    """Return the error of a plan that cannot be kept to: ``changed`` is another than it was."""
    return RunFailed(
        f"it is not as it was planned any more: {changed}",
        where=f"{expected.name}, planned {expected.created:%Y-%m-%d %H:%M:%S} UTC",
        hint=f"inv run --env {expected.env} --plan shows what would be done now",
    )


def _changed(expected: Planned, now: Planned) -> Iterator[str]:
    if expected.release != now.release:
        yield f"{expected.name} is another release"
    if expected.scale != now.scale:
        yield "another scale was asked for"
    yield from changed_there(expected, now)


def changed_there(expected: Prospect, now: Prospect) -> Iterator[str]:
    """Yield what is another on an engine than it was planned there."""
    if expected.engine and now.engine and expected.engine.id != now.engine.id:
        yield f"this is another engine, {now.engine.url}"
    before = {item.id: item for item in expected.seen}
    after = {item.id: item for item in now.seen}
    for id in before.keys() - after.keys():
        yield f"{before[id].name} is gone, or another one"
    for id in after.keys() - before.keys():
        yield f"{after[id].name} was not there"
    for id, item in after.items():
        if before[id] != item:
            yield f"{item.name} was {before[id].state}, and is {item.state}"
    if expected.pull != now.pull:
        yield "other images have to be pulled"
    if expected.actions != now.actions:
        yield "something else would be done"
