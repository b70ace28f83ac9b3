"""A Dockerfile's instructions, their words and variables, as BuildKit's parser reads them.

https://docs.docker.com/reference/dockerfile/#format
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)", re.DOTALL)
_TAKES_HEREDOCS = ("ADD", "COPY", "ONBUILD", "RUN")
_NAME = re.compile(r"[A-Za-z_]\w*")
_RULE = re.compile(r":?[-+?]")
_DEEPEST = 20
"""How many ``${V:-${W:-…}}`` are read one in the other."""


class Instruction(NamedTuple):
    """An instruction: its name in capitals, what follows it, and the file's escape character."""

    name: str
    rest: str
    escape: str

    @property
    def words(self) -> list[str]:
        """The words of what follows, with their quotes."""
        escape = re.escape(self.escape)
        word = rf"""(?:{escape}.|"(?:{escape}.|[^"{escape}])*"|'[^']*'|\S)+"""
        return re.findall(word, self.rest, re.DOTALL)

    @property
    def flags(self) -> Iterator[tuple[str, str]]:
        """What stands first, as names and values: ``--from=web`` is ``from`` and ``web``."""
        for word in self.words:
            if not word.startswith("--"):
                return
            name, _, value = word[2:].partition("=")
            yield name.lower(), filled(value, {}, self.escape)


def instructions(text: str) -> Iterator[Instruction]:
    """Yield a Dockerfile's instructions, without comments and the texts of heredocs."""
    lines = _Lines(text)
    while whole := lines.joined():
        if said := _INSTRUCTION.fullmatch(whole):
            instruction = Instruction(said.group(1).upper(), said.group(2), lines.escape)
            yield instruction
            for end, tabbed in _heredocs(instruction):
                lines.skip_to(end, tabbed=tabbed)


def filled(word: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """Fill variables into a word and take its quotes away. What has no value, and what is done to
    one in another way than ``${name:-…}``, ``:+`` and ``:?``, stays as it is written."""
    return _Word(word, values, escape).up_to("")


class _Lines:
    """The lines of a Dockerfile, read from the first to the last."""

    def __init__(self, text: str) -> None:
        self._lines = [line.rstrip("\r") for line in text.split("\n")]
        self._at = 0
        self.escape = _escape(self._lines)
        self._going_on = re.compile(
            rf"(?<!{re.escape(self.escape)}){re.escape(self.escape)}[ \t]*$"
        )
        self._untabbed = [line.lstrip("\t") for line in self._lines]
        self._last = {line: at for at, line in enumerate(self._lines)}
        self._last_untabbed = {line: at for at, line in enumerate(self._untabbed)}

    def joined(self) -> str:
        """Return the next line and those that it goes on in; empty at the end."""
        whole = ""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.lstrip().startswith("#") or not line.strip():
                continue
            whole += self._going_on.sub("", line)
            if whole.strip() and not self._going_on.search(line):
                break
        return whole

    def skip_to(self, end: str, *, tabbed: bool) -> None:
        """Go on after the line that ends a heredoc; stay where there is none."""
        lines, last = self._lines, self._last
        if tabbed:
            lines, last = self._untabbed, self._last_untabbed
        if last.get(end, -1) >= self._at:
            self._at = lines.index(end, self._at) + 1


class _Word:
    """A word that is read from its start to its end."""

    def __init__(self, text: str, values: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._values = values
        self._escape = escape
        self._at = 0
        self._depth = 0

    def up_to(self, end: str) -> str:
        """Read on to ``end``, or to the end of all, and fill in what stands before it."""
        read = ""
        while (char := self._next()) not in ("", end):
            if char == "'":
                read += self._literal()
            elif char == '"':
                read += self._quoted()
            elif char == self._escape:
                read += self._next()
            else:
                read += self._variable() if char == "$" else char
        return read

    def _next(self) -> str:
        char = self._text[self._at : self._at + 1]
        self._at += 1
        return char

    def _literal(self) -> str:
        begun = self._at
        while self._next() not in ("", "'"):
            pass
        return self._text[begun : self._at - 1]

    def _quoted(self) -> str:
        read = ""
        while (char := self._next()) not in ("", '"'):
            if char == self._escape and self._text[self._at : self._at + 1] in ('"', "$", char):
                read += self._next()
            else:
                read += self._variable() if char == "$" else char
        return read

    def _variable(self) -> str:
        begun = self._at - 1
        braces = self._text.startswith("{", self._at)
        named = _NAME.match(self._text, self._at + braces)
        if named is None or self._depth > _DEEPEST:
            return "$"
        self._at = named.end()
        value = self._values.get(named.group())
        if braces:
            rule = _RULE.match(self._text, self._at)
            self._at = rule.end() if rule else self._at
            self._depth += 1
            word = self.up_to("}")
            self._depth -= 1
            if rule:
                value = _by_rule(rule.group(), value, word)
            elif word:
                value = None
        return self._text[begun : self._at] if value is None else value


def _by_rule(rule: str, value: str | None, word: str) -> str | None:
    there = bool(value) if rule.startswith(":") else value is not None
    if rule.endswith("+"):
        return word if there else ""
    return value if there or rule.endswith("?") else word


def _escape(lines: Sequence[str]) -> str:
    """Return the escape character that one of the directives at the start of a file sets."""
    for line in lines:
        said = _DIRECTIVE.fullmatch(line)
        if said is None:
            break
        if said.group(1).lower() == "escape":
            return said.group(2)[:1]
    return "\\"


def _heredocs(instruction: Instruction) -> Iterator[tuple[str, bool]]:
    """Yield the line that ends each heredoc, and whether tabs may stand before it."""
    if instruction.name in _TAKES_HEREDOCS:
        for word in instruction.words:
            if said := _HEREDOC.fullmatch(word):
                yield filled(said.group(2), {}, instruction.escape), bool(said.group(1))
