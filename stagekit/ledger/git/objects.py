"""Git objects: the names that they have, computed here, for an entry names what it adds before git
has it; and what is in them.

https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from stagekit.errors import LedgerError

Content = bytes | Mapping[str, bytes]
"""What a record is: a file, or a folder of files by their relative paths."""

Format = Literal["sha1", "sha256"]
"""By which digest a repository names its objects."""

_FOLDER_MODE = b"40000"
_FORMATS: Mapping[int, Format] = {40: "sha1", 64: "sha256"}


def format_of(name: str) -> Format:
    """Return by which digest a repository names its objects, seen from any one's name."""
    return _FORMATS[len(name)]


def name_of(content: Content, format: Format) -> str:
    """Return the name that git gives to a file, or to a folder of files."""
    if isinstance(content, bytes):
        return _hashed("blob", content, format).hex()
    return _folder(content, format).hex()


def entries_of(tree: bytes, format: Format) -> Iterator[tuple[str, str, bool]]:
    """Yield what a folder has, as git keeps it: name, object, and whether that is a folder."""
    size, at = hashlib.new(format, usedforsecurity=False).digest_size, 0
    while at < len(tree):
        end = tree.find(b"\0", at)
        if end < 0 or end + size >= len(tree):
            raise LedgerError("a folder of the ledger is damaged")
        mode, _, name = tree[at:end].partition(b" ")
        object = tree[end + 1 : end + 1 + size].hex()
        yield name.decode("utf-8", "surrogateescape"), object, mode == _FOLDER_MODE
        at = end + 1 + size


def in_batches(objects: Sequence[str], sizes: Mapping[str, int], limit: int) -> Iterator[list[str]]:
    """Yield objects, in their order, as many at a time as have ``limit`` bytes together: what is
    named twice counts once, and what has more comes alone."""
    batch: list[str] = []
    counted: set[str] = set()
    held = 0
    for name in objects:
        more = 0 if name in counted else sizes.get(name, 0)
        if batch and held + more > limit:
            yield batch
            batch, counted, held = [], set(), 0
            more = sizes.get(name, 0)
        batch.append(name)
        counted.add(name)
        held += more
    if batch:
        yield batch


def _folder(files: Mapping[str, bytes], format: Format) -> bytes:
    below: dict[str, dict[str, bytes]] = {}
    entries: list[tuple[bytes, bytes]] = []
    for path, data in files.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = data
        else:
            entries.append((_path(name), b"100644 %s\0" % _path(name) + _blob(data, format)))
    for name, inside in below.items():  # a folder sorts as if a slash ended its name
        line = b"%s %s\0" % (_FOLDER_MODE, _path(name)) + _folder(inside, format)
        entries.append((_path(f"{name}/"), line))
    return _hashed("tree", b"".join(line for _, line in sorted(entries)), format)


def _blob(data: bytes, format: Format) -> bytes:
    return _hashed("blob", data, format)


def _path(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _hashed(kind: str, data: bytes, format: Format) -> bytes:
    # Git's own names for what it keeps; what stagekit relies on are the SHA-256 of its records.
    hashed = hashlib.new(format, usedforsecurity=False)
    hashed.update(f"{kind} {len(data)}\0".encode())
    hashed.update(data)
    return hashed.digest()


def contents_of(data: bytes, objects: Sequence[str], *, where: str) -> Iterator[bytes]:
    """Yield the contents of objects from what ``git cat-file --batch`` printed.

    Args:
        data: that.
        objects: the names that it was asked for.
        where: the repository, for errors.

    Raises:
        LedgerError: it has not got one of them.
    """
    at = 0
    for name in objects:
        end = data.index(b"\n", at)
        words = data[at:end].split()
        if words[-1] == b"missing":
            raise LedgerError(
                f"object {name} is not in this machine's copy of the ledger",
                where=where,
                hint="remove that folder, and it is fetched anew",
            )
        size = int(words[2])
        yield data[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
