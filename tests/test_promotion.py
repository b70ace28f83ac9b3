"""What goes on from one environment to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.events import ignore
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.promotion import Promotion, promotion
from stagekit.records import Cancellation, Link
from stagekit.testing.records import NOON, a_build, ran, released


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """Two releases of one build in staging; neither was run."""
    ledger = FileLedger(tmp_path)
    build = ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    for _ in range(2):
        released(ledger, "staging", build=build.link)
    return ledger


def promoted(ledger: FileLedger, id: str | None = None, *, force: bool = False) -> Promotion:
    return promotion(ledger, "staging", id, force=force, emit=ignore)


def test_the_release_that_was_run_last_goes_on(ledger: FileLedger) -> None:
    """With its build, as the record names it."""
    ran(ledger, "v1", env="staging")
    found = promoted(ledger)
    assert (found.release.name, found.build.record.id, found.forced) == ("staging/v1", "b1", ())


def test_what_never_ran_well_does_not_go_on(ledger: FileLedger) -> None:
    """A run that failed is none; force takes it, and says so."""
    ran(ledger, "v1", env="staging")
    ran(ledger, "v2", "failed", env="staging")
    with pytest.raises(InputError, match="staging/v2 never ran well"):
        promoted(ledger)
    assert promoted(ledger, "v1").release.id == "v1"
    assert promoted(ledger, force=True).forced == ("staging/v2 never ran well",)


def test_what_ran_well_once_may_go_on_although_it_was_stopped(ledger: FileLedger) -> None:
    """Stopping an environment says nothing against what ran there."""
    ran(ledger, "v1", env="staging")
    ran(ledger, "v1", "stopped", env="staging", reason="stop")
    assert promoted(ledger).release.id == "v1"


def test_where_nothing_was_run_there_is_nothing_to_promote(ledger: FileLedger) -> None:
    """The commands that would help are named."""
    with pytest.raises(InputError, match="nothing was ever run in staging") as caught:
        promoted(ledger)
    assert "--release" in (caught.value.hint or "")


def test_a_build_that_is_not_at_hand_cannot_go_on(ledger: FileLedger) -> None:
    """A release names it; its images' digests are in its record alone."""
    released(ledger, "staging", build=Link(id="b7", digest="sha256:" + "0" * 64))
    with pytest.raises(InputError, match="build b7 of staging/v3 is not at hand"):
        promoted(ledger, "v3", force=True)


def test_a_cancelled_release_does_not_go_on(ledger: FileLedger) -> None:
    """Not even by force: it is not to be run any more."""
    ran(ledger, "v1", env="staging")
    link = ledger.release("staging", "v1").link
    ledger.cancel_release(
        Cancellation(env="staging", release=link, created=NOON, actor="ann", reason="leaks")
    )
    with pytest.raises(InputError, match="staging/v1 was cancelled: leaks"):
        promoted(ledger, force=True)
