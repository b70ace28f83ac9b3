"""What was released and run before, and what ``current`` and ``previous`` mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.events import Warned, ignore
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.history import last_run, parse_name, readable_releases, rollback_target
from stagekit.testing.fakes import Heard
from stagekit.testing.records import ran, released


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """A ledger with four releases to prod that nobody has run."""
    ledger = FileLedger(tmp_path)
    for _ in range(4):
        released(ledger)
    return ledger


def test_the_last_run_is_the_newest(ledger: FileLedger) -> None:
    """However it ended."""
    assert last_run(ledger, "prod", ignore) is None
    ran(ledger, "v1")
    stored = ran(ledger, "v2", "failed")
    assert last_run(ledger, "prod", ignore) == stored


@pytest.mark.parametrize(
    ("runs", "target"),
    [
        (["v1", "v2"], "v1"),
        (["v1", "v2", "v3!"], "v2"),
        (["v1", "v2!", "v3"], "v1"),
        (["v1", "v2", "v3", "v2"], "v1"),  # a rollback again goes one further back
        (["v2", "v1", "v3"], "v2"),  # by release, not by the time it was run
        (["v1", "v3", "v3.stopped"], "v1"),
        (["v1!", "v1", "v2"], "v1"),
    ],
)
def test_a_rollback_goes_to_the_last_earlier_release_that_ran_well(
    ledger: FileLedger, runs: list[str], target: str
) -> None:
    """``!`` failed; the release in force is never its own way back."""
    for run in runs:
        outcome = "failed" if run.endswith("!") else run.partition(".")[2] or "running"
        ran(ledger, run.partition(".")[0].rstrip("!"), outcome)
    assert rollback_target(ledger, "prod", ignore) == target
    assert parse_name(ledger, "prod/previous", ignore) == ("prod", target)


@pytest.mark.parametrize("runs", [[], ["v1"], ["v1!", "v2"], ["v2", "v1"]])
def test_without_an_earlier_good_release_there_is_no_way_back(
    ledger: FileLedger, runs: list[str]
) -> None:
    """It is said, with how to choose by hand."""
    for run in runs:
        ran(ledger, run.rstrip("!"), "failed" if run.endswith("!") else "running")
    with pytest.raises(InputError, match="no earlier release ran well in prod") as caught:
        rollback_target(ledger, "prod", ignore)
    assert "--to" in str(caught.value.hint)


def test_names_mean_what_they_say(ledger: FileLedger) -> None:
    """latest is the newest release, current the one run last, an id itself."""
    ran(ledger, "v2")
    ran(ledger, "v3", "failed")
    assert parse_name(ledger, "prod/latest", ignore) == ("prod", "v4")
    assert parse_name(ledger, "prod/current", ignore) == ("prod", "v3")
    assert parse_name(ledger, "prod/running", ignore) == ("prod", "v3")
    assert parse_name(ledger, "prod/v1", ignore) == ("prod", "v1")


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("dev/latest", "release"),
        ("dev/current", "release"),
        ("prod/current", "run"),
        ("prod/running", "run"),
    ],
)
def test_what_is_not_there_yet_is_said(ledger: FileLedger, name: str, task: str) -> None:
    """A name without a release behind it ends with what makes one; where there are some, with what
    runs one."""
    with pytest.raises(InputError, match=f"there is no {name} yet") as caught:
        parse_name(ledger, name, ignore)
    assert caught.value.hint == f"inv {task} --env {name.partition('/')[0]}"


@pytest.mark.parametrize("text", ["", "v1", "prod", "prod/", "/v1", "/"])
def test_half_a_name_is_refused(ledger: FileLedger, text: str) -> None:
    """The hint shows a whole one."""
    with pytest.raises(InputError, match="does not name a release") as caught:
        parse_name(ledger, text, ignore)
    assert "dev/v1" in str(caught.value.hint)


def damage(ledger: FileLedger, path: str) -> None:
    """Cut the last byte off a record."""
    file = ledger.root / path
    file.write_bytes(file.read_bytes()[:-1])


def test_a_damaged_newest_run_is_warned_of_and_passed_over(ledger: FileLedger) -> None:
    """At night, one broken file does not stand between anybody and the way back."""
    for release in ("v1", "v2", "v3"):
        ran(ledger, release)
    damage(ledger, "runs/prod/3.toml")
    heard = Heard()
    last = last_run(ledger, "prod", heard)
    assert last is not None
    assert last.record.n == 2
    [warned] = heard.events
    assert isinstance(warned, Warned)
    assert warned.text.startswith("run 3 of prod is passed over: ")
    assert "runs/prod/3.toml" in warned.text
    assert parse_name(ledger, "prod/current", ignore) == ("prod", "v2")
    assert rollback_target(ledger, "prod", ignore) == "v1"


def test_a_damaged_old_run_costs_no_more_than_itself(ledger: FileLedger) -> None:
    """Whoever does not need it never hears of it; a rollback goes to one that can be read."""
    for release in ("v1", "v2", "v3"):
        ran(ledger, release)
    damage(ledger, "runs/prod/2.toml")
    unheard, heard = Heard(), Heard()
    assert parse_name(ledger, "prod/current", unheard) == ("prod", "v3")
    assert unheard.events == []
    assert rollback_target(ledger, "prod", heard) == "v1"
    assert [isinstance(event, Warned) for event in heard.events] == [True]
    assert "run 2 of prod" in heard.text


def test_where_every_run_is_damaged_there_is_none(ledger: FileLedger) -> None:
    """Each of them is named."""
    ran(ledger, "v1")
    ran(ledger, "v2")
    damage(ledger, "runs/prod/1.toml")
    damage(ledger, "runs/prod/2.toml")
    heard = Heard()
    assert last_run(ledger, "prod", heard) is None
    assert len(heard.events) == 2


@pytest.mark.parametrize("id", ["v4", "v2"])
def test_a_damaged_release_is_warned_of_and_passed_over(ledger: FileLedger, id: str) -> None:
    """Be it the newest or an old one, the others are there in their order."""
    damage(ledger, f"releases/prod/{id}/release.toml")
    heard = Heard()
    found = [item.record.id for item in readable_releases(ledger, "prod", heard)]
    assert found == [name for name in ("v4", "v3", "v2", "v1") if name != id]
    [warned] = heard.events
    assert isinstance(warned, Warned)
    assert warned.text.startswith(f"prod/{id} is passed over: ")
