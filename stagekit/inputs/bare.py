"""Values that a template writes without a filter: ``{{ NAME }}``.

Such a value is as good as typed there, so it may stand wherever it is read back as the text that it
is: as a scalar of its own or a part of one, quoted or not. Where it is depends on the template, so
that is looked at once the document is there: each value is remembered by its place in the text,
until something is done with it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import yaml

from stagekit.errors import InputError
from stagekit.inputs.nodes import documents, pairs
from stagekit.inputs.quoting import INTEGERS, plain_text

_INSTEAD = "write {{ … | yaml }} without quotes around it"

_HAZARD = re.compile(r"""[\n\r"'\\$]|: | #""")
"""What changes its surroundings wherever it stands, or nearly so."""

_MAY_BREAK = re.compile(r"^[-?:&*!|>%@`\s]|[,\[\]{}#\t\x7f-\xa0\u2028\u2029\ufeff]|[:\s]$")
"""What can change them somewhere; any other value spares reading the document once more."""

_TEXTS = ("environment", "labels", "annotations", "options", "driver_opts", "sysctls")
"""Maps whose values are texts for a container, whatever they look like."""

_NUMBER = re.compile(
    r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|(?:\.[0-9]|[0-9][0-9_]*\.?)[0-9_]*"
    r"(?:[eE][-+]?[0-9]+)?)"
)
_OTHER = re.compile(
    r"~|null|Null|NULL|True|TRUE|False|FALSE|<<|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9]{1,2}:.*)?"
)
"""What YAML reads as another value than text, and Compose then writes in its own way."""

_LARGEST = 10**6
"""From here on, Compose writes fractions with an exponent."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Span(NamedTuple):
    """Where in a text a value stands."""

    start: int
    end: int


class Value(str):
    """A variable's text, until something is done with it."""

    def __str__(self) -> str:
        return self


class Joined(str):
    """A text that Jinja has put together, and where in it values stand."""

    spans: tuple[Span, ...] = ()

    def __str__(self) -> str:
        return self

    @property
    def plain(self) -> str:
        """The text alone."""
        return str.__str__(self)


def guarded(value: Any) -> Any:
    """Mark every string in a tree of variables as a `Value`."""
    if isinstance(value, dict):
        return {key: guarded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [guarded(item) for item in value]
    return Value(value) if isinstance(value, str) else value


def finalize(value: Any) -> Any:
    """Let a value into the document as it stands only where it can be that it arrives so."""
    import jinja2

    if isinstance(value, Value) and _HAZARD.search(value):
        raise ValueError(
            "a value with a line break, a quote, '$', ': ' or ' #' would not arrive as it is: "
            + _INSTEAD
        )
    if isinstance(value, str | jinja2.Undefined):  # Jinja itself raises for what is undefined
        return value
    return plain_text(value)


def joined(parts: Iterable[str]) -> Joined:
    """Put parts of a text together, as Jinja does for whole documents and for macros."""
    texts, spans, at = [], [], 0
    for part in parts:
        if isinstance(part, Value):
            spans.append(Span(at, at + len(part)))
        elif isinstance(part, Joined):
            spans += (Span(at + start, at + end) for start, end in part.spans)
        texts.append(part)
        at += len(part)
    text = Joined("".join(texts))
    text.spans = tuple(spans)
    return text


def refuse_torn(text: Joined, *, source: str, where: str) -> None:
    """Refuse a value that is not read back as the text that it is.

    Args:
        text: a rendered document.
        source: the template, for the line, where there is one alone that may be it.
        where: its path, for errors.

    Raises:
        InputError: one is not; says the line.
    """
    for span in chain(_torn(text), _read_otherwise(text)):  # the first one is told of
        begin = text.rfind("\n", 0, span.start) + 1
        before = text[begin : span.start]
        lines = enumerate(source.splitlines(), 1)
        numbers = [at for at, line in lines if line.startswith(before + "{{")]
        raise InputError(
            f"the value {text[slice(*span)]!r} would not arrive as it is: {_INSTEAD}",
            where=f"{where}:{numbers[0]}" if len(numbers) == 1 else where,
            output=(text[begin:].partition("\n")[0].strip(),),
        )


class _Scalar(NamedTuple):
    start: int
    end: int
    value: str


def _torn(text: Joined) -> Iterator[Span]:
    """Yield the values that are no text of their own, nor a part of one."""
    doubtful = [span for span in text.spans if _MAY_BREAK.search(text[slice(*span)])]
    if not doubtful:
        return
    scalars, readable = _scalars(text.plain)
    for span in doubtful:
        scalar = _around(span, scalars)
        held = scalar is not None and text[slice(*span)] in scalar.value
        if span.start <= readable and not held and not _in_comment(text, span, scalars):
            yield span


def _scalars(text: str) -> tuple[list[_Scalar], int]:
    """Return a document's scalars, and up to where it could be read."""
    found: list[_Scalar] = []
    try:
        found.extend(
            _Scalar(token.start_mark.index, token.end_mark.index, token.value)
            for token in yaml.scan(text, Loader=_LOADER)
            if isinstance(token, yaml.ScalarToken)
        )
    except yaml.MarkedYAMLError as error:
        return found, error.problem_mark.index if error.problem_mark else 0
    except yaml.YAMLError:
        return found, 0
    return found, len(text)


def _around(span: Span, scalars: list[_Scalar]) -> _Scalar | None:
    at = bisect_right(scalars, span.start, key=lambda scalar: scalar.start)
    scalar = scalars[at - 1] if at else None
    return scalar if scalar and span.end <= scalar.end else None


def _in_comment(text: str, span: Span, scalars: list[_Scalar]) -> bool:
    begin = text.rfind("\n", 0, span.start) + 1
    for mark in re.finditer(r"(?:^|(?<=\s))#", text[begin : span.start]):
        at = begin + mark.start()
        if _around(Span(at, at + 1), scalars) is None:
            return True
    return False


def _read_otherwise(text: Joined) -> Iterator[Span]:
    """Yield the values that are all of a container's variable or label, and that YAML reads as a
    number, a date, a boolean or nothing that Compose writes in another way."""
    doubtful = {span for span in text.spans if _becomes_another(text[slice(*span)])}
    if doubtful:
        seen: set[int] = set()
        for node in documents(text.plain):
            for scalar in _told(node, seen):
                span = Span(scalar.start_mark.index, scalar.end_mark.index)
                if span in doubtful:
                    yield span


def _told(node: yaml.Node, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    """Yield the scalars that containers are told as texts."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _told(item, seen)
    for name, value in pairs(node):
        if name in _TEXTS:
            for _, item in pairs(value):
                if isinstance(item, yaml.ScalarNode):
                    yield item
        yield from _told(value, seen)


def _becomes_another(text: str) -> bool:
    if not _NUMBER.fullmatch(text):
        return bool(_OTHER.fullmatch(text))
    if re.fullmatch(r"-?(?:0|[1-9][0-9]*)", text):
        return not INTEGERS[0] <= int(text) < INTEGERS[1]
    try:
        number = float(text.replace("_", ""))
    except ValueError:  # of another base
        return True
    return repr(number) != text or number.is_integer() or abs(number) >= _LARGEST
