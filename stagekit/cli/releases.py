"""``inv release.list``, ``show``, ``diff``, ``notes``: reading releases back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stagekit.cli import fleet
from stagekit.cli.app import App
from stagekit.cli.show import age, damaged_row
from stagekit.cli.task import ENV, JSON, stage_task

if TYPE_CHECKING:
    from stagekit.pipeline.compare import Difference, Side
    from stagekit.records import Release, Run, Stored

RELEASE = "ENV/ID, for example dev/v1; also ENV/latest, ENV/current, ENV/previous"

_HEAD = ("RELEASE", "BUILD", "MADE", "STATE", "MESSAGE")


@stage_task(
    name="list",
    help={"env": ENV, "last": "how many, newest first (default 20)", "json": JSON},
    short={"env": "e", "last": "n"},
    numbers=["last"],
)
def list_(app: App, *, env: str = "", last: int = 20, json: bool = False) -> None:
    """List an environment's releases, newest first; * marks the one that was run last."""
    from stagekit.envelope import plain
    from stagekit.errors import StagekitError
    from stagekit.pipeline.history import last_run, warn_of_foreign

    app.check_environment(env)
    warn_of_foreign(app.ledger, env, app.console.emit)
    last_one = last_run(app.ledger, env, app.console.emit)
    rows, records = [], []
    for id in app.ledger.releases(env)[:last]:
        try:
            release = app.ledger.release(env, id).record
            cancellation = _cancellation(app, env, id)
        except StagekitError as error:
            app.console.warn(str(error))
            rows.append(damaged_row(id, len(_HEAD)))
            continue
        run = last_one.record if last_one and last_one.record.release.id == id else None
        records.append({**plain(release), "current": run is not None, **cancellation})
        rows.append(_row(release, run, cancelled=bool(cancellation)))
    if json:
        app.console.data(records)
    else:
        app.console.table(_HEAD, rows)


@stage_task(name="show", help={"name": RELEASE, "json": JSON}, values={"name": "release"})
def show(app: App, name: str, *, json: bool = False) -> None:
    """Show a release: what it was made from, its images, variables and document.

    Checks first that it is byte for byte what was sealed.
    """
    from stagekit.envelope import plain
    from stagekit.pipeline.verify import verified

    env, id = named(app, name)
    stored = verified(app.ledger, env, id).release
    cancellation = _cancellation(app, env, id)
    signed = app.ledger.signature(env, id) is not None
    if json:
        beside = {"digest": stored.digest, "signed": signed, **cancellation}
        app.console.data({**plain(stored.record), **beside})
        return
    for line in _described(stored):
        app.console.result(line)
    if signed:
        app.console.result(f"signed    inv sign {stored.record.name} --verify says by whom")
    if cancelled := cancellation.get("cancelled"):
        app.console.result(f"CANCELLED by {cancelled['actor']}: {cancelled['reason']}", "removed")
    files = app.ledger.release_files(env, id)
    for part in ("variables.toml", "compose.yaml"):
        app.console.result(f"\n--- {part}\n{files[part].decode().rstrip()}")


@stage_task(
    name="diff",
    positional=["old", "new"],
    help={
        "old": f"{RELEASE}, ENV/running for what the engine or the hosts run",
        "new": "the same; of another environment too",
        "json": JSON,
        "exit-code": "end with 1 where they differ",
    },
    values={"old": "side", "new": "side"},
)
def diff(app: App, old: str, new: str, *, json: bool = False, exit_code: bool = False) -> None:
    """Show what is different between two releases: commits, images, variables, the document.

    Variables come with the file and line that set them. Of secrets it says which are others, and
    nothing else.
    """
    from invoke.exceptions import Exit

    from stagekit.cli.difference import show_difference
    from stagekit.envelope import plain

    found = difference(app, _side(app, old), _side(app, new))
    if json:
        app.console.data({**plain(found), "differs": found.differs})
    else:
        show_difference(app.console, found)
    if exit_code and found.differs:
        raise Exit(code=1)


@stage_task(
    name="notes",
    positional=["name"],
    help={
        "name": RELEASE,
        "since": "the release to start after; by default the one before in its environment",
        "json": JSON,
    },
    values={"name": "release", "since": "release"},
)
def notes(app: App, name: str, *, since: str = "", json: bool = False) -> None:
    """Write release notes as Markdown: commits, images, and how much configuration changed."""
    from stagekit.envelope import plain
    from stagekit.inputs.source import log_between
    from stagekit.pipeline.notes import markdown, notes_of

    side = _side(app, name)
    before = _side(app, since) if since else _before(app, side)
    found = difference(app, before, side) if before else None
    commits = found.commits if found else None
    log = log_between(app.root, commits.old, commits.new) if commits else ()
    written = notes_of(side, found, log)
    more = app.plugins.gathered(
        "stagekit_release_notes", release=side.release, since=before.release if before else None
    )
    if json:
        app.console.data({**plain(written), "more": more})
        return
    app.console.result(markdown(written).rstrip())
    for part in more:
        app.console.result(f"\n{part.rstrip()}")


def _row(release: Release, run: Run | None, *, cancelled: bool) -> list[str]:
    states = ["CANCELLED"] if cancelled else []
    states += [run.outcome] if run else []
    return [
        f"{release.id}{'*' if run else ''}",
        release.build.id,
        f"{age(release.created)} by {release.actor}",
        ", ".join(states) or "-",
        release.message or "-",
    ]


def _cancellation(app: App, env: str, id: str) -> dict[str, Any]:
    from stagekit.envelope import plain

    cancelled = app.ledger.cancelled(env, id)
    return {"cancelled": plain(cancelled.record)} if cancelled else {}


def named(app: App, name: str) -> tuple[str, str]:
    """Return the environment and id of a release that a person named."""
    from stagekit.pipeline.history import parse_name

    env, id = parse_name(app.ledger, name, app.console.emit)
    app.check_environment(env)
    return env, id


def _side(app: App, name: str) -> Side:
    from stagekit.pipeline import sides
    from stagekit.pipeline.history import RUNNING

    env, id = named(app, name)
    if name == f"{env}/{RUNNING}":
        return fleet.running_side(app, env)
    return sides.released(app.ledger, env, id)


def difference(app: App, old: Side, new: Side) -> Difference:
    """Return what is different between two sides, with the commits between them."""
    from stagekit.pipeline.compare import compare
    from stagekit.pipeline.sides import commits

    return compare(
        old, new, commits(app.root, app.ledger, old.release, new.release, app.console.emit)
    )


def _before(app: App, side: Side) -> Side | None:
    """Return the release before a side's in its environment."""
    from stagekit.pipeline import sides

    ids = list(app.ledger.releases(side.release.env))
    older = ids[ids.index(side.release.id) + 1 :]
    return sides.released(app.ledger, side.release.env, older[0]) if older else None


def _described(stored: Stored[Release]) -> Iterator[str]:
    release = stored.record
    yield f"release {release.name}, made {age(release.created)} by {release.actor}"
    yield f"build   {release.build.id} ({release.build.digest})"
    yield f"content {release.content_digest}"
    yield f"record  {stored.digest}"
    for service, pin in sorted(release.pins.items()):
        asked = f"{pin.asked} → " if pin.asked != pin.pinned else ""
        yield f"image   {service}: {asked}{pin.pinned}"
    for commit in release.commits:
        yield f"commit  {commit}"
