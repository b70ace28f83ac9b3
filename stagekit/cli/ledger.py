"""``inv ledger.status``, ``import``, ``export`` and ``verify``: the ledger that is shared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.show import age
from stagekit.cli.task import JSON, stage_task

if TYPE_CHECKING:
    from stagekit.ledger.git.ledger import GitLedger
    from stagekit.ledger.git.moving import Moved
    from stagekit.ledger.git.state import State

_SETTING = "pyproject.toml [tool.stagekit.ledger] url"


@stage_task(name="status", help={"json": JSON})
def status(app: App, *, json: bool = False) -> None:
    """Show where records are kept, whether that answers, and what waits here to be sent.

    Sends what waits. Exit code 7 if the shared ledger does not answer, refuses what waits, or its
    history was rewritten.
    """
    from invoke.exceptions import Exit

    from stagekit.envelope import plain
    from stagekit.errors import LedgerError
    from stagekit.ledger.git.state import state_of

    if app.shared_ledger is None:
        where = app.project.relative(app.project.artifacts)
        if json:
            app.console.data({"url": None, "folder": where})
        else:
            app.console.result(f"files in {where}/: {_SETTING} shares them")
        return
    state = state_of(_shared(app))
    if json:
        app.console.data(plain(state))
    else:
        _show(app, state)
    if state.problem:
        raise Exit(code=LedgerError.exit_code)


@stage_task(
    name="import",
    help={"from": "a folder of records (default artifacts/)", "json": JSON},
    values={"from": "folder"},
)
def import_(app: App, *, from_: str = "", json: bool = False) -> None:
    """Move the records of a folder into the shared ledger, each checked before, file by file.

    What the shared ledger has already is passed over. The folder stays as it is, and is not read
    any more. Exit code 2 if no records are there.
    """
    from stagekit.ledger.files import FileLedger
    from stagekit.ledger.git.moving import move_in

    files = FileLedger(Path(from_).absolute()) if from_ else app.file_ledger
    moved = move_in(files, _shared(app))
    _say(app, moved, f"{files.root} → {app.project.ledger.url}", json)


@stage_task(
    name="export",
    help={"to": "a folder (default artifacts/)", "json": JSON},
    values={"to": "folder"},
)
def export(app: App, *, to: str = "", json: bool = False) -> None:
    """Write every record of the shared ledger to a folder, as files.

    Its history is fetched whole, and checked from the first entry on. Without ledger.url, stagekit
    goes on from there.
    """
    from stagekit.ledger.git.moving import move_out

    folder = Path(to).absolute() if to else app.project.artifacts
    moved = move_out(_shared(app), folder)
    _say(app, moved, f"{app.project.ledger.url} → {folder}", json)


@stage_task(name="verify", help={"json": JSON})
def verify(app: App, *, json: bool = False) -> None:
    """Check the history of the shared ledger from its first entry on.

    Each has to name the one before, and the index to list what they add, all of which is there.
    Fetches it whole. Exit code 7 if it does not hold.
    """
    ledger = _shared(app)
    entries = ledger.exchange.shared.check_history()
    if json:
        app.console.data({"url": app.project.ledger.url, "entries": entries})
    else:
        chain = "each names the one before it; what they add is listed and there"
        app.console.result(f"entries: {entries}, {chain}")


def _shared(app: App) -> GitLedger:
    from stagekit.errors import InputError
    from stagekit.ledger.git.ledger import GitLedger

    ledger = app.shared_ledger
    if isinstance(ledger, GitLedger):
        return ledger
    if ledger is None:
        raise InputError(
            "records are files here: no shared ledger is set",
            where=_SETTING,
            hint='url = "git+ssh://git@host/team/ledger.git#branch", or STAGEKIT_LEDGER=…',
        )
    raise InputError(
        f"{app.project.ledger.url} is the ledger of a plugin, which looks after it", where=_SETTING
    )


def _show(app: App, state: State) -> None:
    app.console.result(f"{state.url}#{state.branch}", "title")
    for label, value in (
        ("answers", "yes" if state.answers else f"no: {state.problem}"),
        ("heard of", age(state.contacted) if state.contacted else "never"),
        ("entries", f"{state.entries}, the newest is commit {state.commit[:12]}")
        if state.commit
        else ("entries", "none"),
        ("kept here", _kept(state)),
        ("copy", state.folder),
    ):
        app.console.result(f"  {label}: {value}")


def _kept(state: State) -> str:
    kept = ", ".join(state.kept) or "nothing"
    return f"{kept}; {state.problem}" if state.answers and state.problem else kept


def _say(app: App, moved: Moved, way: str, json: bool) -> None:
    if json:
        app.console.data(dict(moved))
        return
    records = ", ".join(
        f"{count} {kind if count != 1 else kind.removesuffix('s')}" for kind, count in moved.items()
    )
    app.console.result(f"{way}: {records or 'all of it was there'}")
