"""``inv release``: a build plus an environment, sealed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.show import age, damaged_row
from stagekit.cli.task import ENV, JSON, PLAN, stage_task

if TYPE_CHECKING:
    from stagekit.records import Release, Stored


@stage_task(
    name="new",
    default=True,
    help={
        "env": ENV,
        "build": "a build's id; by default the newest",
        "set": "KEY=VALUE, beats every layer of configuration; may be given several times",
        "message": "why, for the record",
        "plan": PLAN,
        "json": JSON,
    },
    short={"env": "e", "message": "m"},
    iterable=["set"],
)
def new(
    app: App,
    *,
    env: str = "",
    build: str = "",
    set: Sequence[str] | None = None,
    message: str = "",
    plan: bool = False,
    json: bool = False,
) -> Stored[Release] | None:
    """Join a build with one environment's configuration, and seal the result.

    Writes artifacts/releases/<env>/v<n>/, which `inv run` reads: compose.yaml with every image
    pinned and every variable filled in. Nothing is built and nothing is started.
    """
    from stagekit.engine.compose import find_compose
    from stagekit.envelope import plain
    from stagekit.stages import release as stage

    app.check_environment(env)
    stage.find_build(app.ledger, build or None)
    facts = stage.gather(
        app.project,
        env,
        ledger=app.ledger,
        engine=app.engine,
        compose=find_compose(os.environ, app.engine.environment()),
        actor=app.actor,
        build_id=build or None,
        given=set or (),
        ci=app.ci,
        message=message or None,
        emit=app.console.emit,
        cancel=app.cancel,
    )
    decided = stage.decide(facts)
    if plan:
        if json:
            app.console.data({**plain(decided.release), "same_as": decided.same_as})
        else:
            app.console.result(decided.files["compose.yaml"].decode().rstrip())
        return None
    stored = stage.apply(decided, ledger=app.ledger, emit=app.console.emit)
    _show(app, stored, json)
    return stored


@stage_task(
    name="list",
    help={
        "env": ENV,
        "last": "how many, newest first (default 20)",
        "json": JSON,
    },
    short={"env": "e", "last": "n"},
    numbers=["last"],
)
def list_(app: App, *, env: str = "", last: int = 20, json: bool = False) -> None:
    """List an environment's releases, newest first; * marks the one that was run last."""
    from stagekit.envelope import plain
    from stagekit.errors import StagekitError
    from stagekit.stages.history import last_run

    app.check_environment(env)
    current = last_run(app.ledger, env, app.console.emit)
    rows, records = [], []
    for id in app.ledger.releases(env)[:last]:
        try:
            release = app.ledger.release(env, id).record
        except StagekitError as error:
            app.console.warn(str(error))
            rows.append(damaged_row(id, 4))
            continue
        records.append(plain(release))
        mark = "*" if current and current.record.release.id == id else ""
        made = f"{age(release.created)} by {release.actor}"
        rows.append([f"{id}{mark}", release.build.id, made, release.message or "-"])
    if json:
        app.console.data(records)
    else:
        app.console.table(["RELEASE", "BUILD", "MADE", "MESSAGE"], rows)


@stage_task(
    name="show",
    help={
        "name": "ENV/ID, for example dev/v1; also ENV/latest, ENV/current, ENV/previous",
        "json": JSON,
    },
)
def show(app: App, name: str, *, json: bool = False) -> None:
    """Show a release: what it was made from, its images, variables and document.

    Checks first that it is byte for byte what was sealed.
    """
    from stagekit.envelope import plain
    from stagekit.stages.history import parse_name
    from stagekit.stages.verify import verified

    env, id = parse_name(app.ledger, name, app.console.emit)
    app.check_environment(env)
    stored = verified(app.ledger, env, id).release
    if json:
        app.console.data({**plain(stored.record), "digest": stored.digest})
        return
    release, files = stored.record, app.ledger.release_files(env, id)
    app.console.result(f"release {release.name}, made {age(release.created)} by {release.actor}")
    app.console.result(f"build   {release.build.id} ({release.build.digest})")
    app.console.result(f"content {release.content_digest}")
    app.console.result(f"record  {stored.digest}")
    for service, pin in sorted(release.pins.items()):
        asked = f"{pin.asked} → " if pin.asked != pin.pinned else ""
        app.console.result(f"image   {service}: {asked}{pin.pinned}")
    for commit in release.commits:
        app.console.result(f"commit  {commit}")
    for part in ("variables.toml", "compose.yaml"):
        app.console.result(f"\n--- {part}\n{files[part].decode().rstrip()}")


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
