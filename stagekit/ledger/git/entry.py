"""An entry of a shared ledger: one commit, which names the entry before it by its digest.

A commit's message is its record::

    release prod/v42: the new checkout

    Entry: 117
    Previous: sha256:…
    Adds: releases/prod v42 4f3a…
    Digest: sha256:…

The digest is the SHA-256 of all that stands before its line. So a history that was rewritten, and
a commit that was not made by stagekit, can be told from a ledger by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stagekit.digest import of_bytes
from stagekit.records import Part

NONE_BEFORE = "none"

_MESSAGE = re.compile(
    r"(?P<body>[^\n]+\n\nEntry: (?P<number>\d{1,15})\nPrevious: (?P<previous>\S+)\n"
    r"(?:Adds: [^\n]+\n)*)Digest: (?P<digest>\S+)\n*"
)
_ADDS = re.compile(r"^Adds: (\S+) (\S+) (\S+)$", re.MULTILINE)
_LONGEST_SUBJECT = 200


class Addition(Part, frozen=True):
    """A record that is added to a series; without an ``object`` its id is taken for it."""

    series: str
    id: str
    object: str

    def __str__(self) -> str:
        return f"{self.series} {self.id} {self.object}"


def additions_of(text: str) -> list[Addition]:
    """Return what an entry adds, given its message."""
    found = _ADDS.findall(text.partition("\n\n")[2])
    return [Addition(series=series, id=id, object=object) for series, id, object in found]


class Seal(Part, frozen=True):
    """Which entry it is, counted from 1, and by which digests it and the one before are known."""

    number: int
    previous: str
    digest: str


def message(why: str, before: Seal | None, additions: Sequence[Addition]) -> tuple[str, Seal]:
    """Write an entry's message; return it with its seal."""
    number, previous = (before.number + 1, before.digest) if before else (1, NONE_BEFORE)
    lines = [
        " ".join(why.split())[:_LONGEST_SUBJECT],
        "",
        f"Entry: {number}",
        f"Previous: {previous}",
        *(f"Adds: {addition}" for addition in additions),
    ]
    # What was typed need not be UTF-8. As in a record, what is not is replaced.
    body = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace").decode()
    digest = of_bytes(body.encode())
    return f"{body}Digest: {digest}\n", Seal(number=number, previous=previous, digest=digest)


def read_seal(text: str) -> Seal | None:
    """Read a commit's message; None where it is no entry, or was changed since it was one."""
    found = _MESSAGE.fullmatch(text)
    if not found or of_bytes(found["body"].encode()) != found["digest"]:
        return None
    return Seal(number=int(found["number"]), previous=found["previous"], digest=found["digest"])
