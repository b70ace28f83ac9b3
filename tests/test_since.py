"""The release before the next one."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from stagekit.events import Warned, ignore
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.compare import Side
from stagekit.pipeline.sides import commits
from stagekit.pipeline.since import commits_since, last_release, says_the_same
from stagekit.records import Cancellation
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON, a_build, a_release, released


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


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), ("1", 1)])
def test_a_value_of_another_type_is_a_change(old: object, new: object) -> None:
    """Where a variable stands says nothing, what it is does."""
    release = a_release()
    found = Side(name="prod/v1", release=release, files=variables(old))
    assert says_the_same(release, variables(old, "environments/prod/config.toml:9"), found)
    assert not says_the_same(release, variables(new), found)


def variables(value: object, origin: str = "environments/prod/config.toml:2") -> dict[str, bytes]:
    return {"variables.toml": tomli_w.dumps({"A": {"value": value, "origin": origin}}).encode()}


def test_the_commits_are_left_out_where_the_old_build_is_damaged(tmp_path: Path) -> None:
    """They are for people to read: no release of another build waits for that record."""
    ledger, heard = FileLedger(tmp_path), Heard()
    ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    released(ledger)
    record = tmp_path / "builds/b1.toml"
    record.chmod(0o644)
    record.write_text(record.read_text() + "# cut\n")
    previous = last_release(ledger, "prod", ignore)
    assert previous is not None
    assert previous.release.build.id == "b1"
    assert commits_since(previous, a_build("b2"), tmp_path, ledger, heard) == ()
    [warning] = heard.events
    assert isinstance(warning, Warned)
    assert "the commit that prod/v1 is of is not known: " in warning.text
    assert "b1.toml" in warning.text
    found = commits(tmp_path, ledger, previous.release, a_release(), ignore)
    assert (found.old, found.gained) == (None, ())
