"""Finds the variables that a Compose document asks for, each with its line.

Compose replaces a variable without a value by nothing and warns; a release must not lose its
configuration that way, so names are looked up before Compose sees the document. The syntax is
the Compose Specification's, section "Interpolation": ``$NAME``, ``${NAME}``, ``${NAME:-default}``,
``${NAME-default}``, ``${NAME:?error}``, ``${NAME?error}``, ``${NAME:+other}``, ``${NAME+other}``,
``$$`` for a dollar; nested in defaults; values and list items are looked at, keys are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import yaml

from stagekit.errors import InputError

START = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<rest>[:}?+-]))",
    re.ASCII,
)


@dataclass(frozen=True)
class Guard:
    """A variable that must be there, or must not, for what stands beside it to count.

    With a colon (``:-``, ``:+``) an empty value is none.
    """

    name: str
    present: bool
    empty_is_absent: bool

    def holds(self, values: Mapping[str, str]) -> bool:
        there = bool(values.get(self.name)) if self.empty_is_absent else self.name in values
        return there == self.present


@dataclass(frozen=True)
class Reference:
    """One place that asks for a variable.

    Attributes:
        name: the variable.
        line: where in the document, from 1.
        required: whether no default stands in for it.
        guards: for one inside another's default, what must hold for it to be looked at.
    """

    name: str
    line: int
    required: bool
    guards: tuple[Guard, ...] = ()

    def lacks_value(self, values: Mapping[str, str]) -> bool:
        """Tell whether Compose would put nothing here, given ``values``."""
        looked_at = all(guard.holds(values) for guard in self.guards)
        return looked_at and self.required and self.name not in values


def references(text: str, *, where: str) -> list[Reference]:
    """Return every variable that ``text`` asks for, in the order of its lines.

    Args:
        text: a Compose document.
        where: its path, for errors.

    Raises:
        InputError: it is not YAML; says the line.
    """
    check_depth(text, where)
    try:
        nodes = [
            node
            for document in yaml.compose_all(text, Loader=_LOADER)
            if document is not None
            for node in _value_nodes(document, set())
        ]
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"not YAML: {error.problem}", where=f"{where}{line}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"not YAML: {error}", where=where) from error
    found = [
        replace(found, line=node.start_mark.line + 1 + found.line)
        for node in nodes
        for found in _references(node)
    ]
    return sorted(found, key=lambda reference: reference.line)


def names_in(text: str) -> Iterator[str]:
    """Yield the variables that one text of a document asks for."""
    return (reference.name for reference in _scan(text, 0, ()))


def unfilled(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that one text of a document asks for and that have no value."""
    return (found.name for found in _scan(text, 0, ()) if found.lacks_value(values))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return one text of a document as Compose fills it in; what has no value becomes nothing."""
    parts, at = [], 0
    while found := START.search(text, at):
        parts.append(text[at : found.start()])
        at = found.end()
        if found["escaped"]:
            parts.append("$")
        elif found["plain"] or found["rest"] == "}":
            parts.append(values.get(found["plain"] or found["braced"], ""))
        else:
            operator, argument_at = _operator(text, found.end("braced"))
            end = _closing(text, argument_at)
            colon = text[found.end("braced")] == ":"
            there = Guard(found["braced"], present=True, empty_is_absent=colon).holds(values)
            if there == (operator == "+"):
                parts.append(filled(text[argument_at:end], values))
            elif there:
                parts.append(values[found["braced"]])
            at = end + 1
    return "".join(parts) + text[at:]


def check_depth(text: str, where: str) -> None:
    """Refuse what is nested so deeply that the parser, which is C, would run out of stack.

    Raises:
        InputError: it is; says the line.
    """
    depth = 0
    for found in _NESTING.finditer(text):
        depth = max(0, depth + (1 if found[0] in "[{" else -1)) if len(found[0]) == 1 else depth
        if depth > _DEPTH or len(found[0]) > 2 * _DEPTH:
            line = text.count("\n", 0, found.start()) + 1
            raise InputError("nested too deeply", where=f"{where}:{line}")


_DEPTH = 500
_NESTING = re.compile(r"[\[\]{}]|(?:[-?] ){2,}")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _value_nodes(node: yaml.Node, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    if id(node) in seen:  # an alias: its anchor was looked at
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _value_nodes(item, seen)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _value_nodes(value, seen)


def _references(node: yaml.ScalarNode) -> Iterator[Reference]:
    """Yield a scalar's references, their lines counted from the scalar's own."""
    block = node.style in ("|", ">")  # such a text starts on the line after its mark
    for found in _scan(node.value, 0, ()):
        yield replace(found, line=node.value.count("\n", 0, found.line) + (1 if block else 0))


def _scan(text: str, base: int, guards: tuple[Guard, ...]) -> Iterator[Reference]:
    """Yield the references of a text, with offsets for lines."""
    at = 0
    while found := START.search(text, at):
        at = found.end()
        if found["escaped"]:
            continue
        name = found["plain"] or found["braced"]
        if found["plain"] or found["rest"] == "}":
            yield Reference(name, base + found.start(), required=True, guards=guards)
            continue
        operator, argument_at = _operator(text, found.end("braced"))
        end = _closing(text, argument_at)
        yield Reference(name, base + found.start(), required=operator == "?", guards=guards)
        if operator != "?":
            colon = text[found.end("braced")] == ":"
            inner = (*guards, Guard(name, present=operator == "+", empty_is_absent=colon))
            yield from _scan(text[argument_at:end], base + argument_at, inner)
        at = end


def _operator(text: str, at: int) -> tuple[str, int]:
    if text[at] == ":":
        return text[at + 1 : at + 2], at + 2
    return text[at], at + 1


def _closing(text: str, at: int) -> int:
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return at
