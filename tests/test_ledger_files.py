"""The ledger as files: appended, never edited; a process may die at any moment."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from stagekit import durable
from stagekit.envelope import encode
from stagekit.errors import InputError, LedgerError, StagekitError
from stagekit.ledger.files import FileLedger
from stagekit.testing.records import (
    NOON,
    RELEASE_FILES,
    a_build,
    a_comparison,
    a_release,
    a_run,
    ran,
    released,
)

HOSTILE_NAMES = [
    *("", ".", "..", "../x", "a/b", "/etc", "a\n", ".hidden", "-x", "a b", "ä", "a\0", "a" * 129),
]


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "artifacts")


def add_build(ledger: FileLedger, id: str, **changes: object) -> str:
    slot = ledger.reserve_build(a_build(id))
    slot.finish(a_build(slot.id, **changes))
    return slot.id


def side_by_side(work: Callable[[Path, int], list[str]], root: Path, count: int) -> list[str]:
    """Do ``work`` in three processes at once; return what all of them return."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        return [item for done in pool.map(work, [root] * 3, [count] * 3) for item in done]


def reserve_builds(root: Path, count: int) -> list[str]:
    return [add_build(FileLedger(root), "b") for _ in range(count)]


def add_releases(root: Path, count: int) -> list[str]:
    return [released(FileLedger(root)).record.id for _ in range(count)]


def begin_runs(root: Path, count: int) -> list[str]:
    numbers = []
    while len(numbers) < count:
        try:
            numbers.append(str(ran(FileLedger(root), "v1").record.n))
        except LedgerError as error:
            assert "is taken by another run" in error.what  # noqa: PT017
    return numbers


# builds


def test_an_id_is_given_once(ledger: FileLedger) -> None:
    """A taken id gets a number, whether its build has ended, is under way, or was killed."""
    assert add_build(ledger, "b") == "b"
    with closing(ledger.reserve_build(a_build("b"))) as under_way:
        assert under_way.id == "b-2"
        assert add_build(ledger, "b") == "b-3"
    assert add_build(FileLedger(ledger.root), "b-2") == "b-2-2"
    assert set(ledger.builds()) == {"b", "b-3", "b-2-2"}


def test_a_build_whose_process_died_is_closed_by_the_next_command(ledger: FileLedger) -> None:
    """Its record says how far it came, in the words that it had noted."""
    begun = a_build("b", status="interrupted", images={}, actor="bob@ci")
    with closing(ledger.reserve_build(begun)) as slot:
        slot.note({"step": "build", "image": "web"})
        slot.note({"step": "push", "image": "api"})
        slot.log("web | Step 1/2")
    assert ledger.builds_under_way() == []
    assert ledger.close_interrupted_builds() == ["b"]
    build = ledger.build("b").record
    assert (build.status, build.actor, build.finished > build.created) == (
        "interrupted",
        "bob@ci",
        True,
    )
    [failure] = build.failures
    assert (failure.subject, failure.step) == ("api", "push")
    assert ledger.build_log("b") == b"web | Step 1/2\n"
    assert ledger.close_interrupted_builds() == []
    assert not (ledger.root / "builds/b.journal").exists()


def test_of_a_build_that_left_no_words_nothing_is_made_up(ledger: FileLedger) -> None:
    """A torn first line tells of no build; the file is put aside, not thrown away."""
    with closing(ledger.reserve_build(a_build("b"))):
        pass
    journal = ledger.root / "builds/b.journal"
    journal.write_bytes(journal.read_bytes()[:20])
    assert ledger.close_interrupted_builds() == []
    assert ledger.find_build("b") is None
    assert not journal.exists()
    assert len(list(journal.parent.iterdir())) == 2  # it, and the log


def test_the_id_of_a_journal_that_cannot_be_read_is_not_given_again(ledger: FileLedger) -> None:
    """Its images may have been pushed, and its log and what was put aside are kept as they are."""
    for id in ("b", "b-2"):
        with closing(ledger.reserve_build(a_build("b"))) as slot:
            assert slot.id == id
            slot.log(id)
        (ledger.root / f"builds/{id}.journal").write_text(f'{{"{id}": "of a newer version"}}\n')
        assert ledger.close_interrupted_builds() == []
    assert add_build(ledger, "b") == "b-3"
    for id in ("b", "b-2"):
        assert id in (ledger.root / f"builds/{id}.unreadable").read_text()
        assert ledger.build_log(id) == f"{id}\n".encode()


@pytest.mark.parametrize("damaged", [True, False])
@pytest.mark.parametrize("kind", ["builds", "comparisons"])
def test_a_journal_that_another_command_has_just_closed_is_left_alone(
    ledger: FileLedger, monkeypatch: pytest.MonkeyPatch, kind: str, damaged: bool
) -> None:
    """It has its record, or is put aside, between our look at it and our lock."""
    ledger.reserve_build(a_build("1")).close()
    ledger.begin_comparison(a_comparison()).close()
    if damaged:
        (ledger.root / kind / "1.journal").write_text("{")
    flock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        assert bool(close(FileLedger(ledger.root))) == (not damaged)
        flock(descriptor, operation)

    def close(ledger: FileLedger) -> list[object]:
        return [*getattr(ledger, f"close_interrupted_{kind}")()]

    monkeypatch.setattr(fcntl, "flock", late)
    assert close(ledger) == []
    assert (ledger.root / kind / "1.toml").exists() != damaged


def test_what_a_build_was_made_from_is_kept_beside_it(ledger: FileLedger) -> None:
    """And is empty, no error, where it is not at hand."""
    slot = ledger.reserve_build(a_build("b"))
    slot.finish(a_build("b"), b"{}")
    assert ledger.build_inputs("b") == b"{}"
    (ledger.root / "builds/b.inputs").unlink()
    assert ledger.build_inputs("b") == b""
    assert ledger.build_log("b") == b""


def test_builds_of_many_processes_get_ids_of_their_own(tmp_path: Path) -> None:
    """Three machines' worth of jobs at once: no id twice, no record lost."""
    ids = side_by_side(reserve_builds, tmp_path, 12)
    assert Counter(ids).most_common(1)[0][1] == 1
    assert set(FileLedger(tmp_path).builds()) == set(ids)
    assert all(FileLedger(tmp_path).build(id).record.id == id for id in ids)


def test_an_id_that_was_finished_a_moment_ago_is_not_given_again(
    ledger: FileLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process ends its build between our look and our reservation: the id is taken."""
    writing = durable.writing

    def late(path: Path) -> AbstractContextManager[None]:
        monkeypatch.setattr(durable, "writing", writing)
        add_build(FileLedger(ledger.root), "b")
        return writing(path)

    monkeypatch.setattr(durable, "writing", late)
    with closing(ledger.reserve_build(a_build("b"))) as slot:
        assert slot.id == "b-2"
    assert not (ledger.root / "builds/b.journal").exists()


def test_builds_are_listed_newest_first_by_their_own_word(ledger: FileLedger) -> None:
    """The record's time counts, not the file's: a copied folder lists alike."""
    for number, id in enumerate(["c", "a", "b"]):
        add_build(ledger, id, created=NOON + timedelta(minutes=number))
        os.utime(ledger.root / "builds" / f"{id}.toml", (1000 - number, 1000 - number))
    assert ledger.builds() == ["b", "a", "c"]


def test_builds_by_name_need_no_record(ledger: FileLedger) -> None:
    """Their ids tell; what lies beside them, and what was pruned, is none."""
    for id in ("2026.04.06-09.00", "2026.04.06-10.00", "2026.04.06-10.00-2"):
        add_build(ledger, id)
        (ledger.root / "builds" / f"{id}.toml").write_text("damaged")
        (ledger.root / "builds" / f"{id}.log").touch()
    (ledger.root / "builds/2026.04.06-09.00.pruned").touch()
    assert ledger.builds_by_name() == ["2026.04.06-10.00-2", "2026.04.06-10.00"]


# releases


def test_releases_of_many_processes_get_ids_of_their_own(tmp_path: Path) -> None:
    """Nobody's release replaces another's, and none is half there."""
    ids = side_by_side(add_releases, tmp_path, 8)
    assert sorted(ids, key=lambda name: int(name[1:])) == [f"v{number}" for number in range(1, 25)]
    assert all(FileLedger(tmp_path).release("prod", id).record.id == id for id in ids)


def test_a_half_written_release_is_none(ledger: FileLedger) -> None:
    """What a killed process left under its temporary name is passed over by every listing."""
    released(ledger)
    left = ledger.root / "releases/prod/.tmp-v2-00000000"
    left.mkdir()
    (left / "compose.yaml").write_text("half")
    assert ledger.releases("prod") == ["v1"]
    assert released(ledger).record.id == "v2"


def test_a_missing_release_is_told_which_there_are(ledger: FileLedger) -> None:
    """A typing mistake ends with the list of ids, or with what makes the first."""
    with pytest.raises(InputError, match="no release prod/v9") as caught:
        ledger.release("prod", "v9")
    assert caught.value.hint == "inv release --env prod makes one"
    released(ledger)
    with pytest.raises(InputError) as caught:
        ledger.release("prod", "v9")
    assert caught.value.hint == "there are: v1"


# damage


def test_a_damaged_record_hides_no_other(ledger: FileLedger) -> None:
    """It is listed, reading it is an error that names the file, and the rest stays readable."""
    for id in ("b1", "b2"):
        add_build(ledger, id)
        released(ledger)
        ran(ledger, "v1")
    reads: dict[str, Callable[[], object]] = {
        "builds/b2.toml": lambda: ledger.build("b2"),
        "releases/prod/v2/release.toml": lambda: ledger.release("prod", "v2"),
        "runs/prod/2.toml": lambda: ledger.run("prod", 2),
    }
    for path, read in reads.items():
        data = (ledger.root / path).read_bytes()
        for damage in (b"", data[:-5], data.replace(b"ann", b"bob"), b"\0" * len(data)):
            (ledger.root / path).write_bytes(damage)
            with pytest.raises(LedgerError) as caught:
                read()
            assert str(caught.value.where).endswith(path)
    assert set(ledger.builds()) == {"b1", "b2"}
    assert ledger.releases("prod") == ["v2", "v1"]
    assert ledger.runs("prod") == [2, 1]
    assert ledger.build("b1").record.id == "b1"
    assert ledger.release("prod", "v1").record.id == "v1"
    assert ledger.run("prod", 1).record.n == 1
    assert add_build(ledger, "b2") == "b2-2"
    assert released(ledger).record.id == "v3"
    assert ran(ledger, "v1").record.n == 3


def test_a_record_that_is_a_folder_or_gone_is_an_error(ledger: FileLedger) -> None:
    """Whatever stands where a record should, the answer is one line."""
    released(ledger)
    path = ledger.root / "releases/prod/v1/release.toml"
    path.unlink()
    with pytest.raises(LedgerError, match="not a regular file"):
        ledger.release("prod", "v1")
    path.mkdir()
    with pytest.raises(LedgerError, match="not a regular file"):
        ledger.release("prod", "v1")


@pytest.mark.parametrize("name", ["extra", "compose.yaml", "release.toml"])
def test_a_link_in_a_release_is_an_error(ledger: FileLedger, tmp_path: Path, name: str) -> None:
    """What it leads to may be anything: one is neither added nor put in place of a file."""
    released(ledger)
    path = ledger.root / "releases/prod/v1" / name
    if path.exists():
        path.rename(tmp_path / name)
    path.symlink_to(tmp_path / name)
    read = ledger.release if name == "release.toml" else ledger.release_files
    with pytest.raises(LedgerError, match="not a regular file") as caught:
        read("prod", "v1")
    assert caught.value.where == str(path)


def test_a_pipe_in_a_release_is_an_error(ledger: FileLedger) -> None:
    """Reading it would wait for ever."""
    released(ledger)
    os.mkfifo(ledger.root / "releases/prod/v1/extra")
    with pytest.raises(LedgerError, match="not a regular file"):
        ledger.release_files("prod", "v1")


def test_a_record_in_anothers_place_is_refused(ledger: FileLedger) -> None:
    """Whole, with its digest, and copied or renamed: it is not the one that was asked for."""
    add_build(ledger, "b1")
    released(ledger)
    released(ledger, "dev")
    ran(ledger, "v1")
    ran(ledger, "v1", env="dev")
    copies = {
        "builds/b1.toml": "builds/b2.toml",
        "releases/prod/v1": "releases/prod/v2",
        "releases/dev/v1": "releases/test/v1",
        "runs/prod/1.toml": "runs/prod/2.toml",
        "runs/dev/1.toml": "runs/test/1.toml",
    }
    for source, target in copies.items():
        (ledger.root / target).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ledger.root / source).is_dir() else shutil.copy
        copy(ledger.root / source, ledger.root / target)
    for read, wrong in (
        (lambda: ledger.build("b2"), "its id is 'b1', not 'b2'"),
        (lambda: ledger.release("prod", "v2"), "its id is 'v1', not 'v2'"),
        (lambda: ledger.release("test", "v1"), "its env is 'dev', not 'test'"),
        (lambda: ledger.run("prod", 2), "its n is 1, not 2"),
        (lambda: ledger.run("test", 1), "its env is 'dev', not 'test'"),
    ):
        with pytest.raises(LedgerError, match=wrong):
            read()


# runs


def test_a_run_is_read_as_it_was_written(ledger: FileLedger) -> None:
    """Numbers count up per environment; the journal is gone once the record is there."""
    stored = ran(ledger, "v1")
    assert ledger.run("prod", 1) == stored
    assert ran(ledger, "v1").record.n == 2
    assert ran(ledger, "v1", env="dev").record.n == 1
    assert ledger.runs("prod") == [2, 1]
    assert sorted(path.name for path in (ledger.root / "runs/prod").iterdir()) == [
        *("1.toml", "2.toml", "lock")
    ]


def test_ten_runs_are_in_the_order_of_their_numbers(ledger: FileLedger) -> None:
    """10 comes after 9, not after 1."""
    for _ in range(10):
        ran(ledger, "v1")
    assert ledger.runs("prod") == list(range(10, 0, -1))


def test_an_environment_has_one_run_at_a_time(ledger: FileLedger) -> None:
    """The second is refused and told who holds it; another environment is free."""
    journal = ledger.begin_run("prod", {})
    with pytest.raises(LedgerError, match=f"environment prod is taken .*{os.getpid()}"):
        FileLedger(ledger.root).begin_run("prod", {})
    ran(ledger, "v1", env="dev")
    journal.finish(a_run(journal.n))
    journal.close()
    assert ran(ledger, "v1").record.n == 2


def test_runs_of_many_processes_get_numbers_of_their_own(tmp_path: Path) -> None:
    """Who is refused tries again; no number is given twice."""
    numbers = side_by_side(begin_runs, tmp_path, 6)
    assert sorted(map(int, numbers)) == list(range(1, 19))


HOLDER = """
import sys, time
from pathlib import Path
from stagekit.ledger.files import FileLedger
begun = {"project": "shop", "reason": "run", "actor": "ann@laptop",
         "release": {"id": "v1", "digest": "sha256:1"}}
journal = FileLedger(Path(sys.argv[1])).begin_run("prod", begun)
journal.note({"step": "pull", "seconds": 1.5, "outcome": "pulled"})
journal.note({"step": "up", "seconds": 2.5, "outcome": ""})
print("ready", flush=True)
time.sleep(60)
"""


def test_a_killed_run_frees_its_environment_and_gets_its_record(ledger: FileLedger) -> None:
    """kill -9 in mid-run: the next run goes on at once, and the dead one is in the records."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ledger.root)], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(LedgerError, match=f"process {holder.pid}"):
            ledger.begin_run("prod", {})
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert ledger.runs("prod") == []
    assert ran(ledger, "v1").record.n == 2
    dead = ledger.run("prod", 1).record
    assert (dead.n, dead.env, dead.reason, dead.outcome) == (1, "prod", "run", "interrupted")
    assert (dead.actor, dead.release.id, dead.project) == ("ann@laptop", "v1", "shop")
    assert [(step.name, step.seconds, step.outcome) for step in dead.steps] == [
        ("pull", 1.5, "pulled"),
        ("up", 2.5, ""),
    ]
    assert dead.failure is not None
    assert dead.failure.step == "up"
    assert dead.created <= dead.finished
    assert not list((ledger.root / "runs/prod").glob("*.journal"))


def test_a_run_killed_after_its_record_keeps_it(ledger: FileLedger) -> None:
    """Between the record and the end of its journal: the record stands, its number is taken."""
    stored = ran(ledger, "v1")
    journal = ledger.root / "runs/prod/1.journal"
    journal.write_text(json.dumps({"at": NOON.isoformat(), "n": 1}) + "\n")
    assert ran(ledger, "v1").record.n == 2
    assert ledger.run("prod", 1) == stored
    assert not journal.exists()


@pytest.mark.parametrize("text", [b"", b'{"at": "2026', b"\0\0\0", b"\xff\n", b"[]\n", b"{}\n"])
def test_a_journal_that_says_nothing_stops_nothing(ledger: FileLedger, text: bytes) -> None:
    """Killed before its first line was whole, or damaged: the next run goes on."""
    journal = ledger.root / "runs/prod/1.journal"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(text)
    stored = ran(ledger, "v1").record
    assert (stored.n, stored.outcome) == (2, "running")
    assert not journal.exists()
    assert ledger.runs("prod") == [2]


def test_a_journal_that_says_nothing_is_kept_with_its_number(ledger: FileLedger) -> None:
    """It is set aside for whoever wants to read it, and no run is ever given its number."""
    ran(ledger, "v1")
    journal = ledger.root / "runs/prod/2.journal"
    journal.write_bytes(b"half a li")
    assert ran(ledger, "v1").record.n == 3
    kept = journal.with_suffix(".unreadable")
    assert kept.read_bytes() == b"half a li"
    (ledger.root / "runs/prod/3.toml").unlink()
    assert ran(ledger, "v1").record.n == 3
    (ledger.root / "runs/prod/3.toml").unlink()
    (ledger.root / "runs/prod/4.journal").write_bytes(b"")
    assert ran(ledger, "v1").record.n == 5
    assert kept.read_bytes() == b"half a li"
    assert ledger.runs("prod") == [5, 1]


def test_a_run_without_a_record_is_known(ledger: FileLedger) -> None:
    """Under way or interrupted: its number is told until it has its record."""
    assert ledger.unfinished_run("prod") is None
    ran(ledger, "v1")
    assert ledger.unfinished_run("prod") is None
    journal = ledger.begin_run("prod", {})
    assert ledger.unfinished_run("prod") == 2
    journal.close()
    assert ledger.unfinished_run("prod") == 2
    ran(ledger, "v1")
    assert ledger.unfinished_run("prod") is None


def test_a_run_with_a_record_is_not_under_way(ledger: FileLedger) -> None:
    """Killed between its record and the end of its journal, it is finished: nothing waits for it,
    and the journal goes with the next that closes what was interrupted."""
    ran(ledger, "v1")
    journal = ledger.root / "runs/prod/1.journal"
    journal.write_text('{"at": "2026-11-27T08:00:00+00:00"}\n')
    record = ledger.run("prod", 1)
    assert ledger.unfinished_run("prod") is None
    assert list(ledger.close_interrupted_runs("prod")) == []
    assert not journal.exists()
    assert ledger.run("prod", 1) == record


# names


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_leads_out_of_the_ledger(ledger: FileLedger, name: str) -> None:
    """A record's or environment's name is one plain word, wherever it comes in."""
    before = sorted(ledger.root.parent.rglob("*"))
    for use in (
        lambda: ledger.reserve_build(a_build(name)),
        lambda: ledger.build(name),
        lambda: ledger.find_build(name),
        lambda: ledger.releases(name),
        lambda: ledger.release(name, "v1"),
        lambda: ledger.release("prod", name),
        lambda: ledger.release_folder(name, "v1"),
        lambda: ledger.release_files("prod", name),
        lambda: ledger.add_release(a_release(name), RELEASE_FILES),
        lambda: ledger.begin_run(name, {}),
        lambda: ledger.runs(name),
        lambda: ledger.run(name, 1),
    ):
        with pytest.raises(InputError, match="cannot name a record"):
            use()
    assert sorted(ledger.root.parent.rglob("*")) == before


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A file where artifacts/ should be: each write is one line with its path."""
    (tmp_path / "artifacts").write_text("a file")
    ledger = FileLedger(tmp_path / "artifacts")
    for use in (
        lambda: ledger.reserve_build(a_build("b")),
        lambda: released(ledger),
        lambda: ledger.begin_run("prod", {}),
    ):
        with pytest.raises(StagekitError) as caught:
            use()
        assert isinstance(caught.value, LedgerError)
        assert str(caught.value.where).startswith(str(tmp_path / "artifacts"))


def test_nothing_is_ever_edited(ledger: FileLedger) -> None:
    """Whatever is appended later, a record's bytes stay as they are."""
    add_build(ledger, "b")
    released(ledger)
    ran(ledger, "v1")
    kept = {path: path.read_bytes() for path in ledger.root.rglob("*.toml")}
    add_build(ledger, "b")
    released(ledger)
    ran(ledger, "v1", "failed")
    ran(ledger, "v1", "stopped")
    assert {path: path.read_bytes() for path in kept} == kept
    assert encode(a_build("b")) in kept.values()


def test_a_damaged_build_that_is_looked_for_is_an_error(ledger: FileLedger) -> None:
    """Not at hand is no error; at hand and damaged is one."""
    add_build(ledger, "b1")
    (ledger.root / "builds/b1.toml").write_bytes(b"")
    with pytest.raises(LedgerError):
        ledger.find_build("b1")


def test_looking_makes_no_folder(ledger: FileLedger) -> None:
    """Nothing was written: nothing is there."""
    assert ledger.builds() == ledger.releases("prod") == []
    assert not ledger.root.exists()
