"""Checks whose process was killed are cleared away, and nobody else's, on an engine of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import docker
import pytest
import requests

from stagekit.alive import left_behind, ourselves
from stagekit.engine.client import Client
from stagekit.engine.command import remove_left
from stagekit.testing.records import NOON

ENDED = ourselves().rpartition(" ")[0] + " 1"
ELSEWHERE = "another-boot pid:[1] 7 99"


class Shared:
    """An engine with one container of a check; ``answer`` is what removing it raises."""

    def __init__(self, *, by: str | None, age: float = 0, answer: Exception | None = None) -> None:
        labels = {"stagekit.project": "shop", "stagekit.check": "b7", "stagekit.check.limit": "60"}
        self._found = {
            "Id": "c1",
            "Created": int((NOON - timedelta(seconds=age)).timestamp()),
            "Labels": labels if by is None else {**labels, "stagekit.check.by": by},
        }
        self._answer = answer
        self.removed: list[str] = []
        self.api = self

    @contextmanager
    def asking(self, _: str) -> Iterator[None]:
        yield

    def now(self) -> datetime:
        return NOON.astimezone(UTC)

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return [self._found]

    def remove_container(self, id: str, **_: Any) -> None:
        if self._answer:
            raise self._answer
        self.removed.append(id)


def left(engine: Shared, is_left: Callable[[str], bool] = left_behind) -> list[str]:
    remove_left(cast("Client", engine), "shop", is_left)
    return engine.removed


@pytest.mark.parametrize(
    "by", [ourselves(), ELSEWHERE, None], ids=["this process", "another machine", "nobody"]
)
def test_a_check_that_somebody_may_be_at_stays(by: str | None) -> None:
    """This process, one of another machine or of another folder here, whatever builds it knows."""
    assert left(Shared(by=by)) == []
    assert left(Shared(by=by, age=600)) == []


def test_a_check_of_a_process_that_ended_goes() -> None:
    """It was killed: nobody waits for it any more."""
    assert left(Shared(by=ENDED)) == ["c1"]


def test_a_check_that_is_over_goes_whoever_made_it() -> None:
    """A CI's agents are often machines of their own, of which nobody can tell that they ended."""
    assert left(Shared(by=ELSEWHERE, age=700)) == ["c1"]


def test_a_check_that_is_gone_meanwhile_is_none() -> None:
    """Its own process removes it at the same time."""
    answers = [
        docker.errors.NotFound("No such container: c1"),
        _conflict("removal of container c1 is already in progress"),
    ]
    for answer in answers:
        assert left(Shared(by=ENDED, answer=answer)) == []
    with pytest.raises(docker.errors.APIError, match="device busy"):
        left(Shared(by=ENDED, answer=_conflict("device busy")))


def _conflict(text: str) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = 409
    return docker.errors.APIError("409 Conflict", response=response, explanation=text)
