"""What stands where in a sealed document, as far as stagekit reads it.

Compose wrote it that way; a release that came from elsewhere may have been written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Check = Callable[[Any, str], Iterator[str]]
"""Yields what is wrong with a value, which may be missing, at a place."""


def problems(document: Any) -> Iterator[str]:
    """Yield what is not as a sealed document has it: ``services.web.ports is no list``."""
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        yield "it has no services"
        return
    yield from _DOCUMENT(document, "")


def _text(value: Any, where: str) -> Iterator[str]:
    if value is not None and not isinstance(value, str):
        yield f"{where} is no text"


def _map_of(check: Check | None = None, **keys: Check) -> Check:
    """Check a map: every value of it, and those under some keys."""

    def checked(value: Any, where: str) -> Iterator[str]:
        if value is None:
            return
        if not isinstance(value, dict):
            yield f"{where} is no map"
            return
        for key, item in value.items():
            at = f"{where}.{key}" if where else str(key)
            if not isinstance(key, str):
                yield f"{at} is no name"
            elif found := keys.get(key, check):
                yield from found(item, at)

    return checked


def _list_of(check: Check) -> Check:
    def checked(value: Any, where: str) -> Iterator[str]:
        if value is not None and not isinstance(value, list):
            yield f"{where} is no list"
        for item in value if isinstance(value, list) else ():
            if item is None:
                yield f"{where} has an empty entry"
            yield from check(item, where)

    return checked


def _there(check: Check) -> Check:
    def checked(value: Any, where: str) -> Iterator[str]:
        if value is None:
            yield f"{where} is no map"
        yield from check(value, where)

    return checked


_MAP = _map_of()
_TEXTS = _list_of(_text)
_MAPS = _list_of(_MAP)
_LISTS: Mapping[str, Check] = dict.fromkeys(("volumes", "configs", "secrets", "ports"), _MAPS)
_WORDS: Mapping[str, Check] = dict.fromkeys(
    ("entrypoint", "command", "volumes_from", "external_links", "profiles"), _TEXTS
)
_INSIDE: Mapping[str, Check] = dict.fromkeys(
    ("environment", "labels", "deploy", "healthcheck", "depends_on", "build"), _MAP
)
_ADDRESSES: Mapping[str, Check] = dict.fromkeys(
    ("ipv4_address", "ipv6_address", "mac_address"), _text
)
_SERVICE = _map_of(
    image=_text, **_LISTS, **_WORDS, **_INSIDE, networks=_map_of(_map_of(**_ADDRESSES))
)
_DOCUMENT = _map_of(
    services=_map_of(_there(_SERVICE)),
    networks=_map_of(_map_of(ipam=_map_of(config=_MAPS), labels=_MAP)),
    volumes=_map_of(_map_of(driver_opts=_MAP, labels=_MAP)),
    configs=_map_of(_map_of(content=_text)),
    secrets=_map_of(_MAP),
)
