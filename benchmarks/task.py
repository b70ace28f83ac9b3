"""``inv bench``: how long things take, beside what people use today."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.task import INSTALL, JSON, stage_task
from stagekit.errors import StagekitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measure import Measure
    from benchmarks.report import Report


class NotMeasured(StagekitError):
    """stagekit itself failed in something that was to be measured."""


@stage_task(
    name="bench",
    numbers=("rounds",),
    help={
        "only": "measures or groups of them, for example startup,release",
        "rounds": "of each measure, after one that does not count (default: each one's own)",
        "quick": "two rounds of each, which is too few to quote",
        "json": JSON,
        "svg": "write a chart to this file",
        "list": "say what there is to measure, and stop",
        "again": "show what an earlier --json has found; with --only, measure that again",
        "install_engine": INSTALL,
    },
)
def bench(
    app: App,
    *,
    only: str = "",
    rounds: int | None = None,
    quick: bool = False,
    json: bool = False,
    svg: str = "",
    list: bool = False,
    again: str = "",
    install_engine: bool = False,
) -> None:
    """Measure stagekit beside the script, Compose, bake, ansible and bare task runners.

    In turn, with projects of its own in a folder that is removed, on an engine that answers or on
    a private one. What is not installed is a row that says so.
    """
    from benchmarks.harness import Pace, report
    from benchmarks.measure import chosen
    from benchmarks.measures import MEASURES
    from benchmarks.place import place
    from benchmarks.report import joined, read

    app.console.for_machine = json
    if list:
        _list(app, chosen(MEASURES, only) if only else MEASURES)
        return
    before = read(Path(again)) if again else None
    if before and not only:
        found = before
    else:
        measures = chosen(MEASURES, only)
        with place(install=install_engine, emit=app.console.emit, cancel=app.cancel) as where:
            found = report(measures, where, Pace(rounds, quick))
        found = joined(before, found) if before else found
    _show(app, found, svg)
    failed = [found.name for found in found.contests if not found.measured]
    if failed:
        raise NotMeasured(f"not measured: {', '.join(failed)}")


def _show(app: App, found: Report, svg: str) -> None:
    from msgspec import to_builtins

    from benchmarks import table
    from benchmarks.chart import chart
    from stagekit import durable

    if svg:
        durable.write_file(Path(svg), chart(found).encode())
    if app.console.for_machine:
        app.console.data(to_builtins(found))
    elif sys.stdout.isatty():
        table.show(found)
    else:
        app.console.result(table.markdown(found))


def _list(app: App, measures: Sequence[Measure]) -> None:
    if app.console.for_machine:
        app.console.data(
            [
                {
                    "name": measure.name,
                    "title": measure.title,
                    "unit": measure.unit,
                    "rounds": measure.rounds,
                    "goal": measure.goal
                    and {"ratio": measure.goal.ratio, "than": measure.goal.than},
                    "asked": measure.asked,
                }
                for measure in measures
            ]
        )
        return
    app.console.table(
        ("name", "what", "goal", ""),
        [
            (
                measure.name,
                measure.title,
                f"{measure.goal.ratio:g} × {measure.goal.than}" if measure.goal else "",
                "only by name" if measure.asked else "",
            )
            for measure in measures
        ],
    )
