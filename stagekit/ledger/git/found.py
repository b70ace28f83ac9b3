"""The records of a file ledger, as a shared one takes them up: each is checked before, and an id
that was given there stays given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from stagekit.errors import InputError, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git.commits import New
from stagekit.ledger.git.copies import content_at
from stagekit.ledger.git.series import (
    BUILDS,
    CANCELLED,
    COMPARISONS,
    INPUTS,
    PRUNED,
    PRUNED_BUILDS,
    RELEASES,
    RUNS,
    SIGNATURES,
    Series,
)
from stagekit.ledger.names import (
    UNREADABLE,
    entries,
    is_name,
    names_among,
    names_in,
    number,
    read_record,
    same,
)
from stagekit.ledger.order import newest_first
from stagekit.ledger.sealed import file_problems
from stagekit.records import BuildPruning

_JOURNAL = ".journal"
_COUNTED = (RUNS, COMPARISONS)
"""What is known by a number."""


def records_of(files: FileLedger) -> list[New]:
    """Return every record of a file ledger, and every id that was given there and has none.

    Raises:
        InputError: there is nothing of a ledger there.
        LedgerError: a record is damaged, or something is under way.
    """
    found = [*_of_builds(files), *_of_environments(files), *_of_comparisons(files)]
    if not found:
        raise InputError(
            "there are no records",
            where=str(files.root),
            hint="name a folder that has builds/, releases/, runs/ or comparisons/ in it, as "
            "artifacts/ does: inv ledger.import --from DIR",
        )
    return found


def _of_builds(files: FileLedger) -> Iterator[New]:
    series = Series(kind=BUILDS)
    for id in _without_record(files, series, _JOURNAL):
        raise _under_way(f"build {id}", _records_it("build.list"))
    pruned = files.pruned_builds()
    yield from _taken(series, [*pruned, *_without_record(files, series, UNREADABLE)])
    yield from _checked(files, series, reversed(files.builds()), files.build)
    yield from (
        new for new in _plain(files, Series(kind=INPUTS), reversed(files.builds())) if new.content
    )

    def read(id: str) -> object:
        path = files.root / marks.path(id)
        return same(read_record(BuildPruning, path), path, id=id)

    marks = Series(kind=PRUNED_BUILDS)
    yield from _checked(files, marks, pruned, read)


def _of_environments(files: FileLedger) -> Iterator[New]:
    folders = (files.root / kind.name for kind in (RELEASES, RUNS, SIGNATURES))
    for env in sorted({env for folder in folders for env in names_among(names_in(folder)[0])}):
        yield from _of_runs(files, env)
        yield from _of_releases(files, env)


def _of_runs(files: FileLedger, env: str) -> Iterator[New]:
    series = Series(kind=RUNS, env=env)
    for n in _without_record(files, series, _JOURNAL):
        way = f"STAGEKIT_LEDGER= inv run --env {env} records one whose process died"
        raise _under_way(f"run {n} of {env}", way)
    yield from _taken(series, _without_record(files, series, UNREADABLE))
    numbers = [str(n) for n in reversed(files.runs(env))]
    yield from _checked(files, series, numbers, lambda n: files.run(env, int(n)))


def _of_releases(files: FileLedger, env: str) -> Iterator[New]:
    series = Series(kind=RELEASES, env=env)
    pruned, there = files.pruned_releases(env), files.releases(env)
    made = {id: files.release(env, id).record.created for id in there}
    for id in pruned:
        mark = files.pruned(env, id)
        assert mark
        made[id] = mark.record.released
    yield from _taken(series, files.gone_releases(env))
    check = partial(_check_release, files, env)
    for id in reversed(newest_first(made, lambda one: made[one].timestamp())):
        yield from _taken(series, [id]) if id in pruned else _checked(files, series, [id], check)
    cancelled = [id for id in (*there, *pruned) if files.cancelled(env, id)]
    yield from _plain(files, Series(kind=CANCELLED, env=env), cancelled)
    yield from _plain(files, Series(kind=PRUNED, env=env), pruned)
    signatures = Series(kind=SIGNATURES, env=env)
    signed = sorted((files.root / signatures.path("")).parent.glob("*.json"))
    yield from _plain(files, signatures, [path.stem for path in signed])


def _of_comparisons(files: FileLedger) -> Iterator[New]:
    series = Series(kind=COMPARISONS)
    for n in _without_record(files, series, _JOURNAL):
        raise _under_way(f"comparison {n}", _records_it("run.comparisons"))
    yield from _taken(series, _without_record(files, series, UNREADABLE))
    numbers = [str(n) for n in reversed(files.comparisons())]
    yield from _checked(files, series, numbers, lambda n: files.comparison(int(n)))


def _check_release(files: FileLedger, env: str, id: str) -> None:
    """Refuse a release that is not what was sealed: shared, it would be so for good."""
    release = files.release(env, id).record
    if problems := file_problems(release, files.release_files(env, id)):
        raise LedgerError(
            f"release {release.name} was changed after it was sealed: {problems[0]}",
            where=str(files.release_folder(env, id)),
            hint="nothing was moved: bring its files back as they were "
            f"(STAGEKIT_LEDGER= inv release.verify {release.name} checks those in artifacts/)",
        )


def _checked(
    files: FileLedger, series: Series, ids: Iterable[str], read: Callable[[str], object]
) -> Iterator[New]:
    """Yield records as `_plain` does, after they were read: a damaged one is not moved."""
    for id in ids:
        read(id)
        yield from _plain(files, series, [id])


def _plain(files: FileLedger, series: Series, ids: Iterable[str]) -> Iterator[New]:
    for id in ids:
        yield New(series=series, id=id, content=content_at(files.root / series.path(id)))


def _taken(series: Series, ids: Iterable[str]) -> Iterator[New]:
    """Yield ids that were given, and of which there is no record: they are not given again."""
    for id in ids:
        yield New(series=series, id=id, content=None)


def _without_record(files: FileLedger, series: Series, suffix: str) -> list[str]:
    """Return the ids that have a file of that suffix, and neither a record nor a mark that it was
    put away."""
    folder = (files.root / series.path("")).parent
    kept = (path for path in entries(folder) if path.suffix == suffix)
    stems = [path.stem for path in kept if not _is_recorded(path)]
    if series.kind in _COUNTED:
        return [str(n) for n in sorted(map(number, stems)) if n]
    return sorted(filter(is_name, stems))


def _is_recorded(path: Path) -> bool:
    return any(path.with_suffix(suffix).exists() for suffix in (".toml", ".pruned"))


def _records_it(task: str) -> str:
    return f"wait for it to end; of one that was killed STAGEKIT_LEDGER= inv {task} makes a record"


def _under_way(what: str, hint: str) -> LedgerError:
    return LedgerError(f"{what} is under way, or was interrupted", hint=hint)
