"""A report as a table: Markdown, or rich on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.figures import above, lost, verdict
from benchmarks.report import FAILED, Contest, Report, Row, Spread, Unit

HEAD = ("what", "with", "median", "quartiles", "stagekit takes", "")

_WORDS: dict[Unit, tuple[str, str, str]] = {
    "s": ("faster", "as fast", "slower"),
    "MB": ("less", "as much", "more"),
    "objects": ("less", "as much", "more"),
}
_GIGABYTE = 1_000_000_000
_LONG = 10


def amount(value: float, unit: Unit) -> str:
    """Return a sample as people read it, with its unit."""
    if unit == "s":
        return f"{value:.1f} s" if value >= _LONG else f"{value:.2f} s"
    return f"{value:,.0f} {unit}"


def between(spread: Spread, unit: Unit) -> str:
    """Return the quartiles of a spread."""
    return f"{amount(spread.low, unit).removesuffix(f' {unit}')} – {amount(spread.high, unit)}"


def rows(contest: Contest) -> list[tuple[str, ...]]:
    """Return the table's rows of one measure. Its name stands in the first."""
    made: list[tuple[str, ...]] = []
    for number, row in enumerate(contest.rows):
        title = contest.title if number == 0 else ""
        if row.spread is None:
            made.append((title, row.who, row.absent.partition(":")[0], "", "", ""))
            continue
        made.append(
            (
                title,
                f"**{row.who}**" if row.role == "stagekit" else row.who,
                amount(row.spread.median, contest.unit),
                between(row.spread, contest.unit),
                taking(row.ratio) if row.ratio else "",
                said(contest, row),
            )
        )
    return made


def taking(ratio: Spread) -> str:
    """Return what stagekit takes of the other, and the quartiles of the pairs."""
    return f"{ratio.median:.2f} × ({ratio.low:.2f} – {ratio.high:.2f})"


def said(contest: Contest, row: Row) -> str:
    """Say who won, and whether a goal is met."""
    if row.ratio is None:
        return ""
    words = _WORDS[contest.unit][verdict(row.ratio) + 1]
    if row.role == "floor":
        words = f"floor; {words}"
    goal = contest.goal
    if goal is None or goal.than != row.who:
        return words
    met = "ABOVE THE GOAL of" if above(goal, row) else "goal"
    return f"{words}; {met} {goal.ratio:g}"


def losses(contests: Sequence[Contest]) -> list[str]:
    """Say where stagekit takes more than a peer. A floor is no peer: nothing can be below it."""
    return [
        f"{contest.title}: {taking(row.ratio)} of {row.who}"
        for contest, row in lost(contests)
        if row.role == "peer" and row.ratio
    ]


def failures(contests: Sequence[Contest]) -> list[str]:
    """Say of those that failed why."""
    return [
        f"{contest.title}: {row.who} {row.absent}"
        for contest in contests
        for row in contest.rows
        if row.absent.startswith(FAILED)
    ]


def missed(contests: Sequence[Contest]) -> list[str]:
    """Say which goals are not met."""
    return [
        f"{contest.title}: {row.ratio.median:.2f} × {row.who}, goal {contest.goal.ratio:g}"
        for contest in contests
        for row in contest.rows
        if contest.goal and row.ratio and above(contest.goal, row)
    ]


def facts(report: Report) -> list[str]:
    """Say what it was measured on, with what, and how."""
    machine = report.machine
    versions = ", ".join(
        f"{name} {version or 'not found here'}" for name, version in report.versions.items()
    )
    hardware = (
        f"{machine.cores} cores of {machine.cpu}, {machine.memory / _GIGABYTE:.0f} GB, "
        f"{machine.kernel}"
    )
    lines = [
        f"{report.begun:%Y-%m-%d}, {hardware}; load when it began: {machine.load:g}",
        versions,
        f"rounds: {_rounds(report)}, after one that does not count; {report.seconds:.0f} s in all",
    ]
    if report.quick:
        lines.append("QUICK: too few rounds to quote these figures")
    return lines


def after(report: Report) -> list[tuple[str, list[str]]]:
    """Return what is said below the table: a heading, and its lines."""
    failed = failures(report.contests)
    return [
        *([("What failed", failed)] if failed else []),
        ("Where stagekit takes more than a peer", losses(report.contests) or ["nowhere"]),
        ("Goals that are not met", missed(report.contests) or ["none"]),
    ]


def markdown(report: Report) -> str:
    """Return the report as Markdown, in columns that can be read as they are."""
    cells = [HEAD, *(row for contest in report.contests for row in rows(contest))]
    widths = [max(len(row[at]) for row in cells) for at in range(len(HEAD))]
    lines = [f"- {line}" for line in facts(report)]
    lines += ["", _line(cells[0], widths), _line(["-" * width for width in widths], widths)]
    lines += [_line(row, widths) for row in cells[1:]]
    for heading, told in after(report):
        lines += ["", f"{heading}:", "", *(f"- {line}" for line in told)]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (text.ljust(width) for text, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _rounds(report: Report) -> str:
    numbers = sorted({contest.rounds for contest in report.contests})
    if not numbers:
        return "none"
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def show(report: Report) -> None:
    """Print the report on a terminal, with rich."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    for line in facts(report):
        console.print(escape(line))
    table = Table(*HEAD, show_edge=False, pad_edge=False)
    for contest in report.contests:
        for cells, row in zip(rows(contest), contest.rows, strict=True):
            shown = [escape(cell.replace("**", "")) for cell in cells]
            table.add_row(*shown, style=_style(contest, row))
        table.add_section()
    console.print(table)
    for heading, told in after(report):
        console.print(f"\n{heading}:", style="bold")
        for line in told:
            console.print(f"  {escape(line)}")


def _style(contest: Contest, row: Row) -> str:
    if row.role == "stagekit":
        return "bold"
    if row.spread is None:
        return "dim"
    return "red" if above(contest.goal, row) else ""
