"""Which releases may be put away, and that nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.pipeline import prune as stage
from stagekit.records import Cancellation
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON, a_build, ran, released

IDS = ("v6", "v5", "v4", "v3", "v2", "v1")


def decided(keep: int = 2, **known: object) -> stage.Plan:
    return stage.decide(stage.Facts(env="prod", keep=keep, ids=IDS, **known))  # type: ignore[arg-type]


def test_the_newest_stay() -> None:
    """As many as are asked for; with fewer than that, all."""
    assert decided().prune == ("v4", "v3", "v2", "v1")
    assert decided(5).prune == ("v1",)
    assert decided(6).prune == decided(7).prune == ()


def test_a_cancelled_release_is_none_of_those_that_stay() -> None:
    """Two that may be run stay, and what lies between them."""
    assert decided(cancelled=frozenset({"v6", "v4"})).prune == ("v2", "v1")
    assert decided(cancelled=frozenset(IDS)).prune == ()


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ({"in_force": frozenset({"v1", "v6"})}, {"v1": "it runs, or may"}),
        ({"previous": "v2"}, {"v2": "a rollback would go to it"}),
        ({"promoted": {"v3": "live/v9"}}, {"v3": "live/v9 was promoted from it"}),
        ({"damaged": frozenset({"v4"})}, {"v4": "its record cannot be read"}),
    ],
)
def test_what_is_needed_stays(known: dict[str, object], kept: dict[str, str]) -> None:
    """With the reason."""
    plan = decided(**known)
    assert plan.kept == kept
    assert set(plan.prune) == {"v4", "v3", "v2", "v1"} - set(kept)


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """Six releases to prod, three of which were run."""
    ledger = FileLedger(tmp_path)
    ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    for _ in IDS:
        released(ledger)
    for id in ("v1", "v2", "v3"):
        ran(ledger, id)
    return ledger


def planned(ledger: FileLedger, keep: int = 1, heard: Heard | None = None) -> stage.Plan:
    return stage.decide(stage.gather("prod", keep=keep, ledger=ledger, emit=heard or Heard()))


def pruned(ledger: FileLedger, keep: int = 1) -> list[str]:
    plan = planned(ledger, keep)
    done = stage.apply(plan, ledger=ledger, actor="ann@laptop", emit=Heard())
    return [stored.record.id for stored in done]


def test_the_release_that_runs_and_the_one_before_stay(ledger: FileLedger) -> None:
    """v3 runs, v2 is what a rollback goes to; the newest stays; the rest goes, oldest first."""
    builds = ledger.builds()
    assert pruned(ledger) == ["v1", "v4", "v5"]
    assert ledger.releases("prod") == ["v6", "v3", "v2"]
    assert ledger.builds() == builds
    assert list(ledger.runs("prod")) == [3, 2, 1]
    left = ledger.pruned("prod", "v1")
    assert left
    assert (left.record.actor, left.record.build.id) == ("ann@laptop", "b1")
    assert pruned(ledger) == []


def test_after_a_failed_run_both_may_run(ledger: FileLedger) -> None:
    """The one that failed, and the last that was well, stay."""
    ran(ledger, "v5", "failed")
    ran(ledger, "v4", "interrupted")
    plan = planned(ledger)
    assert set(plan.kept) == {"v5", "v4", "v3"}
    assert plan.prune == ("v2", "v1")


def test_what_another_environment_was_promoted_from_stays(ledger: FileLedger) -> None:
    """As its own record names it."""
    released(ledger, "live", promoted_from="prod/v1")
    assert planned(ledger).kept["v1"] == "live/v1 was promoted from it"


def test_a_cancelled_release_does_not_count(ledger: FileLedger) -> None:
    """The newest that may be run stays."""
    newest = ledger.release("prod", "v6")
    ledger.cancel_release(
        Cancellation(env="prod", release=newest.link, created=NOON, actor="ann", reason="leaks")
    )
    assert planned(ledger).prune == ("v4", "v1")


def test_a_damaged_release_stays(ledger: FileLedger) -> None:
    """Of what cannot be read, no digest could be kept."""
    (ledger.root / "releases/prod/v4/release.toml").write_bytes(b"")
    heard = Heard()
    plan = planned(ledger, heard=heard)
    assert plan.prune == ("v5", "v1")
    assert "v4" in heard.text


def test_what_a_killed_pruning_left_goes(ledger: FileLedger) -> None:
    """Its record is there, its folder too: the release is gone for everybody, then for good."""
    plan = planned(ledger)
    stage.apply(plan, ledger=ledger, actor="ann@laptop", emit=Heard())
    folder = ledger.root / "releases/prod"
    (folder / ".pruned-v1").mkdir()
    (folder / "v5").mkdir()
    assert planned(ledger).half_pruned == ("v1", "v5")
    assert pruned(ledger) == []
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"v6", "v3", "v2"}


def test_nothing_is_pruned_while_it_is_not_known_what_runs(ledger: FileLedger) -> None:
    """A run under way may need any of them."""
    journal = ledger.begin_run("prod", {})
    with pytest.raises(LedgerError, match="run 4 of prod is under way"):
        planned(ledger)
    journal.close()


def test_to_keep_none_is_an_error(ledger: FileLedger) -> None:
    """Also where it was left out."""
    with pytest.raises(InputError) as caught:
        planned(ledger, 0)
    assert caught.value.where == "--keep"


def test_a_damaged_release_does_not_count(ledger: FileLedger) -> None:
    """Keeping only what cannot be run would keep nothing."""
    record = ledger.release_folder("prod", "v6") / "release.toml"
    record.write_text(record.read_text() + "x")
    assert "v5" not in planned(ledger).prune
