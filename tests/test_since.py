"""The release before the next one."""

from __future__ import annotations

from pathlib import Path

from stagekit.events import Warned, ignore
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.since import last_release, says_the_same
from stagekit.records import Cancellation
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON, a_release, released


def test_the_newest_is_the_one_before(tmp_path: Path) -> None:
    """With its files, for what is made next to be compared with; the first has none before it."""
    ledger = FileLedger(tmp_path)
    assert last_release(ledger, "prod", ignore) is None
    released(ledger)
    released(ledger)
    found = last_release(ledger, "prod", ignore)
    assert found is not None
    assert (found.name, found.notes) == ("prod/v2", ())
    assert says_the_same(a_release(), found.files, found)


def test_nothing_is_the_same_as_a_cancelled_one(tmp_path: Path) -> None:
    """The same once more is a release of its own, that may be run."""
    ledger, heard = FileLedger(tmp_path), Heard()
    link = released(ledger).link
    ledger.cancel_release(
        Cancellation(env="prod", release=link, created=NOON, actor="ann", reason="leaks")
    )
    found = last_release(ledger, "prod", heard)
    assert found is not None
    assert not says_the_same(a_release(), found.files, found)
    assert heard.events == [Warned("prod/v1 was cancelled: leaks")]


def test_nothing_is_the_same_as_a_damaged_one(tmp_path: Path) -> None:
    """It is told which file is not as it was sealed."""
    ledger, heard = FileLedger(tmp_path), Heard()
    released(ledger)
    (tmp_path / "releases/prod/v1/compose.yaml").write_text("services: {}\n")
    found = last_release(ledger, "prod", heard)
    assert found is not None
    assert not says_the_same(a_release(), found.files, found)
    assert "compose.yaml" in str(heard.events[0])
