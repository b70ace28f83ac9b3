"""The live lines of a terminal: one for each step under way."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_A_SECOND = 8
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class _Line(Struct):
    text: str
    begun: float


class LiveSteps:
    """Steps under way at the foot of a terminal; gone while anything else is printed."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], _Line] = {}
        self._live: Live | None = None

    def begin(self, step: str, subject: str) -> None:
        self._lines[step, subject] = _Line("", monotonic())
        self.resume()

    def advance(self, step: str, subject: str, text: str) -> None:
        if line := self._lines.get((step, subject)):
            line.text = text

    def end(self, step: str, subject: str) -> None:
        self._lines.pop((step, subject), None)

    def clear(self) -> None:
        """Forget every step."""
        self.pause()
        self._lines.clear()

    def pause(self) -> None:
        """Take the lines away."""
        if self._live:
            self._live.stop()
            self._live = None

    def resume(self) -> None:
        """Show them again, where there are any."""
        if self._lines and self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(stderr=True),
                get_renderable=self._rendered,
                refresh_per_second=_A_SECOND,
                transient=True,
            )
            self._live.start(refresh=True)

    def _rendered(self) -> RenderableType:
        from rich.text import Text

        now = monotonic()
        mark = _SPINNER[int(now * _A_SECOND) % len(_SPINNER)]
        lines = [
            f"{mark} {step} {subject}  {now - line.begun:.0f} s  {line.text}".rstrip()
            for (step, subject), line in list(self._lines.items())
        ]
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
