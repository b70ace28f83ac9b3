"""What an engine or a registry answers when it refuses, in one line with something to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stagekit.errors import RegistryError


def raise_registry_error(entry: Mapping[str, Any], reference: str) -> None:
    """Raise RegistryError where an entry of a pull's or push's stream says that it failed."""
    if message := entry.get("error"):
        raise RegistryError(first_line(message), where=reference, hint=registry_hint(message))


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
