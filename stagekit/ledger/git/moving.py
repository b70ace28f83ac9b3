"""A file ledger, moved into a shared one; and a shared one, as a file ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from stagekit import durable
from stagekit.errors import InputError, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git.commits import New
from stagekit.ledger.git.copies import content_at
from stagekit.ledger.git.index import Index
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.objects import Content, name_of
from stagekit.ledger.git.repository import Repository
from stagekit.ledger.git.series import (
    BUILDS,
    CANCELLED,
    COMPARISONS,
    INPUTS,
    KINDS,
    PRUNED,
    PRUNED_BUILDS,
    RELEASES,
    RUNS,
    SIGNATURES,
    Kind,
    Series,
    signed_by,
)
from stagekit.ledger.git.shared import Proposal
from stagekit.ledger.order import newest_first

Moved = Mapping[str, int]
"""How many records of each kind were moved."""

_BATCH = 500
"""Records that are read at a time."""

_PUT_AWAY = {BUILDS: PRUNED_BUILDS, INPUTS: PRUNED_BUILDS, RELEASES: PRUNED}
"""Which kind says that a record of another kind is there no more."""


def move_in(files: FileLedger, ledger: GitLedger) -> Moved:
    """Add every record of a file ledger to a shared one. What is there already, byte for byte, is
    passed over: a second time adds what is new.

    Raises:
        LedgerError: a record is damaged, something is under way, or the remote does not answer.
        InputError: the shared ledger has another record under an id.
    """
    found = [*_of_builds(files), *_of_environments(files), *_of_comparisons(files)]
    counts: Counter[str] = Counter()

    def draft(index: Index) -> Proposal:
        missing = tuple(new for new in found if _is_missing(new, index))
        counts.clear()
        counts.update(new.series.kind.name for new in missing if new.content is not None)
        return Proposal(why=f"import {counts.total()} records from files", records=missing)

    ledger.exchange.add(draft)
    return counts


def move_out(ledger: GitLedger, folder: Path) -> Moved:
    """Write every record of a shared ledger to a folder, as a file ledger has them. What is there
    already, byte for byte, is passed over.

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
            if _write(folder / series.path(id), series, content):
                counts[series.kind.name] += 1
    return counts


def _of_builds(files: FileLedger) -> Iterator[New]:
    if under_way := files.builds_under_way():
        raise _under_way(f"build {under_way[0]}")
    pruned = files.pruned_builds()
    yield from _taken(BUILDS, pruned)
    yield from _checked(files, BUILDS, reversed(files.builds()), files.build)
    yield from (new for new in _plain(files, INPUTS, reversed(files.builds())) if new.content)
    yield from _plain(files, PRUNED_BUILDS, pruned)


def _of_environments(files: FileLedger) -> Iterator[New]:
    for env in files.environments():
        if n := files.unfinished_run(env):
            raise _under_way(f"run {n} of {env}")
        yield from _of_releases(files, env)
        yield from _of_runs(files, env)


def _of_releases(files: FileLedger, env: str) -> Iterator[New]:
    pruned, there = files.pruned_releases(env), files.releases(env)
    made = {id: files.release(env, id).record.created for id in there}
    for id in pruned:
        mark = files.pruned(env, id)
        assert mark
        made[id] = mark.record.released
    yield from _taken(RELEASES, files.gone_releases(env), env)
    for id in reversed(newest_first(made, lambda one: made[one].timestamp())):
        yield from (
            _taken(RELEASES, [id], env) if id in pruned else _plain(files, RELEASES, [id], env)
        )
    cancelled = [id for id in (*there, *pruned) if files.cancelled(env, id)]
    yield from _plain(files, CANCELLED, cancelled, env)
    yield from _plain(files, PRUNED, pruned, env)
    signed = [path.stem for path in sorted((files.root / "signatures" / env).glob("*.json"))]
    yield from _plain(files, SIGNATURES, signed, env)


def _of_runs(files: FileLedger, env: str) -> Iterator[New]:
    numbers = [str(n) for n in reversed(files.runs(env))]
    yield from _checked(files, RUNS, numbers, lambda n: files.run(env, int(n)), env)


def _of_comparisons(files: FileLedger) -> Iterator[New]:
    numbers = [str(n) for n in reversed(files.comparisons())]
    yield from _checked(files, COMPARISONS, numbers, lambda n: files.comparison(int(n)))


def _checked(
    files: FileLedger,
    kind: Kind,
    ids: Iterable[str],
    read: Callable[[str], object],
    env: str | None = None,
) -> Iterator[New]:
    """Yield records as `_plain` does, after they were read: a damaged one is not moved."""
    for id in ids:
        read(id)
        yield from _plain(files, kind, [id], env)


def _plain(
    files: FileLedger, kind: Kind, ids: Iterable[str], env: str | None = None
) -> Iterator[New]:
    series = Series(kind=kind, env=env)
    for id in ids:
        yield New(series=series, id=id, content=content_at(files.root / series.path(id)))


def _taken(kind: Kind, ids: Iterable[str], env: str | None = None) -> Iterator[New]:
    """Yield ids that were given, and of which there is no record: they are not given again."""
    for id in ids:
        yield New(series=Series(kind=kind, env=env), id=id, content=None)


def _is_missing(new: New, index: Index) -> bool:
    listed = index.series(new.series.kind, new.series.env)
    if new.content is None:
        return new.id not in listed
    there = listed.object(new.id)
    if there is None and new.id not in listed:
        return True
    if there == name_of(new.content, index.format):
        return False
    raise InputError(
        f"the shared ledger has another {new.series.path(new.id)}",
        hint="move into a branch of its own: set ledger.url to …#another, or rename the record's "
        "environment",
    )


def _every_series(index: Index) -> Iterator[Series]:
    for kind in KINDS.values():
        for env in index.environments(kind) if "{env}" in kind.path else (None,):
            yield Series(kind=kind, env=env)


def _contents(
    series: Series, index: Index, repository: Repository
) -> Iterator[tuple[str, Content]]:
    """Yield each record of a series that was not put away."""
    listed = index.series(series.kind, series.env)
    away = _PUT_AWAY.get(series.kind)
    gone = index.series(away, series.env) if away else ()
    ids = [id for id in listed.recorded() if id not in gone]
    if series.kind == SIGNATURES:
        ids = list({signed_by(id): id for id in ids}.values())
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        objects = [object for id in batch if (object := listed.object(id))]
        repository.bring(objects)
        read = repository.read_folders if series.kind.folder else repository.read
        yield from zip(map(signed_by, batch), read(objects), strict=True)


def _write(path: Path, series: Series, content: Content) -> bool:
    there = content_at(path)
    if there is None:
        if isinstance(content, bytes):
            durable.write_file(path, content)
        else:
            durable.write_folder(path, content)
        return True
    if there != content:
        raise InputError(
            f"there is another {series.kind.name} record of that name",
            where=str(path),
            hint="name an empty folder with --to",
        )
    return False


def _under_way(what: str) -> LedgerError:
    return LedgerError(
        f"{what} is under way, or was interrupted", hint="move the ledger when nothing is"
    )
