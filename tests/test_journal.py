"""The journal of a run under way: each line is on disk before the next step begins."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from stagekit.errors import LedgerError
from stagekit.ledger.journal import Journal, interrupted_run, take_lock

BEGUN = {
    "n": 3,
    "env": "prod",
    "project": "shop",
    "reason": "run",
    "actor": "ann",
    "release": {"id": "v1", "digest": "sha256:1"},
}


def begun(path: Path) -> Journal:
    return Journal.create(path, BEGUN)


def test_each_line_is_json_with_its_time(tmp_path: Path) -> None:
    """A journal can be read by hand while its run hangs."""
    journal = begun(tmp_path / "3.journal")
    journal.append({"step": "pull", "seconds": 1})
    journal.close()
    first, second = map(json.loads, (tmp_path / "3.journal").read_text().splitlines())
    assert datetime.fromisoformat(first.pop("at")).tzinfo is not None
    assert first == BEGUN
    assert second["step"] == "pull"


def test_a_line_is_on_disk_when_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was noted survives a power cut: every line is synced."""
    synced: list[int] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    journal = begun(tmp_path / "3.journal")
    monkeypatch.setattr(os, "fsync", note)
    journal.append({"step": "pull"})
    assert synced == [(tmp_path / "3.journal").stat().st_size]
    journal.close()


def test_a_journal_is_never_begun_twice(tmp_path: Path) -> None:
    """One that is there belongs to somebody."""
    begun(tmp_path / "3.journal").close()
    before = (tmp_path / "3.journal").read_bytes()
    with pytest.raises(LedgerError, match="file exists"):
        begun(tmp_path / "3.journal")
    assert (tmp_path / "3.journal").read_bytes() == before


def test_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    """Killed in the middle of a write: the whole lines count."""
    path = tmp_path / "3.journal"
    journal = begun(path)
    journal.append({"step": "pull", "seconds": 1.0, "outcome": "done"})
    journal.close()
    whole = path.read_bytes()
    for torn in (b"{", b'{"at": "x", "step": "up"', b'{"at": "x", "step": "up"}', b"\0\0\0\0"):
        path.write_bytes(whole + torn)
        run = interrupted_run(path)
        assert run is not None
        assert [step.name for step in run.steps] == ["pull"]
        assert (run.n, run.outcome) == (3, "interrupted")
        assert run.failure is not None
        assert run.failure.step == "pull"


def test_a_journal_cut_anywhere_gives_a_run_or_nothing(tmp_path: Path) -> None:
    """Whatever a kill leaves, reading it never fails."""
    path = tmp_path / "3.journal"
    journal = begun(path)
    journal.append({"step": "pull", "seconds": 1.0, "outcome": "done"})
    journal.close()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        run = interrupted_run(path)
        assert (run is None) == (length < first)
        assert run is None or len(run.steps) == (length == len(whole))


def test_a_lock_has_one_holder_and_says_who(tmp_path: Path) -> None:
    """The second is told the first one's process; closing lets go."""
    first = take_lock(tmp_path / "deep/lock", holding="environment prod")
    with pytest.raises(LedgerError) as caught:
        take_lock(tmp_path / "deep/lock", holding="environment prod")
    assert f"environment prod is taken by another run (process {os.getpid()})" in caught.value.what
    os.close(first)
    os.close(take_lock(tmp_path / "deep/lock", holding="environment prod"))


def test_a_lock_is_not_inherited(tmp_path: Path) -> None:
    """A program that a run starts cannot keep its environment taken."""
    lock = take_lock(tmp_path / "lock", holding="x")
    assert not os.get_inheritable(lock)
    os.close(lock)
