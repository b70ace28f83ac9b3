"""A file ledger, moved into a shared one; and a shared one, as a file ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.errors import InputError
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git.commits import New
from stagekit.ledger.git.copies import content_at
from stagekit.ledger.git.found import records_of
from stagekit.ledger.git.index import Index
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.objects import Content, name_of
from stagekit.ledger.git.repository import Repository
from stagekit.ledger.git.series import (
    BUILDS,
    COMPARISONS,
    INPUTS,
    KINDS,
    PRUNED,
    PRUNED_BUILDS,
    RELEASES,
    RUNS,
    SIGNATURES,
    Series,
    signature_ids,
    signatures_of,
    signed_by,
)
from stagekit.ledger.git.shared import Proposal
from stagekit.ledger.names import UNREADABLE

Moved = Mapping[str, int]
"""How many records of each kind were moved."""

_PUT_AWAY = {BUILDS: PRUNED_BUILDS, INPUTS: PRUNED_BUILDS, RELEASES: PRUNED}
"""Which kind says that a record of another kind is there no more."""

_BEGUN = (BUILDS, RUNS, COMPARISONS)
"""What has its id before it has a record."""


def move_in(files: FileLedger, ledger: GitLedger) -> Moved:
    """Add every record of a file ledger to a shared one. What is there already, byte for byte, is
    passed over: a second time adds what is new.

    Raises:
        LedgerError: a record is damaged, something is under way, or the remote does not answer.
        InputError: there are no records, or the shared ledger has another one under an id.
    """
    found = records_of(files)
    counts: Counter[str] = Counter()

    def draft(index: Index) -> Proposal:
        missing = tuple(new for one in found if (new := _missing(one, index)))
        counts.clear()
        counts.update(new.series.kind.name for new in missing if new.content is not None)
        return Proposal(why=f"import {counts.total()} records from files", records=missing)

    ledger.exchange.add(draft)
    return counts


def move_out(ledger: GitLedger, folder: Path) -> Moved:
    """Write every record of a shared ledger to a folder, as a file ledger has them. What is there
    already, byte for byte, is passed over; an id that was given stays given.

    Raises:
        InputError: the folder has another record under an id.
        LedgerError: the history does not hold, the remote does not answer, or a file cannot be
            written.
    """
    ledger.exchange.shared.check_history()
    index, repository = ledger.exchange.index, ledger.exchange.shared.repository
    counts: Counter[str] = Counter()
    for series in _every_series(index):
        for id, content in _contents(series, index, repository):
            if _write(folder / series.path(id), content, series, index):
                counts[series.kind.name] += 1
        for id in _without_record(series, index):
            durable.write_new_file((folder / series.path(id)).with_suffix(UNREADABLE), b"")
    return counts


def _missing(new: New, index: Index) -> New | None:
    """Return what of a record is to be added, None where the shared ledger has it."""
    series = new.series
    listed = index.series(series.kind, series.env)
    if new.content is None:
        return None if new.id in listed else new
    if series.kind == SIGNATURES:
        return _missing_signature(new, index)
    there = listed.object(new.id)
    if there == name_of(new.content, index.format):
        return None
    if there is None and _is_put_away(series, new.id, index):
        return None
    if new.id not in listed or (there is None and series.kind == RELEASES):
        return new  # of a release that has no record there somebody lost it
    raise InputError(
        f"the shared ledger has another {series.path(new.id)}",
        hint="move into a branch of its own: set ledger.url to …#another, or rename the record's "
        "environment",
    )


def _missing_signature(new: New, index: Index) -> New | None:
    """As `_missing`: a release can be signed again, and the signature that is added last counts."""
    assert new.content is not None
    if _is_signature(new.content, new.id, new.series, index):
        return None
    listed = index.series(SIGNATURES, new.series.env)
    free = next(id for id in signature_ids(new.id) if id not in listed)
    return msgspec.structs.replace(new, id=free)


def _is_signature(content: Content, release: str, series: Series, index: Index) -> bool:
    """Tell whether a release was signed so at any time."""
    listed = index.series(SIGNATURES, series.env)
    name = name_of(content, index.format)
    return any(listed.object(id) == name for id in signatures_of(release, listed))


def _is_put_away(series: Series, id: str, index: Index) -> bool:
    kind = _PUT_AWAY.get(series.kind)
    return kind is not None and id in index.series(kind, series.env)


def _every_series(index: Index) -> Iterator[Series]:
    for kind in KINDS.values():
        for env in index.environments(kind) if "{env}" in kind.path else (None,):
            yield Series(kind=kind, env=env)


def _contents(
    series: Series, index: Index, repository: Repository
) -> Iterator[tuple[str, Content]]:
    """Yield each record of a series that was not put away."""
    listed = index.series(series.kind, series.env)
    ids = [id for id in listed.recorded() if not _is_put_away(series, id, index)]
    if series.kind == SIGNATURES:
        ids = list({signed_by(id): id for id in ids}.values())
    objects = [object for id in ids if (object := listed.object(id))]
    read = repository.each_folder if series.kind.folder else repository.each
    yield from zip(map(signed_by, ids), read(objects), strict=True)


def _without_record(series: Series, index: Index) -> Iterator[str]:
    """Yield the ids that were given for something of which there is no record."""
    listed = index.series(series.kind, series.env)
    if series.kind in _BEGUN:
        for id in listed.taken():
            if listed.object(id) is None and not _is_put_away(series, id, index):
                yield id


def _write(path: Path, content: Content, series: Series, index: Index) -> bool:
    there = content_at(path)
    if there == content:
        return False
    if there is not None and not _may_be_replaced(there, path.stem, series, index):
        raise InputError(
            f"there is another {series.kind.name} record of that name",
            where=str(path),
            hint="name an empty folder with --to",
        )
    if isinstance(content, bytes):
        durable.write_file(path, content)
    else:
        durable.write_folder(path, content)
    return True


def _may_be_replaced(there: Content, id: str, series: Series, index: Index) -> bool:
    """Tell whether what is there is a signature of a release that was signed again since."""
    return series.kind == SIGNATURES and _is_signature(there, id, series, index)
