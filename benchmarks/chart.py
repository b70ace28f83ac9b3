"""A report as a chart: SVG, written by hand, which browsers and screen readers can both read.

Each bar is a peer's time over stagekit's, on a scale on which ten times as long and a tenth are as
far from one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

from benchmarks.report import Contest, Report, Row
from benchmarks.table import amount, taking

Palette = Mapping[str, str]

LIGHT: Palette = {
    "back": "#ffffff",
    "text": "#1b1f24",
    "faint": "#57606a",
    "grid": "#d0d7de",
    "behind": "#0b7285",
    "ahead": "#c2410c",
}
DARK: Palette = {
    "back": "#14181d",
    "text": "#e6edf3",
    "faint": "#9aa4af",
    "grid": "#3a424b",
    "behind": "#4fb3c4",
    "ahead": "#ff9b66",
}
"""``behind`` takes longer than stagekit, ``ahead`` less: the side of the bar says it too."""

_WIDTH, _LEFT, _RIGHT, _AMOUNT = 900, 330, 190, 100
_TITLE, _ROW, _GAP, _TOP, _BOTTOM = 22, 20, 12, 74, 30
_BAR = 12


class Scale:
    """Where a ratio lies, from left to right: whole powers of ten around all of them."""

    def __init__(self, ratios: Sequence[float]) -> None:
        logs = [log10(ratio) for ratio in ratios] or [0.0]
        self.low = min(-1, floor(min(logs)))
        self.high = max(1, ceil(max(logs)))

    def x(self, ratio: float) -> float:
        """Return the place of a ratio, in the chart's units."""
        part = (log10(ratio) - self.low) / (self.high - self.low)
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)

    @property
    def marks(self) -> list[float]:
        """The ratios that get a line."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def chart(report: Report) -> str:
    """Return the chart of all that was compared, as an SVG document."""
    shown = [(contest, compared(contest)) for contest in report.contests]
    shown = [(contest, rows) for contest, rows in shown if rows]
    scale = Scale([times(row) for _, rows in shown for row in rows])
    drawn, y = [], float(_TOP)
    for contest, rows in shown:
        drawn.append(_text(8, y + 14, contest.title.replace("`", ""), "title"))
        y += _TITLE
        for row in rows:
            drawn += _bar(contest, row, y, scale)
            y += _ROW
        y += _GAP
    height = round(y + _BOTTOM)
    return "\n".join(
        [
            _opening(height),
            '<title id="title">What others take, as a multiple of what stagekit takes</title>',
            f'<desc id="desc">{escape(described(shown))}</desc>',
            _style(),
            f'<rect width="{_WIDTH}" height="{height}" class="back"/>',
            *_legend(report),
            *_grid(scale, y),
            *drawn,
            "</svg>",
            "",
        ]
    )


def compared(contest: Contest) -> list[Row]:
    """Return the rows of a measure that have a bar."""
    return [row for row in contest.rows if row.ratio]


def times(row: Row) -> float:
    """Return what the other takes over what stagekit takes."""
    assert row.ratio
    return 1 / row.ratio.median


def described(shown: Sequence[tuple[Contest, Sequence[Row]]]) -> str:
    """Return in words what the bars show."""
    told = []
    for contest, rows in shown:
        others = ", ".join(f"{row.who} {times(row):.2f} times" for row in rows)
        told.append(f"{contest.title}: {others}.")
    return " ".join(told)


def _opening(height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'role="img" aria-labelledby="title desc">'
    )


def _bar(contest: Contest, row: Row, y: float, scale: Scale) -> list[str]:
    assert row.spread
    assert row.ratio
    one, end = scale.x(1), scale.x(times(row))
    kind = "behind" if times(row) >= 1 else "ahead"
    left, width = min(one, end), max(abs(end - one), 1.0)
    low, high = scale.x(1 / row.ratio.high), scale.x(1 / row.ratio.low)
    middle = y + _BAR / 2
    bar = f'<rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BAR}" class="{kind}">'
    told = f"{row.who}: stagekit takes {taking(row.ratio)}"
    return [
        _text(_LEFT - 10, y + 10, row.who, "who"),
        f"{bar}<title>{escape(told)}</title></rect>",
        f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}" class="spread"/>',
        _text(_WIDTH - _RIGHT + 16, y + 10, f"{times(row):.2f} ×", "value"),
        _text(_WIDTH - _AMOUNT, y + 10, amount(row.spread.median, contest.unit), "value"),
    ]


def _grid(scale: Scale, end: float) -> list[str]:
    made = []
    for mark in scale.marks:
        x, kind = scale.x(mark), "one" if mark == 1 else "grid"
        made.append(f'<path d="M{x:.1f} {_TOP - 8}V{end:.1f}" class="{kind}"/>')
        made.append(_text(x, _TOP - 14, f"{mark:g} ×", "mark"))
    return made


def _legend(report: Report) -> list[str]:
    machine = report.machine
    about = f"{report.begun:%Y-%m-%d}, {machine.cores} cores, {machine.cpu}"
    return [
        _text(8, 20, "What others take, as a multiple of what stagekit takes", "title"),
        _text(8, 38, f"right of 1 ×: longer than stagekit; left of it: less. {about}", "note"),
    ]


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


def _style() -> str:
    shapes = (
        "text{font:13px system-ui,sans-serif}.title{font-weight:600}"
        ".who{text-anchor:end}.mark{text-anchor:middle;font-size:11px}.note{font-size:12px}"
        ".value{font-variant-numeric:tabular-nums}"
        ".grid,.one,.spread{fill:none;stroke-width:1}.one{stroke-width:1.5}"
    )
    dark = f"@media(prefers-color-scheme:dark){{{_colours(DARK)}}}"
    return f"<style>{shapes}{_colours(LIGHT)}{dark}</style>"


def _colours(palette: Palette) -> str:
    return (
        f".back{{fill:{palette['back']}}}.title,.who,.value{{fill:{palette['text']}}}"
        f".note,.mark{{fill:{palette['faint']}}}.grid{{stroke:{palette['grid']}}}"
        f".one,.spread{{stroke:{palette['text']}}}"
        f".behind{{fill:{palette['behind']}}}.ahead{{fill:{palette['ahead']}}}"
    )
