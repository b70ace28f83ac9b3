"""The sealed document as text: written by one emitter, read back by YAML's own reader.

Strings are double-quoted and ASCII, so that no reader takes one for another type or stumbles over
its encoding; keys are plain where nothing could be taken for anything else; a value that stands
twice is written twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from stagekit.errors import LedgerError
from stagekit.inputs.merge import Tree
from stagekit.inputs.shapes import problems

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_AMBIGUOUS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_LONGEST_KEY = 128
_PAIR_OR_DELETE = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\x7f")
_quoted = json.encoder.encode_basestring_ascii


def to_yaml(document: Any) -> str:
    """Write a document as YAML, keys in their order."""
    if isinstance(document, dict | list) and document:
        return "".join(_block(document, ""))
    return _scalar(document) + "\n"


def parse(data: bytes) -> Tree:
    """Read a document that was just written here."""
    # A safe loader, in C where there is one.
    document: Tree = yaml.load(data, Loader=_LOADER)  # noqa: S506  # nosec B506  # CSafeLoader
    return document


def parse_sealed(data: bytes, *, where: str) -> Tree:
    """Read a release's document.

    Args:
        data: its compose.yaml. Its digest says that it is what the record names, not that anybody
            sealed it: both may have been written by hand.
        where: its path, for errors.

    Raises:
        LedgerError: it is no Compose document.
    """
    try:
        document = parse(data)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = str(getattr(error, "problem", None) or "it cannot be read")
        raise _no_document(f"not YAML: {reason}", where) from None
    if problem := next(problems(document), None):
        raise _no_document(problem, where)
    return document


def _no_document(what: str, where: str) -> LedgerError:
    return LedgerError(
        f"compose.yaml is no document that stagekit sealed: {what}",
        where=where,
        hint="bring the release back from a copy, or make a new one",
    )


def _block(value: Any, indent: str) -> Iterator[str]:
    """Yield the lines of a map or list that is not empty."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _entry(indent + _key(key, indent), value[key], indent)
    else:
        for item in value:
            yield from _item(item, indent)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield head + ":\n"
        yield from _block(value, indent + "  ")
    elif isinstance(value, list) and value:
        yield head + ":\n"
        yield from _block(value, indent)
    else:
        yield f"{head}: {_scalar(value)}\n"


def _item(value: Any, indent: str) -> Iterator[str]:
    """Yield an item of a list, the first line of what it holds beside its dash."""
    if isinstance(value, dict | list) and value:
        lines = _block(value, indent + "  ")
        yield f"{indent}- {next(lines)[len(indent) + 2 :]}"
        yield from lines
    else:
        yield f"{indent}- {_scalar(value)}\n"


def _key(key: str, indent: str) -> str:
    if _PLAIN_KEY.fullmatch(key) and key.lower() not in _AMBIGUOUS and len(key) <= _LONGEST_KEY:
        return key
    text = _string(key)
    return text if len(text) <= _LONGEST_KEY else f"? {text}\n{indent}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _float(value) if isinstance(value, float) else json.dumps(value)


def _string(text: str) -> str:
    """JSON's quoting is YAML's, but for what lies beyond U+FFFF and for one control character."""
    return _PAIR_OR_DELETE.sub(_escape, _quoted(text))


def _escape(found: re.Match[str]) -> str:
    if found[0] == "\x7f":
        return "\\x7f"
    character: str = json.loads(f'"{found[0]}"')
    return f"\\U{ord(character):08x}"


def _float(value: float) -> str:
    """YAML 1.1 takes for a float only what has a point."""
    text = repr(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(text, text)
