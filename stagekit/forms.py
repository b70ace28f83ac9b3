"""The forms in which programs print a text that they were given."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_BITS = 6
_TO_URLS = str.maketrans("+/", "-_")


def written_forms(text: str) -> Iterator[str]:
    """Yield a text as JSON, addresses and Base64 have it, wherever in a longer one it stands."""
    for ascii in (True, False):
        yield json.dumps(text, ensure_ascii=ascii)[1:-1]
    data = text.encode("utf-8", "surrogateescape")
    yield from (quote(data), quote(data, safe=""), quote_plus(data))
    for before in range(3):  # Base64 writes three bytes at a time: what stands before moves it
        yield from _in_base64(data, before)


def _in_base64(data: bytes, before: int) -> Iterator[str]:
    """Yield the digits that are this data's alone, where ``before`` bytes precede it."""
    first, end = -(-before * 8 // _BITS), (before + len(data)) * 8 // _BITS
    digits = b64encode(bytes(before) + data).decode("ascii")[first:end]
    yield from (digits, digits.translate(_TO_URLS))
