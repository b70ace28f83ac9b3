"""Records to add → commits, as the commands of git-fast-import
(https://git-scm.com/docs/git-fast-import)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from stagekit.ledger.git.entry import Addition, Seal, message
from stagekit.ledger.git.index import Index
from stagekit.ledger.git.objects import Content, name_of
from stagekit.ledger.git.repository import ATTEMPT
from stagekit.ledger.git.series import PRUNED, RELEASES, RESERVED, SHOWN, Listed, Series
from stagekit.records import Part

_README = b"""# The ledger of a stagekit project

Which builds and releases were made, and what ran where, by whom and why. Each commit appends to it;
nothing here is edited, and stagekit refuses a history that was rewritten. Do not commit by hand.

`index/` lists every record: a line each, its id and its git object (`git cat-file -p OBJECT`, or
`git archive OBJECT | tar x` for a release). The newest of each kind stand beside it as files.
"""


class New(Part, frozen=True):
    """A record to be added; without ``content`` its id is taken for it."""

    series: Series
    id: str
    content: Content | None


class Signature(Part, frozen=True):
    """Who adds it, as ``user@host``, when and why."""

    actor: str
    when: datetime
    why: str


def commits(index: Index, records: Sequence[New], signature: Signature) -> tuple[bytes, Seal]:
    """Write the entries that add ``records`` to what the index says, and let it say that they are
    there: where they are not taken, that index is not to be used any more.

    An entry adds no more than the branch shows as files, so that each record is a file of the
    commit that added it.
    """
    parts: list[bytes] = []
    seal = index.seal
    for start in range(0, len(records), SHOWN):
        added = records[start : start + SHOWN]
        before = index.commit if start == 0 else None
        changes = [*_changes(index, added)]
        if seal is None:
            changes.append(_file("README.md", _README))
        text, seal = message(signature.why, seal, [*_named(index, added)])
        parts += [*_commit(signature, text, before), *changes, b"\n"]
    assert seal
    return b"".join([*parts, b"get-mark :1\ndone\n"]), seal


def _commit(signature: Signature, text: str, before: str | None) -> Iterator[bytes]:
    moment = f"{int(signature.when.timestamp())} +0000"
    actor = "".join(c for c in signature.actor if c not in "<>\n\0").strip() or "unknown"
    yield f"commit {ATTEMPT}\nmark :1\n".encode()
    for role in ("author", "committer"):
        line = f"{role} {actor.partition('@')[0]} <{actor}> {moment}\n"
        yield line.encode("utf-8", "replace")
    yield _data(text.encode())
    if before:
        yield f"from {before}\n".encode()


def _named(index: Index, records: Sequence[New]) -> Iterator[Addition]:
    for new in records:
        yield Addition(series=new.series.name, id=new.id, object=_object(index, new))


def _object(index: Index, new: New) -> str:
    return RESERVED if new.content is None else name_of(new.content, index.format)


def _changes(index: Index, records: Sequence[New]) -> Iterator[bytes]:
    """Yield what the entry's tree has other than the one before it."""
    touched: dict[Series, tuple[Listed, int, set[str]]] = {}
    for new in records:
        listed = index.series(new.series.kind, new.series.env)
        touched.setdefault(new.series, (listed, listed.count, listed.shown()))
        listed.add(new.id, _object(index, new))
    for series, (listed, first, before) in touched.items():
        for number, text in listed.chunks_from(first):
            yield _file(series.chunk(number), text.encode())
        for gone in sorted(before - listed.shown()):
            yield _gone(series.path(gone))
    for new in records:
        path = new.series.path(new.id)
        if isinstance(new.content, bytes):
            yield _file(path, new.content)
        elif new.content:
            yield from (_file(f"{path}/{name}", data) for name, data in new.content.items())
        if new.series.kind == PRUNED:
            yield _gone(Series(kind=RELEASES, env=new.series.env).path(new.id))


def _file(path: str, data: bytes) -> bytes:
    return b"M 100644 inline " + _quoted(path) + b"\n" + _data(data)


def _gone(path: str) -> bytes:
    return b"D " + _quoted(path) + b"\n"


def _data(data: bytes) -> bytes:
    return b"data %d\n" % len(data) + data + b"\n"


_ESCAPED: Mapping[int, str] = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def _quoted(path: str) -> bytes:
    escaped = path.translate(_ESCAPED)
    return f'"{escaped}"'.encode("utf-8", "surrogateescape")
