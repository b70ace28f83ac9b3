"""Reading TOML that anybody may have written."""

from __future__ import annotations

import tomllib
from typing import Any

_DEEPEST = 100
"""Tables and lists in one another; what reads a document goes down as deep as it does."""


def loads(text: str) -> dict[str, Any]:
    """Read a document.

    Raises:
        tomllib.TOMLDecodeError: it is none, or is nested beyond what anybody writes.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError(_TOO_DEEP) from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # a number with more digits than Python reads
        raise tomllib.TOMLDecodeError(str(error)) from None
    if _is_too_deep(document):
        raise tomllib.TOMLDecodeError(_TOO_DEEP)
    return document


_TOO_DEEP = f"more than {_DEEPEST} tables or lists in one another"


def _is_too_deep(document: dict[str, Any]) -> bool:
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        inside = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in inside for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True
