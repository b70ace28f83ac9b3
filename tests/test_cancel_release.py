"""A release that is not to be run any more: refused, passed over, explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError, RunFailed
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.cancel_release import cancel
from stagekit.pipeline.history import rollback_target
from stagekit.pipeline.run import attempt
from stagekit.pipeline.run.recording import Running
from stagekit.records import CI
from stagekit.testing.fakes import FakeRunner, Heard
from stagekit.testing.records import ran, released
from tests.fakes import platform


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """Three releases that ran well, one after the other."""
    ledger = FileLedger(tmp_path)
    for id in ("v1", "v2", "v3"):
        released(ledger)
        ran(ledger, id)
    return ledger


def verify(ledger: FileLedger, id: str | None, heard: Heard | None = None) -> str:
    """Return which release a run would take."""
    on = platform(ledger, FakeRunner([]), heard=heard)
    return attempt.verify("prod", id, on, Running(on)).release.record.id


def test_a_cancellation_says_who_when_and_why(ledger: FileLedger) -> None:
    """And names the release by its digest."""
    ci = CI(name="gocd")
    stored = cancel(ledger, "prod", "v2", reason=" leaks\n", actor="bob@ci", ci=ci)
    record = stored.record
    assert (record.reason, record.actor, record.ci) == ("leaks", "bob@ci", ci)
    assert record.release == ledger.release("prod", "v2").link
    assert ledger.cancelled("prod", "v2") == stored


def test_to_cancel_twice_changes_nothing(ledger: FileLedger) -> None:
    """The first one stands, and comes back."""
    first = cancel(ledger, "prod", "v2", reason="leaks", actor="bob@ci")
    assert cancel(ledger, "prod", "v2", reason="other", actor="ann@laptop") == first


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_cancellation_without_a_reason_is_refused(ledger: FileLedger, reason: str) -> None:
    """Whoever finds it later wants to know."""
    with pytest.raises(InputError) as caught:
        cancel(ledger, "prod", "v2", reason=reason, actor="bob@ci")
    assert caught.value.where == "--reason"
    assert ledger.cancelled("prod", "v2") is None


def test_only_a_release_that_is_there_is_cancelled(ledger: FileLedger) -> None:
    """A typing mistake leaves no record behind."""
    with pytest.raises(InputError, match="no release prod/v9"):
        cancel(ledger, "prod", "v9", reason="leaks", actor="bob@ci")
    assert ledger.cancelled("prod", "v9") is None


def test_a_cancelled_release_is_not_run(ledger: FileLedger) -> None:
    """The error says who cancelled it, and why."""
    cancel(ledger, "prod", "v3", reason="leaks", actor="bob@ci")
    with pytest.raises(RunFailed, match="prod/v3 was cancelled by bob@ci: leaks") as caught:
        verify(ledger, "v3")
    assert "inv release.list --env prod" in str(caught.value.hint)
    assert verify(ledger, "v2") == "v2"


def test_the_newest_that_was_not_cancelled_is_taken(ledger: FileLedger) -> None:
    """Where none is named; it says that it passed over a newer one."""
    cancel(ledger, "prod", "v3", reason="leaks", actor="bob@ci")
    heard = Heard()
    assert verify(ledger, None, heard) == "v2"
    assert "prod/v3 was cancelled: prod/v2 is the newest that was not" in heard.text


def test_a_rollback_passes_it_over(ledger: FileLedger) -> None:
    """The one before that ran well is the target."""
    assert rollback_target(ledger, "prod", Heard()) == "v2"
    cancel(ledger, "prod", "v2", reason="leaks", actor="bob@ci")
    assert rollback_target(ledger, "prod", Heard()) == "v1"
    cancel(ledger, "prod", "v1", reason="leaks", actor="bob@ci")
    with pytest.raises(InputError, match="no earlier release ran well"):
        rollback_target(ledger, "prod", Heard())
