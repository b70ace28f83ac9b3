"""The only place that prints: results to stdout, narration, progress and errors to stderr."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from stagekit.cli.live import LiveSteps
from stagekit.errors import StagekitError
from stagekit.events import Done, Event, Failed, Noted, Output, Progress, Started, Warned

_LINE_EVERY = 5.0
"""Seconds between progress lines of one step where there is no terminal to redraw."""

_COLOURS = {"error": "1;31", "warning": "33", "done": "32"}

_COMMAND = re.compile(r"\binv(?= [a-z-])")

Tone = Literal["", "title", "added", "removed", "changed", "place"]
Line = tuple[str, Tone]
_TONES = {"title": "1", "added": "32", "removed": "31", "changed": "33", "place": "36"}


class Console:
    """Prints for one command. A terminal gets a live line for each step under way; a pipe or a CI
    gets a line a step. Colour only on terminals, and not under NO_COLOR.

    Attributes:
        show_output: print every line that builders and checks print, instead of live lines.
        for_machine: only `data` is a result; what people would read goes to stderr.
        leads_on: say what to type next; a task that goes on by itself does not want that said.
        program: what a person calls to run a task: ``inv`` or ``stagekit``.
    """

    def __init__(self) -> None:
        self.show_output = False
        self.for_machine = False
        self.leads_on = True
        called = Path(sys.argv[0])
        self.program = "stagekit" if "stagekit" in (called.name, called.parent.name) else "inv"
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        colour = os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
        self._colour = colour and sys.stderr.isatty()
        self._paint = colour and sys.stdout.isatty()
        self._steps = LiveSteps()
        self._last_line: dict[tuple[str, str], float] = {}
        if isinstance(sys.stdout, TextIOWrapper):  # a locale that lacks a letter is no failure
            sys.stdout.reconfigure(errors="backslashreplace")

    def emit(self, event: Event) -> None:
        """Tell of an event (the listener that stages are given)."""
        match event:
            case Started(step, subject):
                self._begin(step, subject)
            case Progress(step, subject, text):
                self._advance(step, subject, text)
            case Output(_, subject, line):
                if self.show_output:
                    self._line(f"{subject} | {line}")
            case Done(step, subject, outcome, seconds):
                self._steps.end(step, subject)
                shown = f"  {outcome}" if outcome else ""
                self._line(f"{subject}{shown}  ({seconds:.1f} s)", "done", f"{step:<7}")
            case Failed(step, subject, _, seconds):  # why is said once, at the end
                self._steps.end(step, subject)
                self._line(f"{step} {subject}  ({seconds:.1f} s)", "error", "failed ")
            case Warned(text):
                self.warn(text)
            case Noted(text):
                self.note(text)

    def result(self, text: str = "", tone: Tone = "") -> None:
        """Print a result; in the colour of its tone where a person looks at it."""
        self._steps.pause()
        shown = f"\x1b[{_TONES[tone]}m{clean(text)}\x1b[0m" if tone and self._paint else clean(text)
        print(shown, file=sys.stderr if self.for_machine else sys.stdout, flush=True)

    def data(self, value: Any) -> None:
        """Print a result for machines, as JSON."""
        self._steps.pause()
        print(_json(value, indent=2), flush=True)

    def data_line(self, value: Any) -> None:
        """Print a result for machines on a line of its own: one of several that follow each other
        (https://jsonlines.org)."""
        self._steps.pause()
        print(_json(value), flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows in aligned columns under their names."""
        for text in columns(head, rows):
            self.result(text)

    def lines(self, lines: Iterable[Line]) -> None:
        """Print results, each in the colour of its tone."""
        for text, tone in lines:
            self.result(text, tone)

    def redraw(self, lines: Iterable[Line]) -> None:
        """Print results in place of what a terminal shows; elsewhere below what was printed."""
        if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            print("\x1b[H\x1b[2J", end="")
        self.lines(lines)

    def note(self, text: str) -> None:
        """Narrate."""
        self._line(self.to_type(text))

    def next(self, command: str, about: str) -> None:
        """Narrate where something is, and what to type next unless that follows by itself."""
        self.note(f"next: {command}   ({about})" if self.leads_on else about)

    def ask(self, question: str) -> str:
        """Ask a person, and return what was typed; nothing where nobody is there to ask."""
        self._steps.pause()
        if not self.attended:
            return ""
        print(clean(question), end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    @property
    def attended(self) -> bool:
        """Whether a person is there to ask."""
        return self._terminal and sys.stdin.isatty()

    def warn(self, text: str) -> None:
        self._line(self.to_type(text), "warning", "warning:")

    def error(self, error: StagekitError) -> None:
        """Say what happened, where, the last lines that tell why, and what to type next."""
        self._steps.clear()
        for line in error.output:
            self._line(f"  | {line}")
        self._line(str(error), "error", "error:")
        if error.hint:
            self._line(f"  next: {self.to_type(error.hint)}")

    def unheard(self) -> None:
        """Send results nowhere from now on: their reader is gone."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

    def close(self) -> None:
        """Take the live lines away."""
        self._steps.clear()

    def to_type(self, text: str) -> str:
        """Name the program that was called in what can be typed next: without a tasks.py, `inv`
        would find nothing."""
        return text if self.program == "inv" else _COMMAND.sub(self.program, text)

    def _begin(self, step: str, subject: str) -> None:
        self._last_line[step, subject] = monotonic()
        if self._terminal and not self.show_output:
            self._steps.begin(step, clean(subject))

    def _advance(self, step: str, subject: str, text: str) -> None:
        if self._terminal:
            self._steps.advance(step, subject, clean(text).replace("\n", " "))
            return
        now = monotonic()
        if not self.show_output and now - self._last_line.get((step, subject), 0) > _LINE_EVERY:
            self._last_line[step, subject] = now
            self._line(f"… {step} {subject}: {text}")

    def _line(self, text: str, kind: str = "", word: str = "") -> None:
        """Print a line, with a coloured word of its kind in front where it has one."""
        self._steps.pause()
        mark = f"\x1b[{_COLOURS[kind]}m{word}\x1b[0m" if kind and self._colour else word
        print(f"{mark} {clean(text)}" if mark else clean(text), file=sys.stderr, flush=True)
        self._steps.resume()


def _json(value: Any, *, indent: int | None = None) -> str:
    try:
        return json.dumps(value, indent=indent, default=_written, allow_nan=False)
    except ValueError:  # of a release that was sealed when variables could be that
        return json.dumps(_without_nan(value), indent=indent, default=_written, allow_nan=False)


def _without_nan(value: Any) -> Any:
    """Write as text the floats that JSON has no number for."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows in columns under their names."""
    cells = [[clean(text).replace("\n", " ") for text in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def clean(text: str) -> str:
    """Replace what could move a terminal's cursor or change its colours: names and log lines come
    from elsewhere."""
    return "".join(
        character if character.isprintable() or character in "\t\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
