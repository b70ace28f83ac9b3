"""What no container could be started with is refused before anything is sealed."""

from __future__ import annotations

from typing import Any

import pytest

from stagekit.errors import ReleaseFailed
from stagekit.inputs.limits import TEXT_LIMIT, refuse_unstartable


def model(**service: Any) -> dict[str, Any]:
    return {"services": {"web": {"image": "x", **service}}}


def refused(document: dict[str, Any]) -> ReleaseFailed:
    with pytest.raises(ReleaseFailed) as caught:
        refuse_unstartable(document)
    return caught.value


FITS = "x" * (TEXT_LIMIT - len("A=") - 1)


def test_the_longest_variable_and_argument_that_linux_takes_are_fine() -> None:
    """A doubled dollar is one; nothing at all is fine as well."""
    refuse_unstartable(model(environment={"A": FITS}, command=["x" * (TEXT_LIMIT - 1)]))
    refuse_unstartable(model(environment={"A": "$$" * (len(FITS))}, entrypoint=None))
    refuse_unstartable(model(environment=None, command=None))


@pytest.mark.parametrize(
    ("service", "at"),
    [
        ({"environment": {"A": FITS + "x"}}, "environment.A"),
        ({"environment": {"A": "é" * (TEXT_LIMIT // 2)}}, "environment.A"),
        ({"command": ["sh", "x" * TEXT_LIMIT]}, "command"),
        ({"entrypoint": ["x" * TEXT_LIMIT]}, "entrypoint"),
    ],
)
def test_one_byte_more_is_refused(service: dict[str, Any], at: str) -> None:
    """`up` would end well, and the container die."""
    error = refused(model(**service))
    assert error.where == f"services.web.{at}"
    assert "config" in str(error.hint)


def test_too_much_in_all_is_refused() -> None:
    """Each fits; together they do not."""
    environment = {f"A{number}": "x" * 120_000 for number in range(18)}
    assert refused(model(environment=environment)).where == "services.web"
    del environment["A0"]
    refuse_unstartable(model(environment=environment))


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ({"environment": {"A": "a\0b"}}, "services.web.environment.A"),
        ({"command": ["a", "\0"]}, "services.web.command"),
        ({"labels": {"x": "\0"}}, "services.web.labels.x"),
    ],
)
def test_a_nul_is_refused_wherever_it_stands(service: dict[str, Any], where: str) -> None:
    """It would fail at the container's start only."""
    assert refused(model(**service)).where == where
