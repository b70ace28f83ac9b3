"""Which builds may be put away, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit.errors import InputError, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.pipeline import prune_builds as stage
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON, a_build, released

IDS = ("b6", "b5", "b4", "b3", "b2", "b1")


def decided(keep: int = 2, **known: object) -> stage.Plan:
    given = {"good": frozenset(IDS), **known}
    return stage.decide(stage.Facts(keep=keep, ids=IDS, **given))  # type: ignore[arg-type]


def test_the_newest_stay() -> None:
    """As many as are asked for; one that failed is none of them, and goes with the others."""
    assert decided().prune == ("b4", "b3", "b2", "b1")
    assert decided(6).prune == decided(7).prune == ()
    assert decided(good=frozenset(IDS) - {"b6", "b2"}).prune == ("b3", "b2", "b1")


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ({"used": {"b3": "prod/v1", "b6": "prod/v2"}}, {"b3": "prod/v1 is of it"}),
        ({"damaged": frozenset({"b1"})}, {"b1": "its record cannot be read"}),
        ({"made_by": {"b6": ("b2",)}}, {"b2": "it made images of b6"}),
        (
            {"used": {"b4": "prod/v1"}, "made_by": {"b4": ("b1",), "b3": ("b2",)}},
            {"b4": "prod/v1 is of it", "b1": "it made images of b4"},
        ),
    ],
)
def test_what_is_needed_stays(known: dict[str, object], kept: dict[str, str]) -> None:
    """With the reason."""
    plan = decided(**known)
    assert plan.kept == kept
    assert set(plan.prune) == {"b4", "b3", "b2", "b1"} - set(kept)


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """Six builds; releases are of the second and the third."""
    ledger = FileLedger(tmp_path)
    for minute, id in enumerate(reversed(IDS)):
        build = a_build(id, created=NOON + timedelta(minutes=minute))
        ledger.reserve_build(build).finish(build, b"{}")
    for id in ("b2", "b3"):
        released(ledger, build=ledger.build(id).link)
    return ledger


def pruned(ledger: FileLedger, keep: int = 1, **more: object) -> list[str]:
    facts = stage.gather(keep=keep, ledger=ledger, emit=Heard(), **more)  # type: ignore[arg-type]
    done = stage.apply(stage.decide(facts), ledger=ledger, actor="ann@laptop", emit=Heard())
    return [stored.record.id for stored in done]


def test_a_build_goes_with_all_that_lies_beside_it(ledger: FileLedger) -> None:
    """Its digest, its commit and what it made stay known; its id is not given again."""
    before = ledger.build("b1")
    assert pruned(ledger) == ["b1", "b4", "b5"]
    assert ledger.builds() == ["b6", "b3", "b2"]
    left = sorted(path.name for path in (ledger.root / "builds").glob("b1.*"))
    assert left == ["b1.pruned"]
    assert before.digest in (ledger.root / "builds/b1.pruned").read_text()
    assert ledger.find_build("b1") is None
    with pytest.raises(InputError, match=r"build b1 was pruned on .* by ann@laptop"):
        ledger.build("b1")
    again = ledger.reserve_build(a_build("b1"))
    assert again.id == "b1-2"
    again.close()


def test_what_a_release_that_goes_was_of_goes_with_it(ledger: FileLedger) -> None:
    """As a plan of both has to say."""
    assert pruned(ledger, going=["prod/v1"]) == ["b1", "b2", "b4", "b5"]


def test_what_a_killed_pruning_left_goes(ledger: FileLedger) -> None:
    """Its record counts; what is left is taken away by the next one."""
    kept = (ledger.root / "builds/b1.toml").read_bytes()
    pruned(ledger, keep=5)
    (ledger.root / "builds/b1.toml").write_bytes(kept)
    (ledger.root / "builds/b1.log").write_text("x")
    assert "b1" not in ledger.builds()
    assert ledger.find_build("b1") is None
    pruned(ledger)
    assert [path.name for path in (ledger.root / "builds").glob("b1.*")] == ["b1.pruned"]


def test_nothing_goes_while_it_is_not_known_what_is_used(ledger: FileLedger) -> None:
    """A build under way may take over any image; a damaged release be of any build."""
    slot = ledger.reserve_build(replace(a_build("b7")))
    with pytest.raises(LedgerError, match="build b7 is under way"):
        pruned(ledger)
    slot.finish(a_build("b7"))
    (ledger.root / "releases/prod/v1/release.toml").write_bytes(b"")
    with pytest.raises(LedgerError, match="prod/v1 cannot be read"):
        pruned(ledger)
    with pytest.raises(InputError, match="at least one build"):
        pruned(ledger, keep=0)
