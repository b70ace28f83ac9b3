"""How a value is written into a Compose document so that it arrives as it was: the filters of
templates."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

INTEGERS = (-(2**63), 2**64)
"""The whole numbers that readers of YAML agree on."""

_INVISIBLE = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def plain_text(value: Any) -> str:
    """Write a scalar as an environment variable holds it: booleans as ``true`` and ``false``.

    Raises:
        TypeError: it is no scalar.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float | Opaque):
        return str(value)
    if _is_undefined(value):
        str(value)  # raises Jinja's own error, which names what has no value
    raise TypeError(f"{type(value).__name__} is no value that a document could hold")


def quote(value: Any) -> str:
    """Write a value so that YAML reads back exactly that: strings always double-quoted.

    JSON's quoting is YAML's, but for what lies outside the Basic Multilingual Plane (must stay
    as it is) and for a few invisible characters (must be escaped).
    """
    if isinstance(value, dict):
        items = ", ".join(f"{quote(str(key))}: {quote(item)}" for key, item in value.items())
        return "{" + items + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(quote, value)) + "]"
    if isinstance(value, str | Opaque):
        value = str(value)
        return _INVISIBLE.sub(_escape, json.dumps(value, ensure_ascii=False))
    beyond = isinstance(value, int) and not INTEGERS[0] <= value < INTEGERS[1]
    if isinstance(value, float) or beyond:  # which YAML's readers write each in their own way
        return f'"{value}"'
    return plain_text(value)


def dollar(value: Any) -> str:
    """Double each dollar, so that Compose takes it as one and not as the start of a variable."""
    return plain_text(value).replace("$", "$$")


def as_yaml(value: Any) -> str:
    """Quote a value for YAML and for Compose: what arrives is what it was."""
    return quote(value).replace("$", "$$")


def table(value: Any) -> str:
    """Write a table as a service's ``environment``: each value as a variable of it holds it."""
    if not isinstance(value, dict):
        raise TypeError("env writes a table of variables, and this is none")
    return as_yaml({name: plain_text(item) for name, item in value.items()})


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _is_undefined(value: Any) -> bool:
    import jinja2

    return isinstance(value, jinja2.Undefined)


class Opaque:
    """A text in a template that can be written, alone or within another, and nothing else."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a secret's value is not known here: it can be written, and nothing else")

    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __hash__ = _refuse
    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __add__ = __mod__ = _refuse
