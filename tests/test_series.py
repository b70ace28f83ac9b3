"""A series of records as a shared ledger's index lists it."""

from __future__ import annotations

import pytest

from stagekit.errors import LedgerError
from stagekit.ledger.git.series import RESERVED, Listed

ONE, OTHER = "0" * 40, "a1" * 32


def test_an_id_that_has_a_record_keeps_it() -> None:
    """One that was taken before has it from then on; what is listed later is not heard."""
    listed = Listed(f"v1 {ONE}\nv2 {RESERVED}\nv1 {OTHER}\nv2 {OTHER}\nv3 {RESERVED}\n")
    assert [listed.object(id) for id in ("v1", "v2", "v3", "v4")] == [ONE, OTHER, None, None]
    assert (listed.taken(), listed.recorded()) == (["v1", "v2", "v3"], ["v1", "v2"])
    assert ("v3" in listed, "v4" in listed) == (True, False)
    listed.add("v3", ONE)
    listed.add("v4", OTHER)
    assert listed.recorded() == ["v1", "v2", "v3", "v4"]
    assert listed.shown() == {"v1", "v2", "v3", "v4"}


def test_where_each_id_is_listed_once() -> None:
    listed = Listed(f"v1 {ONE}\n2026-04-06-12:00:00 {OTHER}\n")
    assert listed.taken() == listed.recorded() == ["v1", "2026-04-06-12:00:00"]
    listed.add("v1", OTHER)
    assert (listed.object("v1"), listed.taken()) == (ONE, ["v1", "2026-04-06-12:00:00"])
    assert (Listed().count, Listed().taken()) == (0, [])


@pytest.mark.parametrize(
    "text",
    [
        "v1 a\n",
        f"v1 -{ONE[1:]}\n",
        f"v1 {RESERVED}\nv2 {'-' * 40}\n",
        f"v1 {ONE.replace('0', 'g')}\n",
        f"v1 {ONE.upper().replace('0', 'A')}\n",
        f"v1 {ONE}0\n",
        f"v1 {ONE}",
        f"v1\n{ONE}\n",
        f"v1 {ONE} v2\n",
        f"v1 {ONE}\n\n",
        f"../v1 {ONE}\n",
        f"-v1 {ONE}\n",
        f".v1 {ONE}\n",
        f"v/1 {ONE}\n",
        f"v\N{LATIN SMALL LETTER E WITH ACUTE} {ONE}\n",
        f"{'v' * 201} {ONE}\n",
    ],
)
def test_what_no_index_has_is_refused(text: str) -> None:
    """An id that leads elsewhere, and what names no object; alone, and among what is right."""
    for whole in (text, f"v8 {ONE}\nv9 {RESERVED}\n{text}"):
        with pytest.raises(LedgerError, match="a file of the index has"):
            Listed(whole)
