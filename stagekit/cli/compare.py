"""``inv run.compare`` and ``run.comparisons``: two releases side by side."""

from __future__ import annotations

import re
import select
import sys
from itertools import islice
from math import inf, isinf
from string import punctuation
from textwrap import shorten
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple

from stagekit.cli.app import App
from stagekit.cli.releases import RELEASE
from stagekit.cli.show import age, damaged_row, size
from stagekit.cli.task import JSON, stage_task, words_after_dashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stagekit.pipeline.run.comparison import Plan
    from stagekit.pipeline.run.halves import Asked
    from stagekit.records import Compared, ComparedRelease, Comparison, Reply

_HEADERS = "content-type,location"
_HEAD = ("N", "OLD", "NEW", "OUTCOME", "WHEN", "TOOK", "BY", "ASKED")
_BETWEEN_PATHS = re.compile(r",(?=/)")
_POLL = 0.2
_ASKED = 40


@stage_task(
    name="compare",
    positional=["old", "new"],
    iterable=["url"],
    help={
        "old": RELEASE,
        "new": "the same; of another environment too",
        "url": "a path both are asked for, as /health; several: once more, or separated by commas",
        "headers": f"which headers of an answer count (default {_HEADERS})",
        "service": "whose port is asked, where several are published",
        "port": "which port, as in the container or as published",
        "release-command": "run each one's release command first",
        "keep": "leave both up until Ctrl-C, or for --limit seconds",
        "limit": "with --keep: seconds; needed where nobody can press Ctrl-C",
        "exit-code": "end with 1 where they differ",
        "json": JSON,
    },
    numbers=["port", "limit"],
)
def compare(
    app: App,
    old: str,
    new: str,
    *,
    url: Sequence[str] | None = None,
    headers: str = _HEADERS,
    service: str = "",
    port: int | None = None,
    release_command: bool = False,
    keep: bool = False,
    limit: int | None = None,
    exit_code: bool = False,
    json: bool = False,
) -> None:
    """Run two releases side by side, ask both the same, and show how their answers differ.

    inv run.compare OLD NEW --url /PATH, or inv run.compare OLD NEW -- COMMAND, which is run on this
    machine once for each, with STAGEKIT_COMPARE_URL, _PROJECT and _RELEASE in its environment.
    Without either it prints where both are, and how they differ on paper; on a terminal both stay
    up until Enter or Ctrl-C.

    Each runs under a project's name of its own, with networks and empty volumes of its own, on
    ports that the engine chooses; all of it is removed at the end. What cannot be had twice, such
    as a folder of the host that is written to, is refused. What a variable names outside, such as a
    database elsewhere, is the same for both. The environments are not touched, no lock is taken.
    Writes artifacts/comparisons/<n>.toml.
    """
    from invoke.exceptions import Exit

    from stagekit.cli.releases import difference, named
    from stagekit.envelope import plain
    from stagekit.pipeline import sides
    from stagekit.pipeline.run import comparison
    from stagekit.pipeline.run.halves import Asked

    app.console.for_machine = json
    asked = Asked(
        urls=tuple(_path(text) for given in url or () for text in _BETWEEN_PATHS.split(given)),
        headers=tuple(name.strip().lower() for name in headers.split(",") if name.strip()),
        command=words_after_dashes(),
        service=service,
        port=port,
        release_command=release_command,
    )
    stay = _stay(asked, keep, limit)
    pair = named(app, old), named(app, new)
    one, other = (sides.released(app.ledger, *name) for name in pair)
    found = difference(app, one, other)
    on = app.platform()
    plan = comparison.plan(*pair, asked, found, on)
    record = comparison.compare(plan, on, _Watching(app, plan, stay)).record
    differs = record.outcome == "different"
    if json:
        paper = {} if asked.anything else {"difference": plain(found)}
        app.console.data({**plain(record), "differs": differs, **paper})
    else:
        app.console.note("record: " + app.where_recorded(f"comparisons/{record.n}.toml"))
    if exit_code and differs:
        raise Exit(code=1)


@stage_task(
    name="comparisons",
    help={"last": "how many, newest first (default 20)", "json": JSON},
    short={"last": "n"},
    numbers=["last"],
)
def comparisons(app: App, *, last: int = 20, json: bool = False) -> None:
    """List the comparisons that were made, newest first: which releases, and whether they differ.

    One whose process died is recorded as interrupted.
    """
    from stagekit.envelope import plain
    from stagekit.errors import LedgerError

    for n in app.ledger.close_interrupted_comparisons():
        app.console.warn(f"comparison {n} was interrupted: its process ended before it did")
    rows, records = [], []
    for n in islice(app.ledger.comparisons(), last):
        try:
            record = app.ledger.comparison(n).record
        except LedgerError as error:
            app.console.warn(str(error))
            rows.append(damaged_row(str(n), len(_HEAD)))
            continue
        records.append(plain(record))
        rows.append(_row(record))
    if json:
        app.console.data(records)
    elif rows:
        app.console.table(_HEAD, rows)
    else:
        app.console.note("nothing was compared yet: inv run.compare ENV/ID ENV/ID")


class _Stay(NamedTuple):
    """For how many seconds both stay up once they were asked, and whether Enter ends it."""

    seconds: float
    enter: bool


class _Watching:
    """Shows a comparison while it is under way, and lets a person look (the
    `stagekit.pipeline.run.comparison.Watcher`)."""

    def __init__(self, app: App, plan: Plan, stay: _Stay) -> None:
        self._app = app
        self._plan = plan
        self._stay = stay

    def up(self, old: ComparedRelease, new: ComparedRelease) -> None:
        rows = [
            [side.name, place, address, side.project]
            for side in (old, new)
            for place, address in side.addresses.items() or [("-", "-")]
        ]
        self._app.console.table(["RELEASE", "PORT", "ADDRESS", "PROJECT"], rows)
        if not self._plan.asked.anything:
            from stagekit.cli.difference import show_difference

            show_difference(self._app.console, self._plan.difference)

    def answered(self, compared: Compared) -> None:
        from stagekit.cli.difference import toned

        console = self._app.console
        if not compared.differs:
            console.result(f"= {compared.subject}: the same, {_said(compared.old)}")
            return
        says = f"{_said(compared.old)} → {_said(compared.new)}"
        console.result(f"~ {compared.subject}: {says}", "changed")
        for line, tone in toned(compared.difference):
            console.result(line, tone)
        if compared.more:
            console.result(f"… and {compared.more} lines more")

    def hold(self) -> None:
        seconds, enter = self._stay
        if not seconds:
            return
        until = "Enter or Ctrl-C" if enter else "Ctrl-C"
        until += "" if isinf(seconds) else f", for {seconds:g} s at most"
        self._app.console.note(f"both stay up until {until}")
        deadline = monotonic() + seconds
        while monotonic() < deadline and not self._app.cancel.requested:
            if not enter:
                sleep(min(_POLL, seconds))
            elif select.select([sys.stdin], [], [], _POLL)[0]:
                sys.stdin.readline()
                return


def _stay(asked: Asked, keep: bool, limit: int | None) -> _Stay:
    """Say how long both stay up.

    Raises:
        InputError: they would for ever, with nobody there to end it.
    """
    from stagekit.errors import InputError

    terminal = sys.stdin is not None and sys.stdin.isatty()
    if limit is not None and not keep:
        raise InputError("a limit is for --keep", where="--limit", hint=f"--keep --limit {limit}")
    if keep and limit is None and not terminal:
        raise InputError(
            "nobody is there to press Ctrl-C: stdin is no terminal",
            where="--keep",
            hint="--keep --limit 600 keeps both for ten minutes",
        )
    if keep:
        return _Stay(inf if limit is None else limit, enter=False)
    return _Stay(inf if terminal and not asked.anything else 0.0, enter=True)


def _path(text: str) -> str:
    """Return a path as it is asked for.

    Raises:
        InputError: it is none.
    """
    from urllib.parse import quote

    from stagekit.errors import InputError

    path = text.strip()
    if not path.startswith("/") or any(it.isspace() or not it.isprintable() for it in path):
        raise InputError(
            f"{text!r} is no path of a page", where="--url", hint="--url /health?full=1"
        )
    return quote(path, safe=punctuation)


def _said(reply: Reply) -> str:
    return f"no answer ({reply.failure})" if reply.failure else f"{reply.code}, {size(reply.size)}"


def _row(record: Comparison) -> list[str]:
    took = (record.finished - record.created).total_seconds()
    why = f"{record.failure.step}: {record.failure.message}" if record.failure else ""
    asked = ", ".join(
        f"{'~' if it.differs else '='} {shorten(it.subject, _ASKED, placeholder='…')}"
        for it in record.compared
    )
    return [
        str(record.n),
        record.old.name,
        record.new.name,
        record.outcome,
        age(record.created),
        f"{took:.1f} s",
        record.actor,
        why or asked or "-",
    ]
