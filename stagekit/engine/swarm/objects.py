"""A release's configs and secrets as a Swarm holds them: under names that stand for their content.

Swarm's own never change. So each content has a name of its own, and a service that is to have
another one names another one: it rotates as its containers do. A secret's name has a fingerprint of
it, an HMAC under a random key that the Swarm keeps for the environment; its value goes to the
manager's API, and to no disk and no argument of ours.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from stagekit.engine.swarm.api import (
    DIGITS,
    LONGEST_NAME,
    STACK,
    Found,
    Kind,
    Swarm,
    short,
)
from stagekit.engine.swarm.fit import EMPTY, EMPTY_HINT
from stagekit.errors import EngineError, RunFailed
from stagekit.records import Part

_FILE = "stagekit.file"
"""Label of the config that holds a file of a release: its path, which stands for its content."""

_EXECUTABLE = "stagekit.executable"

_OWNED = "stagekit.content"
"""Label of what is held for a stack: the stack's name."""

_YOUNG = timedelta(days=1)
_TRIES = 20
_OPEN = re.compile(r"\$(?:\$|\{(\w+)\})")

Tree = Mapping[str, Any]


class Held(Part, frozen=True):
    """A config or secret of a release: its name on the Swarm, and its content; none of one that is
    ``external``."""

    kind: Kind
    name: str
    data: bytes = b""
    external: bool = False


class PlacedFile(Part, frozen=True):
    """A file of the release, as the Swarm has it: the config that holds it."""

    config: str
    executable: bool = False


def opened(text: str, given: Mapping[str, str]) -> str:
    """Fill in what a sealed text leaves open, and undouble its dollars."""
    return _OPEN.sub(lambda found: given[found[1]] if found[1] else "$", text)


def variables_in(text: str) -> set[str]:
    """Return the names of what a sealed text leaves open."""
    return {found[1] for found in _OPEN.finditer(text) if found[1]}


def target_of(section: str, item: Tree) -> str:
    """Return where in a container a config or secret is, as Compose has it."""
    target = str(item.get("target") or item["source"])
    return target if section == "secrets" or target.startswith("/") else f"/{target}"


def held_of(
    document: Tree, *, stack: str, given: Mapping[str, str], key: bytes
) -> dict[tuple[str, str], Held]:
    """Return the configs and secrets of a sealed document. Pure.

    Args:
        document: the document.
        stack: the stack's name, with which theirs begin.
        given: what the document leaves open: secrets, by variable.
        key: of the fingerprints of secrets.

    Returns:
        By section and name. A config that a secret is filled into is held as a secret.
    """
    found: dict[tuple[str, str], Held] = {}
    for section in ("configs", "secrets"):
        for name, item in (document.get(section) or {}).items():
            kind: Kind = "configs" if section == "configs" else "secrets"
            if item.get("external"):
                found[section, name] = Held(kind, item.get("name", name), external=True)
                continue
            if section == "configs":
                text = item.get("content", "")
                kind = "secrets" if variables_in(text) else "configs"
                data = opened(text, given).encode()
            else:
                data = given[item["environment"]].encode()
            stands_for = _fingerprint(kind, name, data, key)
            start = f"{stack}_{name}"[: LONGEST_NAME - DIGITS - 1]
            found[section, name] = Held(kind, f"{start}.{stands_for}", data)
    return found


def file_config(path: str) -> str:
    """Name the config that holds a file of a release."""
    return f"stagekit-file.{short(path.encode())}"


def hold(swarm: Swarm, stack: str, held: Mapping[tuple[str, str], Held]) -> None:
    """Create what is not there yet.

    Raises:
        RunFailed: one that is to be there already is not; or is empty, as Swarm has none.
        EngineError: it is too large, or the manager does not take it; says which.
    """
    for (section, name), item in held.items():
        if not item.external:
            _refuse_empty(item.data, f"{stack}, {section}.{name}")
            swarm.create(item.kind, item.name, item.data, {_OWNED: stack, STACK: stack})
        elif swarm.object(item.kind, item.name) is None:
            raise RunFailed(
                f"{item.name} is external, and the Swarm has no such {item.kind[:-1]}",
                where=stack,
                hint=f"docker {item.kind[:-1]} create {item.name} FILE",
            )


def place(swarm: Swarm, files: Mapping[str, bytes], executable: Collection[str]) -> None:
    """Hold the files that a release mounts, so that each node has them. Those that are there
    already are dated anew: `prune_files` leaves alone what is young.

    Raises:
        RunFailed: one is empty, as none is that a Swarm holds.
        EngineError: one is too large, or the manager does not take it.
    """
    for path, data in files.items():
        _refuse_empty(data, path)
        labels = {_FILE: path} | ({_EXECUTABLE: "yes"} if path in executable else {})
        _place(swarm, file_config(path), data, labels)


def placed(swarm: Swarm) -> dict[str, PlacedFile]:
    """Return the files that the Swarm has, by path."""
    return {
        found["Spec"]["Labels"][_FILE]: PlacedFile(
            config=found["Spec"]["Name"], executable=_EXECUTABLE in found["Spec"]["Labels"]
        )
        for found in swarm.objects("configs", _FILE)
    }


def mounted(mount: Tree, files: Mapping[str, PlacedFile], where: str) -> list[dict[str, Any]]:
    """Return a config for each file of what a release mounts: each node gets it from the Swarm."""
    source = opened(mount["source"].removeprefix("./"), {})
    found: list[dict[str, Any]] = [
        {
            "source": placed.config,
            "target": mount["target"] + path.removeprefix(source),
            "mode": 0o555 if placed.executable else 0o444,
        }
        for path, placed in sorted(files.items())
        if path == source or path.startswith(f"{source}/")
    ]
    if not found:
        raise RunFailed(
            f"the Swarm does not have {source}, which it mounts at {mount['target']}",
            where=where,
            hint="it was removed meanwhile: inv run places it again",
        )
    return found


def prune(swarm: Swarm, stack: str) -> tuple[str, ...]:
    """Remove what was held for a stack, and is neither its services' nor was theirs before their
    last update; return what it was called. What an older release needs is made anew when it is
    run."""
    used = {name for service in swarm.services(stack) for name in _used_by(service)}
    gone = []
    kinds: tuple[Kind, ...] = ("configs", "secrets")
    for kind in kinds:
        for found in swarm.objects(kind, f"{_OWNED}={stack}"):
            if found["Spec"]["Name"] not in used:
                swarm.remove(kind, found["ID"])
                gone.append(found["Spec"]["Name"])
    return tuple(gone)


def prune_files(swarm: Swarm) -> None:
    """Remove the files that no service of any stack mounts, now or before its last update; what
    was placed, maybe again, within the last day is another run's, which is about to need it."""
    used = {name for service in swarm.services() for name in _used_by(service)}
    now = datetime.now(UTC)
    for found in swarm.objects("configs", _FILE):
        age = now - datetime.fromisoformat(found["UpdatedAt"])
        if found["Spec"]["Name"] not in used and age > _YOUNG:
            swarm.remove("configs", found["ID"])


def _place(swarm: Swarm, name: str, data: bytes, labels: Mapping[str, str]) -> None:
    for _ in range(_TRIES):
        try:
            if swarm.create("configs", name, data, labels):
                return
        except EngineError as error:
            error.hint = "a config of Swarm has up to 1000 KB: COPY what is larger into an image"
            raise
        found = swarm.object("configs", name)
        if found and swarm.relabel(found, labels):
            return
    raise EngineError(f"the Swarm does not keep {name}", where=swarm.url)


def _refuse_empty(data: bytes, where: str) -> None:
    if not data:
        raise RunFailed(EMPTY, where=where, hint=EMPTY_HINT)


def _used_by(service: Found) -> Iterator[str]:
    for spec in (service["Spec"], service.get("PreviousSpec") or {}):
        container = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
        for item in container.get("Configs") or []:
            yield item["ConfigName"]
        for item in container.get("Secrets") or []:
            yield item["SecretName"]


def _fingerprint(kind: Kind, name: str, data: bytes, key: bytes) -> str:
    said = name.encode() + b"\0" + data
    if kind == "secrets":
        return hmac.digest(key, said, "sha256").hex()[:DIGITS]
    return short(said)
