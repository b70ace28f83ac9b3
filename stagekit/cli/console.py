"""The only place that prints: results to stdout, narration, progress and errors to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from io import TextIOWrapper
from time import monotonic
from typing import TYPE_CHECKING, Any

from stagekit.errors import StagekitError
from stagekit.events import Done, Event, Noted, Progress, Started, Warned

if TYPE_CHECKING:
    from rich.status import Status

_LINE_EVERY = 5.0
"""Seconds between progress lines where there is no terminal to redraw."""

_COLOURS = {"error": "1;31", "warning": "33", "done": "32"}


class Console:
    """Prints for one command. A terminal gets a live line for the step under way; a pipe or a CI
    gets a line a step. Colour only on terminals, and not under NO_COLOR."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._live and not os.environ.get("NO_COLOR")
        self._status: Status | None = None
        self._last_line = monotonic()
        if isinstance(sys.stdout, TextIOWrapper):  # a locale that lacks a letter is no failure
            sys.stdout.reconfigure(errors="backslashreplace")

    def emit(self, event: Event) -> None:
        """Tell of an event (the listener that stages are given)."""
        match event:
            case Started(step, subject):
                self._show(f"{step} {subject}")
            case Progress(step, subject, text):
                self._advance(f"{step} {subject}: {text}")
            case Done(step, subject, outcome, seconds):
                self._hide()
                shown = f"  {outcome}" if outcome else ""
                self._line(f"{subject}{shown}  ({seconds:.1f} s)", "done", f"{step:<7}")
            case Warned(text):
                self.warn(text)
            case Noted(text):
                self.note(text)

    def result(self, text: str = "") -> None:
        """Print a result."""
        self._hide()
        print(clean(text), flush=True)

    def data(self, value: Any) -> None:
        """Print a result for machines, as JSON."""
        self._hide()
        print(json.dumps(value, indent=2, default=_written), flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows in aligned columns under their names."""
        cells = [[clean(text).replace("\n", " ") for text in row] for row in (head, *rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
        for row in cells:
            padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
            self.result("  ".join(padded).rstrip())

    def note(self, text: str) -> None:
        """Narrate."""
        self._hide()
        self._line(text)

    def warn(self, text: str) -> None:
        self._hide()
        self._line(text, "warning", "warning:")

    def error(self, error: StagekitError) -> None:
        """Say what happened, where, the last lines that tell why, and what to type next."""
        self._hide()
        for line in error.output:
            self._line(f"  | {line}")
        self._line(str(error), "error", "error:")
        if error.hint:
            self._line(f"  next: {error.hint}")

    def unheard(self) -> None:
        """Send results nowhere from now on: their reader is gone."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

    def close(self) -> None:
        """Take the live line away."""
        self._hide()

    def _show(self, text: str) -> None:
        self._last_line = monotonic()
        if self._live:
            self._hide()
            from rich.console import Console as Rich
            from rich.markup import escape

            self._status = Rich(stderr=True).status(escape(clean(text)))
            self._status.start()

    def _advance(self, text: str) -> None:
        if self._status:
            from rich.markup import escape

            width = os.get_terminal_size(sys.stderr.fileno()).columns - 4
            self._status.update(escape(clean(text)[: max(width, 20)]))
        elif not self._live and monotonic() - self._last_line > _LINE_EVERY:
            self._last_line = monotonic()
            self._line(f"… {text}")

    def _hide(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def _line(self, text: str, kind: str = "", word: str = "") -> None:
        """Print a line, with a coloured word of its kind in front where it has one."""
        mark = f"\x1b[{_COLOURS[kind]}m{word}\x1b[0m" if kind and self._colour else word
        print(f"{mark} {clean(text)}" if mark else clean(text), file=sys.stderr, flush=True)


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def clean(text: str) -> str:
    """Replace what could move a terminal's cursor or change its colours: names and log lines come
    from elsewhere."""
    return "".join(
        character if character.isprintable() or character in "\t\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
