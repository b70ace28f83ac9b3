"""The documentation, taken apart: its pages, their fenced blocks, and the commands they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BY_NAME = {str(page.relative_to(ROOT)): page for page in PAGES}

_FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:inv|stagekit) [^`]+)`")
_INDENTED = re.compile(r"^ {4}((?:inv|stagekit) .+)$", re.MULTILINE)
_PROGRAMS = ("inv", "stagekit")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is (its title), and its text."""

    language: str
    title: str
    text: str

    @property
    def commands(self) -> list[str]:
        """What is typed in it, after a ``$``."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks."""
    return [Block(*found) for found in _FENCE.findall(page.read_text("utf-8"))]


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command of ours that a page shows, in blocks and in its text."""
    text = page.read_text("utf-8")
    shown = [line for block in blocks(page) for line in block.commands]
    prose = _FENCE.sub("", text)
    shown += _INLINE.findall(prose) + _INDENTED.findall(prose)
    for line in shown:
        typed = " ".join(line.split()).partition(" → ")[0]
        for part in re.split(r"\s(?:\||&&|;)\s", typed):
            words = _words(part)
            at = next((n for n, word in enumerate(words) if Path(word).name in _PROGRAMS), None)
            if at is not None and all("=" in word for word in words[:at]):
                yield words[at:]


def _words(line: str) -> list[str]:
    """Split a line as a shell does: with what may be left out, and the first of several."""
    plain = re.sub(r"\[([^\]\[]+)\]", r"\1", line).replace("…", "")
    one_of = re.sub(r"(?<=[\w-])\|[\w|-]+", "", plain)
    return shlex.split(one_of, comments=True)
