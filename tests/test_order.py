"""Releases in the order they were made, whatever their ids look like and however few are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit.ledger.order import newest_first
from stagekit.testing.records import sha


def ordered(ids: list[str]) -> tuple[list[str], int]:
    """``ids``, made in this order, shuffled and put in order; and how many were looked up."""
    asked: list[str] = []

    def created(id: str) -> float:
        asked.append(id)
        return float(ids.index(id))

    return newest_first(sorted(ids, key=sha), created), len(asked)


@pytest.mark.parametrize(
    "ids",
    [
        ["v1", "v2", "v9", "v10", "v11"],
        ["007", "9", "010", "11"],
        ["7", "9", "9-10", "10-9", "10-10", "11", "1000"],
        ["time-7", "time-8", "time-10"],
        ["2026-04-06-09:00:00", "2026-04-06-10:00:00", "2026-04-06-10:00:00-2"],
        ["shop-9", "shop-10", "shop-10.2", "shop-11"],
    ],
)
def test_one_way_of_numbering_needs_no_record(ids: list[str]) -> None:
    """The numbers are the order: none is read, and no clock has a say."""
    assert ordered(ids) == (ids[::-1], 0)


def test_another_way_of_numbering_follows_the_first() -> None:
    """Where a thousand of one kind are followed by a thousand of another, a dozen are read."""
    ids = [f"v{n}" for n in range(1, 1001)]
    ids += [f"2026-04-06-{n // 60:02}:{n % 60:02}:00" for n in range(1000)]
    found, asked = ordered(ids)
    assert found == ids[::-1]
    assert asked < 30


def test_ways_that_change_back_and_forth() -> None:
    """Each stretch stands where its time puts it."""
    ids = ["v1", "v2", "57", "58", "v3", "2026-04-06-09:00:00", "59", "v4"]
    assert ordered(ids)[0] == ids[::-1]


def test_ids_without_numbers_go_by_their_time() -> None:
    """A plugin may name releases as it likes."""
    ids = ["spring", "v1", "autumn", "v2", "abc"]
    assert ordered(ids)[0] == ids[::-1]


@given(st.lists(st.sampled_from(["v", "", "shop-", "word"]), max_size=30))
def test_any_mixture_is_in_order(kinds: list[str]) -> None:
    """The order they were made in comes out, whatever was mixed how."""
    ids = [f"{kind}{n}" if kind != "word" else "w" * (n + 1) for n, kind in enumerate(kinds, 1)]
    assert ordered(ids)[0] == ids[::-1]


def test_a_record_without_a_time_hides_no_other() -> None:
    """A damaged record may stand anywhere, but all are there."""
    ids = ["v1", "v2", "1", "2"]
    found = newest_first(ids, dict.fromkeys(ids, 0.0).__getitem__)
    assert sorted(found) == sorted(ids)
