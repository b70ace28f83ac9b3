"""Releases in the ledger: any ids, cancelled and pruned by appended records, killed anywhere."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count, islice
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from stagekit.errors import InputError, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.records import Cancellation, Release, Stored
from stagekit.testing.records import NOON, RELEASE_FILES, a_pruning, a_release, ran, released

TIMES = ("2026-04-06-12:00:00", "2026-04-06-12:00:00-2", "2026-04-06-12:00:01")


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "artifacts")


def add(ledger: FileLedger, *ids: str, minute: int = 0) -> Stored[Release]:
    """Release to prod under the first of ``ids`` that is free."""
    release = a_release(created=NOON + timedelta(minutes=minute))
    return ledger.add_release(release, RELEASE_FILES, ids=lambda _taken: ids)


def cancellation(release: Stored[Release], reason: str = "leaks") -> Cancellation:
    return Cancellation(
        env="prod", release=release.link, created=NOON, actor="ann@laptop", reason=reason
    )


# ids


def test_what_no_id_could_be_is_passed_over(ledger: FileLedger, tmp_path: Path) -> None:
    """A copy by hand stops nothing, and is told apart."""
    released(ledger)
    folder = ledger.release_folder("prod", "v1")
    shutil.copytree(folder, folder.with_name("v1 (copy)"))
    folder.with_name("v1 (copy).pruned.toml").write_text("x")
    shutil.copytree(folder.parent, folder.parents[1] / "prod (copy)")
    assert ledger.environments() == ["prod"]
    assert ledger.releases("prod") == ["v1"]
    assert ledger.pruned_releases("prod") == ledger.half_pruned("prod") == []
    assert ledger.foreign("prod") == ["v1 (copy)", "v1 (copy).pruned.toml"]
    assert ledger.foreign() == ["prod (copy)"]
    assert released(ledger).record.id == "v2"


def test_who_offers_ids_is_told_all_that_were_ever_taken(ledger: FileLedger) -> None:
    """Those of pruned releases too: they are not given again."""
    for minute, id in enumerate(("v1", "v2", "57")):
        add(ledger, id, minute=minute)
    ledger.prune_release(a_pruning(ledger.release("prod", "v2")))
    seen: list[Sequence[str]] = []

    def offer(taken: Sequence[str]) -> Iterator[str]:
        seen.append(sorted(taken))
        yield from ("v2", "57", "v9")

    stored = ledger.add_release(a_release(), RELEASE_FILES, ids=offer)
    assert seen == [["57", "v1", "v2"]]
    assert stored.record.id == "v9"


def test_a_number_that_was_pruned_is_not_given_again(ledger: FileLedger) -> None:
    """Also where it was the highest."""
    newest = [released(ledger) for _ in range(3)][-1]
    ledger.prune_release(a_pruning(newest))
    assert released(ledger).record.id == "v4"


@pytest.mark.parametrize("names", ["run", "under way", "cancellation", "promotion"])
@pytest.mark.parametrize("id", ["v3", TIMES[0]])
def test_the_id_of_one_that_is_gone_is_not_given_again(
    ledger: FileLedger, names: str, id: str
) -> None:
    """Whatever names it is told; a release that is there, or was pruned, is not gone."""
    for other in ("v1", "v2"):
        add(ledger, other)
        ran(ledger, other)
    ledger.prune_release(a_pruning(ledger.release("prod", "v1")))
    stored = add(ledger, id)
    if names == "run":
        ran(ledger, id)
        by = "run 3"
    elif names == "under way":
        ledger.begin_run("prod", {"release": {"id": id, "digest": stored.digest}}).close()
        by = "run 3"
    elif names == "cancellation":
        ledger.cancel_release(cancellation(stored))
        by = "its cancellation"
    else:
        released(ledger, "live", promoted_from=stored.record.name)
        by = "live/v1"
    assert ledger.gone_releases("prod") == {}
    shutil.rmtree(ledger.release_folder("prod", id))
    assert ledger.gone_releases("prod") == {id: [by]}
    assert ledger.gone_releases("live") == {}
    assert add(ledger, id, "v9").record.id == "v9"
    if id == "v3":
        shutil.rmtree(ledger.release_folder("prod", "v9"))
        assert released(ledger).record.id == "v4"


def test_no_id_left_is_an_error(ledger: FileLedger) -> None:
    """One that is offered and taken is not replaced."""
    add(ledger, "57")
    with pytest.raises(InputError, match="no id is left"):
        add(ledger, "57")


def test_the_folder_of_a_time_has_no_colons(ledger: FileLedger) -> None:
    """It is listed by its id, and found by either spelling."""
    stored = add(ledger, TIMES[0])
    assert ledger.release_folder("prod", TIMES[0]).name == "2026-04-06-120000"
    assert ledger.releases("prod") == [TIMES[0]]
    assert ledger.release("prod", TIMES[0]) == stored
    assert ledger.release("prod", "2026-04-06-120000") == stored
    assert ledger.release_files("prod", TIMES[0]) == RELEASE_FILES


def test_another_way_of_numbering_goes_on_where_the_first_ended(ledger: FileLedger) -> None:
    """Newest first by the records' own word, not by the files' times."""
    ids = ["v1", "v2", "57", TIMES[0], "58", "v3"]
    for minute, id in enumerate(ids):
        add(ledger, id, minute=minute)
        record = ledger.release_folder("prod", id) / "release.toml"
        os.utime(record, (1000 - minute, 1000 - minute))
    assert ledger.releases("prod") == ids[::-1]


# cancelled


def test_a_cancellation_stands_beside_the_release(ledger: FileLedger) -> None:
    """Its bytes stay; who, when and why is a record of its own."""
    stored = released(ledger)
    before = ledger.release_files("prod", "v1")
    assert ledger.cancelled("prod", "v1") is None
    made = ledger.cancel_release(cancellation(stored))
    assert made.record == cancellation(stored)
    assert ledger.cancelled("prod", "v1") == made
    assert ledger.release("prod", "v1") == stored
    assert ledger.release_files("prod", "v1") == before
    assert ledger.releases("prod") == ["v1"]
    assert (ledger.root / "releases/prod/v1.cancelled.toml").is_file()


@pytest.mark.parametrize("damage", [b"", b"schema = 1\n", b"\0" * 100])
def test_a_damaged_cancellation_is_no_permission(ledger: FileLedger, damage: bytes) -> None:
    """Whether the release may be run is not known: an error, not a yes."""
    ledger.cancel_release(cancellation(released(ledger)))
    (ledger.root / "releases/prod/v1.cancelled.toml").write_bytes(damage)
    with pytest.raises(LedgerError):
        ledger.cancelled("prod", "v1")


def test_a_cancellation_in_anothers_place_is_refused(ledger: FileLedger) -> None:
    """Renamed, it is not the one of that release."""
    ledger.cancel_release(cancellation(released(ledger)))
    folder = ledger.root / "releases/prod"
    (folder / "v1.cancelled.toml").rename(folder / "v2.cancelled.toml")
    with pytest.raises(LedgerError, match="its id is 'v1', not 'v2'"):
        ledger.cancelled("prod", "v2")


# pruned


def test_of_a_pruned_release_its_digests_stay(ledger: FileLedger) -> None:
    """It is listed no more, and whoever asks is told who put it away."""
    stored = released(ledger)
    released(ledger)
    made = ledger.prune_release(a_pruning(stored))
    assert made.record == a_pruning(stored)
    assert ledger.pruned("prod", "v1") == made
    assert ledger.pruned("prod", "v2") is None
    assert ledger.releases("prod") == ["v2"]
    assert ledger.pruned_releases("prod") == ["v1"]
    with pytest.raises(InputError, match="prod/v1 was pruned on 2026-04-06 by ann@laptop"):
        ledger.release("prod", "v1")
    assert sorted(path.name for path in (ledger.root / "releases/prod").iterdir()) == [
        *("v1.pruned.toml", "v2")
    ]


# killed


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do ``work`` in a process that is killed before its ``number``th change of the disk; return
    whether it came that far."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    done = 0

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def counting(*given: object, **named: object) -> object:
            nonlocal done
            done += 1
            if done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*given, **named)

        return counting

    try:
        for name in ("fsync", "rename", "replace", "link", "mkdir", "unlink", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))
        work()
        os._exit(0)
    finally:
        os._exit(1)


def every_kill(work: Callable[[], object]) -> Iterator[int]:
    """Yield after each kill of ``work``, at one change of the disk after the other."""
    number = 1
    while killed_at(number, work):
        yield number
        number += 1
    assert number > 3


def test_killed_at_any_write_a_release_is_whole_or_none(tmp_path: Path) -> None:
    """And the next one goes on."""
    files = {**RELEASE_FILES, "files/ab/logo.png": b"\x89PNG"}
    ledger = FileLedger(tmp_path)
    for _ in every_kill(lambda: FileLedger(tmp_path).add_release(a_release(), files)):
        for id in ledger.releases("prod"):
            assert ledger.release("prod", id).record.id == id
            assert ledger.release_files("prod", id) == files
        assert released(ledger).record.id == ledger.releases("prod")[0]
        ledger.prune_release(a_pruning(ledger.release("prod", ledger.releases("prod")[0])))


def test_killed_at_any_write_a_cancellation_is_whole_or_none(tmp_path: Path) -> None:
    """And can be made after that."""
    ledger = FileLedger(tmp_path)
    stored = released(ledger)
    path = tmp_path / "releases/prod/v1.cancelled.toml"
    for _ in every_kill(lambda: FileLedger(tmp_path).cancel_release(cancellation(stored))):
        assert ledger.cancelled("prod", "v1") in (None, ledger.cancel_release(cancellation(stored)))
        assert ledger.releases("prod") == ["v1"]
        path.unlink()


def test_killed_at_any_write_a_pruned_release_is_there_or_explained(tmp_path: Path) -> None:
    """Whole and listed, or not listed and known by its digests; what is left goes the next time."""
    ledger = FileLedger(tmp_path)
    kept = released(ledger)
    for number in every_kill(
        lambda: FileLedger(tmp_path).prune_release(
            a_pruning(ledger.release("prod", ledger.releases("prod")[0]))
        )
    ):
        ids = ledger.releases("prod")
        if number > 1 and len(ids) == 1:
            pruned = ledger.pruned_releases("prod")[0]
            assert ledger.pruned("prod", pruned)
        for id in ids:
            assert ledger.release_files("prod", id) == RELEASE_FILES
        for id in ledger.half_pruned("prod"):
            left = ledger.pruned("prod", id)
            assert left
            ledger.prune_release(left.record)
        assert ledger.half_pruned("prod") == []
        if len(ids) == 1:
            released(ledger)
        assert ledger.release("prod", "v1") == kept


# many


def release_at(gate: Barrier, root: Path, number: int) -> None:
    """Release once all are there, under the next number and under the first free of a few."""
    ledger = FileLedger(root)
    gate.wait()
    released(ledger, message=f"by {number}")
    ledger.add_release(a_release("dev", message=f"by {number}"), RELEASE_FILES, ids=times)


def times(_taken: Sequence[str]) -> Iterator[str]:
    return (TIMES[0] if n == 1 else f"{TIMES[0]}-{n}" for n in count(1))


def test_fifty_processes_release_at_once(tmp_path: Path) -> None:
    """Fifty releases of each environment: no id twice, none lost, each whole."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    gate = context.Barrier(50)
    processes = [
        context.Process(target=release_at, args=(gate, tmp_path, number)) for number in range(50)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {process.exitcode for process in processes} == {0}
    ledger = FileLedger(tmp_path)
    assert ledger.releases("prod") == [f"v{number}" for number in range(50, 0, -1)]
    assert ledger.releases("dev") == list(islice(times(()), 50))[::-1]
    for env in ("prod", "dev"):
        made = {ledger.release(env, id).record.message for id in ledger.releases(env)}
        assert made == {f"by {number}" for number in range(50)}
        assert all(ledger.release_files(env, id) == RELEASE_FILES for id in ledger.releases(env))


def test_ids_of_another_form_are_listed_by_when_they_were_given(ledger: FileLedger) -> None:
    """Of those that are offered the first free one is taken, in their order."""
    assert [add(ledger, *TIMES).record.id for _ in TIMES] == list(TIMES)
    assert ledger.releases("prod") == [*reversed(TIMES)]
