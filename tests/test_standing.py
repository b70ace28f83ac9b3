"""What is in force, written on an engine whose answers come too late."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import combinations
from typing import Any, cast

import pytest
from msgspec.structs import replace

from stagekit.engine.client import Client
from stagekit.engine.standing import keep, standing
from stagekit.errors import LimitExceeded
from stagekit.records import Standing
from stagekit.testing.records import NOON, sha

OLD = Standing(
    project="shop",
    env="prod",
    run=1,
    outcome="running",
    reason="run",
    release="v1",
    release_digest=sha("v1"),
    build="b1",
    actor="ann",
    when=NOON,
)
NEW = replace(OLD, run=2, release="v2")
REQUESTS = 8
"""More than there are in two tries."""


class Late:
    """Volumes on an engine that does what it is asked, and does not say so each time.

    Args:
        late: the numbers of the requests that have no answer in time.
    """

    def __init__(self, late: Collection[int]) -> None:
        self.late = late
        self.asked = 0
        self.there: dict[str, Mapping[str, str]] = {}

    def _answer(self, found: Any = None) -> Any:
        self.asked += 1
        if self.asked in self.late:
            raise LimitExceeded("nothing was heard in time")
        return found

    def create_volume(self, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
        return cast("dict[str, Any]", self._answer({"Labels": self.there.setdefault(name, labels)}))

    def remove_volume(self, name: str) -> None:
        self.there.pop(name, None)
        self._answer()

    def volumes(self, _label: str) -> list[dict[str, Any]]:
        found = [{"Name": name, "Labels": labels} for name, labels in self.there.items()]
        return cast("list[dict[str, Any]]", self._answer(found))


@pytest.mark.parametrize(
    "late", [at for count in (0, 1, 2) for at in combinations(range(1, REQUESTS + 1), count)]
)
def test_one_of_the_two_stays_noted(late: tuple[int, ...]) -> None:
    """Whichever answers are missing; and where it is not refused, the newer one alone."""
    engine = Late(())
    client = cast("Client", engine)
    keep(client, OLD)
    engine.late = [engine.asked + at for at in late]
    refused = True
    with suppress(LimitExceeded):
        keep(client, NEW)
        refused = False
    engine.late = ()
    said = standing(client, "shop-prod")
    assert said is not None
    if not refused:
        assert said == NEW
        assert list(engine.there) == ["stagekit-state-shop-prod-2"]


def test_a_ledger_that_counts_anew_has_its_say() -> None:
    """A note of the same number, and of another run, goes."""
    engine = Late(())
    client = cast("Client", engine)
    keep(client, OLD)
    keep(client, replace(OLD, release="v9"))
    said = standing(client, "shop-prod")
    assert said is not None
    assert said.release == "v9"
