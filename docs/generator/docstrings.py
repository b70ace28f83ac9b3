"""Docstrings as Markdown. They are written in Google's style, with reST's double backticks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence

from docstring_parser import Docstring, DocstringStyle, parse

_CODE = re.compile(r"``([^`]+)``")


def parsed(of: object) -> Docstring:
    """Return the docstring of a function or a class, taken apart.

    Raises:
        ValueError: it has none.
    """
    text = inspect.getdoc(of)
    if not text:
        raise ValueError(f"{of!r} has no docstring")
    return parse(text, style=DocstringStyle.GOOGLE)


def described(of: object) -> str:
    """Return what a docstring says before its sections."""
    found = parsed(of)
    parts = (found.short_description, found.long_description)
    between = "\n\n" if found.blank_after_short_description else "\n"
    return markdown(between.join(part for part in parts if part))


def arguments(of: object) -> Mapping[str, str]:
    """Return what a docstring says of each argument or attribute, by name."""
    return {item.arg_name: line(item.description or "") for item in parsed(of).params}


def raised(of: object) -> Sequence[tuple[str, str]]:
    """Return what a docstring says that is raised, and when."""
    return [(item.type_name or "", line(item.description or "")) for item in parsed(of).raises]


def markdown(text: str) -> str:
    """Turn the marks of a docstring into Markdown's."""
    return _CODE.sub(r"`\1`", text.replace("::\n\n", ":\n\n"))


def line(text: str) -> str:
    """Return a text as one line that a cell of a table takes."""
    return cell(markdown(" ".join(text.split())))


def cell(text: str) -> str:
    """Keep what would end a cell of a table from doing so."""
    return text.replace("|", r"\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"
