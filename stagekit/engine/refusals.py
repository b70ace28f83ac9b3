"""What an engine or a registry answers when it refuses, in one line with something to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stagekit.errors import RegistryError

_TRANSIENT = (
    r"(?:status:?|HTTP|:) (?:5\d\d|429)\b|toomanyrequests|too many requests"
    r"|connection (?:reset|refused|aborted)|broken pipe|\bEOF\b|time(?:d )?out"
    r"|deadline exceeded|temporary failure|no route to host"
    r"|digest invalid|blob (?:upload )?unknown"
)
"""``digest invalid`` and ``blob unknown``: what registries say of an upload that was cut off."""


def raise_registry_error(entry: Mapping[str, Any], reference: str) -> None:
    """Raise RegistryError where an entry of a pull's or push's stream says that it failed."""
    if message := entry.get("error"):
        raise RegistryError(
            first_line(message),
            where=reference,
            hint=registry_hint(message),
            transient=is_transient(message),
        )


def is_transient(message: str) -> bool:
    """Tell whether a registry that says so may take the same a little later: a fault of its own,
    too many requests, or a connection that broke. Not what it refuses (401, 403, 404)."""
    return re.search(_TRANSIENT, message, re.IGNORECASE) is not None


def registry_hint(message: str) -> str:
    """Return what to do about a registry's refusal."""
    text = message.lower()
    if any(word in text for word in ("denied", "unauthorized", "authentication", "no basic auth")):
        return "docker login to that registry; stagekit uses Docker's own credentials"
    if any(word in text for word in ("not found", "unknown", "does not exist")):
        return "check the name and the tag"
    return "check that the registry runs and can be reached from the engine"


def first_line(message: object) -> str:
    """Return the first line of a message, or that there was none."""
    return (str(message).strip().splitlines() or ["no reason given"])[0]


def reason(error: BaseException) -> str:
    """Find the plain reason in the depths of what requests and urllib3 wrap around it."""
    for inner in _causes(error):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower()
    return first_line(error)


def timed_out(error: BaseException) -> bool:
    """Tell whether no answer came in time; the SDK wraps some of these in errors of its own."""
    return any("timed out" in str(inner).lower() for inner in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        yield at
        seen.append(at)
        inner = [item for item in getattr(at, "args", ()) if isinstance(item, BaseException)]
        at = inner[0] if inner else at.__cause__ or at.__context__
