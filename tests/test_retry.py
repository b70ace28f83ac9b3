"""Trying again: what can help, as often as it is worth, and not while somebody stops it."""

from __future__ import annotations

import pytest

from stagekit import retry
from stagekit.cancel import Cancel
from stagekit.engine.refusals import is_transient
from stagekit.errors import Cancelled, EngineError, RegistryError, StagekitError
from stagekit.retry import patiently

BUSY = RegistryError("503 Service Unavailable", transient=True)
DENIED = RegistryError("denied")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that are waited, without waiting."""
    found: list[float] = []
    monkeypatch.setattr(retry, "pause", lambda seconds, _cancel: found.append(seconds))
    return found


def attempted(*errors: StagekitError, said: list[str] | None = None) -> str:
    left = iter(errors)

    def attempt() -> str:
        if error := next(left, None):
            raise error
        return "done"

    texts = [] if said is None else said
    return patiently(attempt, on_wait=texts.append, cancel=Cancel())


def test_what_is_transient_is_tried_again_each_time_later(waits: list[float]) -> None:
    """Four times, and the waits double, by half or a whole."""
    said: list[str] = []
    assert attempted(BUSY, BUSY, BUSY, BUSY, said=said) == "done"
    for wait, longest in zip(waits, (0.5, 1.0, 2.0, 4.0), strict=True):
        assert longest / 2 <= wait <= longest
    assert said[0].startswith("503 Service Unavailable; again in 0.")
    assert said[-1].endswith("(5 of 5)")


def test_the_fifth_failure_is_the_last(waits: list[float]) -> None:
    """The registry's own words come out."""
    with pytest.raises(RegistryError, match="503"):
        attempted(*[BUSY] * 5)
    assert len(waits) == 4


@pytest.mark.parametrize("error", [DENIED, EngineError("gone")])
def test_what_cannot_help_is_not_tried_again(waits: list[float], error: StagekitError) -> None:
    """A refusal, and an engine that is gone."""
    with pytest.raises(type(error)):
        attempted(error)
    assert waits == []


def test_a_wait_ends_when_it_is_stopped() -> None:
    """At once, not after the wait."""
    cancel = Cancel()

    def attempt() -> None:
        raise BUSY

    with pytest.raises(Cancelled):
        patiently(attempt, on_wait=lambda _: cancel.request(), cancel=cancel)


@pytest.mark.parametrize(
    ("message", "transient"),
    [
        ("received unexpected HTTP status: 502 Bad Gateway", True),
        ("received unexpected HTTP status: 503 Service Unavailable", True),
        ("toomanyrequests: too many requests", True),
        ('Put "http://127.0.0.1:5000/v2/x": read: connection reset by peer', True),
        (
            'Get "http://r.test/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
            True,
        ),
        ("net/http: TLS handshake timeout", True),
        ("context deadline exceeded", True),
        ("unexpected EOF", True),
        ("digest invalid: provided digest did not match uploaded content", True),
        ("blob upload unknown", True),
        ("write tcp: broken pipe", True),
        ("lookup registry.test: Temporary failure in name resolution", True),
        ("denied: requested access to the resource is denied", False),
        ("unauthorized: authentication required", False),
        ("received unexpected HTTP status: 404 Not Found", False),
        ("received unexpected HTTP status: 403 Forbidden", False),
        ("no basic auth credentials", False),
        ("manifest invalid", False),
        ("lookup registry.test: no such host", False),
        ("http: server gave HTTP response to HTTPS client", False),
    ],
)
def test_what_registries_say(message: str, transient: bool) -> None:
    """5xx, 429, resets and timeouts; not what a registry refuses, nor a wrong name."""
    assert is_transient(message) is transient
