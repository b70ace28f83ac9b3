"""What every `stagekit.protocols.Ledger` keeps of comparisons."""

from __future__ import annotations

from contextlib import closing

import pytest
from msgspec.structs import replace

from stagekit.errors import InputError
from stagekit.protocols import Ledger
from stagekit.testing.records import a_comparison


class ComparisonCases:
    """The part of `LedgerContract` that is about comparisons."""

    def test_a_comparison_is_read_as_it_was_written(self, ledger: Ledger) -> None:
        """Numbers count up, whatever the record that was begun says, newest first."""
        for n in (1, 2):
            with closing(ledger.begin_comparison(a_comparison(n=9))) as slot:
                assert slot.n == n
                stored = slot.finish(a_comparison(n=n, outcome="same"))
            assert stored.record == a_comparison(n=n, outcome="same")
            assert ledger.comparison(n) == stored
        assert list(ledger.comparisons()) == [2, 1]

    def test_a_missing_comparison_is_an_error(self, ledger: Ledger) -> None:
        """Of who asked for it."""
        with pytest.raises(InputError, match="no comparison 9"):
            ledger.comparison(9)

    def test_a_comparison_under_way_is_none_yet(self, ledger: Ledger) -> None:
        """Its number is taken, it is not listed, and nobody else closes it."""
        with closing(ledger.begin_comparison(a_comparison())) as slot:
            assert list(ledger.comparisons()) == []
            assert list(ledger.close_interrupted_comparisons()) == []
            with closing(ledger.begin_comparison(a_comparison())) as other:
                assert (slot.n, other.n) == (1, 2)

    def test_a_comparison_whose_process_died_is_closed_by_the_next_command(
        self, ledger: Ledger
    ) -> None:
        """Its record says how far it came, in the words that it had noted; it is closed once."""
        with closing(ledger.begin_comparison(a_comparison(actor="bob@ci"))) as slot:
            slot.note({"step": "up"})
            slot.note({"step": "ask"})
        assert list(ledger.close_interrupted_comparisons()) == [1]
        found = ledger.comparison(1).record
        assert found.failure is not None
        assert (found.outcome, found.actor, found.failure.step) == ("interrupted", "bob@ci", "ask")
        begun = a_comparison(n=1, outcome="interrupted", actor="bob@ci")
        assert replace(found, failure=None, finished=begun.finished) == begun
        assert list(ledger.close_interrupted_comparisons()) == []
