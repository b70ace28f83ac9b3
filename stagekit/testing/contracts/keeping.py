"""What every `stagekit.protocols.Ledger` keeps of what is put away, and of what goes wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from stagekit.errors import InputError, LedgerError
from stagekit.protocols import Ledger
from stagekit.testing.contracts.capability import needs
from stagekit.testing.records import NOON, a_build, a_build_pruning, a_release, ran, released


class KeepingCases:
    """The part of `LedgerContract` that is about lists, what is put away, and damage.

    Attributes:
        lies_open: whether releases are folders that others can reach, as ``artifacts/`` is. False
            for a ledger that keeps them where nobody puts a copy or takes one away by hand, such
            as a database or a git history: there is nothing foreign in it, and nothing is gone.
    """

    lies_open = True

    def warned(self, ledger: Ledger) -> str:
        """Return all that `Ledger.warn` kept, as a person reads it."""
        raise NotImplementedError("give a method `warned` that returns the text of all warnings")

    def damage_build(self, ledger: Ledger, id: str) -> None:
        """Change one byte of a build's record where it is kept."""
        raise NotImplementedError("give a method `damage_build` that changes a build's record")

    def test_builds_are_listed_newest_first(self, ledger: Ledger) -> None:
        """By when they were made, whatever they are called."""
        for hours, id in enumerate("bca"):
            begun = a_build(id, created=NOON + timedelta(hours=hours))
            ledger.reserve_build(begun).finish(begun)
        assert list(ledger.builds()) == ["a", "c", "b"]

    def test_of_a_pruned_build_its_digests_stay(self, ledger: Ledger) -> None:
        """Its record, log and inputs go, and its id is never given again."""
        slot = ledger.reserve_build(a_build("b"))
        slot.log("web | Step 1/2")
        stored = slot.finish(a_build("b"), b"what it was made from")
        pruned = ledger.prune_build(a_build_pruning(stored))
        assert pruned.record == a_build_pruning(stored)
        assert list(ledger.builds()) == []
        assert ledger.find_build("b") is None
        assert (ledger.build_log("b"), ledger.build_inputs("b")) == (b"", b"")
        with pytest.raises(InputError, match="pruned"):
            ledger.build("b")
        again = ledger.reserve_build(a_build("b"))
        assert again.finish(a_build(again.id)).record.id == "b-2"

    def test_an_empty_one_has_nothing_to_close_or_to_tell(self, ledger: Ledger) -> None:
        """Whatever is asked of an environment that nothing was ever released to."""
        assert list(ledger.builds_under_way()) == []
        assert list(ledger.close_interrupted_builds()) == []
        assert list(ledger.close_interrupted_comparisons()) == []
        assert [*ledger.foreign(), *ledger.foreign("prod")] == []
        assert dict(ledger.gone_releases("prod")) == {}
        assert list(ledger.half_pruned("prod")) == []
        assert ledger.cancelled("prod", "v1") is None
        assert ledger.pruned("prod", "v1") is None
        assert ledger.signature("prod", "v1") is None
        for missing in (lambda: ledger.build("b"), lambda: ledger.release("prod", "v1")):
            with pytest.raises(InputError):
                missing()

    def test_what_is_warned_of_is_kept(self, ledger: Ledger) -> None:
        """Each, in turn, with the time."""
        for text in ("nobody could be told", "the image is not signed"):
            ledger.warn(text)
        first, second = self.warned(ledger).splitlines()
        assert first.endswith("nobody could be told")
        assert second.endswith("the image is not signed")
        assert first[:2] == "20"

    def test_a_damaged_record_is_never_believed(self, ledger: Ledger) -> None:
        """It is refused with where it is, or brought back as it was by a ledger that has it
        elsewhere too; it stays listed, and the others are read."""
        stored, other = (ledger.reserve_build(a_build(id)).finish(a_build(id)) for id in "ab")
        self.damage_build(ledger, "a")
        try:
            found = ledger.build("a")
        except LedgerError as error:
            assert error.where  # noqa: PT017  # the other outcome is as good
        else:
            assert found == stored
        assert ledger.build("b") == other
        assert sorted(ledger.builds()) == ["a", "b"]

    @needs("lies_open")
    def test_what_others_put_among_releases_is_named_and_passed_over(self, ledger: Ledger) -> None:
        """A copy made by hand is no release, and no environment."""
        released(ledger)
        folder = ledger.release_folder("prod", "v1").parent
        _put(folder / "v1 (copy)")
        _put(folder.parent / "prod (old)")
        assert list(ledger.foreign("prod")) == ["v1 (copy)"]
        assert list(ledger.foreign()) == ["prod (old)"]
        assert (list(ledger.releases("prod")), list(ledger.environments())) == (["v1"], ["prod"])

    @needs("lies_open")
    def test_a_release_that_is_gone_is_known_by_what_names_it(self, ledger: Ledger) -> None:
        """And its id is not given again."""
        released(ledger)
        ran(ledger, "v1")
        folder = ledger.release_folder("prod", "v1")
        folder.rename(folder.parents[2] / "elsewhere")
        gone = ledger.gone_releases("prod")
        assert list(gone) == ["v1"]
        assert "run" in " ".join(gone["v1"])
        assert ledger.add_release(a_release(), {}).record.id == "v2"


def _put(folder: Path) -> None:
    folder.mkdir()
    (folder / "release.toml").write_text("a copy")
