"""Texts that fit where they stand: a number's word, a name in Markdown."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"[\\`*_\[\]<>|]")


def counted(number: int, what: str) -> str:
    """Return ``1 container``, ``2 containers``: of what takes an s for more than one."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def escaped(text: str) -> str:
    """Write a text so that Markdown shows it as it is, on one line, a table's cell included."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
