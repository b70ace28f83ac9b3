"""The file format of records.

A record is TOML that can be read without stagekit. Its first line is ``schema = 1``, its second
``digest = "sha256:…"``: the SHA-256 of every byte after the second line as it stands, so that
``tail -n +3 FILE | sha256sum`` checks it. A field without a value is left out.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from typing import Any

import msgspec

from stagekit import digest, toml
from stagekit.errors import LedgerError
from stagekit.records import AnyRecord, Part, Record, Stored

SCHEMA = 1


def encode(record: AnyRecord) -> bytes:
    """Write a record as its file's bytes."""
    import tomli_w

    body = tomli_w.dumps(plain(record), multiline_strings=False).encode("utf-8", "replace")
    return f'schema = {SCHEMA}\ndigest = "{digest.of_bytes(body)}"\n'.encode() + body


def decode(kind: type[Record], data: bytes, *, where: str) -> Stored[Record]:
    """Read a record from its file's bytes.

    Args:
        kind: which record it is.
        data: the file.
        where: its path, for errors.

    Raises:
        LedgerError: written by a newer stagekit, truncated, or edited since it was sealed.
    """
    stated, body = _open_envelope(data, where)
    actual = digest.of_bytes(body)
    if actual != stated:
        raise LedgerError(
            "this record was changed or cut after it was written: its digest does not match",
            where=where,
            hint=f"bring the file back as it was (its bytes after line 2 hash to {stated})",
        )
    try:
        return Stored(record=msgspec.convert(toml.loads(body.decode()), kind), digest=actual)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise LedgerError(f"not a record that stagekit wrote: {error}", where=where) from error


def plain(part: Part) -> dict[str, Any]:
    """Return a record as dictionaries, arrays and scalars, fields without a value left out."""
    cleaned = _without_none(msgspec.to_builtins(part, builtin_types=(datetime,)))
    assert isinstance(cleaned, dict)
    return cleaned


def _open_envelope(data: bytes, where: str) -> tuple[str, bytes]:
    first, _, rest = data.partition(b"\n")
    second, newline, body = rest.partition(b"\n")
    schema = _value(first, "schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise LedgerError(
            f"written by a newer stagekit (record schema {schema}, this one knows {SCHEMA})",
            where=where,
            hint="pip install --upgrade stagekit",
        )
    stated = _value(second, "digest")
    if schema != SCHEMA or not newline or not isinstance(stated, str):
        raise LedgerError(
            "not a whole record: it does not start with its schema and digest",
            where=where,
            hint="bring the file back from a copy, or move it out of artifacts/",
        )
    return stated, body


def _value(line: bytes, key: str) -> Any:
    try:
        return toml.loads(line.decode()).get(key)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
