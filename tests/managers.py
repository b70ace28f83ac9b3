"""A Swarm's manager that answers from what a test tells it, by a clock of its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.engine.client import Client
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.swarm import attend, converge, patience, stacks, takedown
from stagekit.engine.swarm.api import Swarm
from stagekit.errors import EngineRefused

NO_LEADER = "rpc error: code = Unknown desc = The swarm does not have a leader"

Found = dict[str, Any]


class Clock:
    """Goes on where something waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def stopped_clock() -> Iterator[Clock]:
    """Have what waits for a Swarm wait by a clock that costs no time."""
    clock = Clock()

    def wait(_cancel: Cancel, seconds: float) -> None:
        clock.now += seconds

    with pytest.MonkeyPatch.context() as patched:
        for module in (attend, converge, patience, stacks, takedown):
            patched.setattr(module, "monotonic", clock)
        patched.setattr(Cancel, "wait", wait)
        yield clock


class Manager(Swarm):
    """A manager whose answers stand in its attributes.

    Attributes:
        services_there: its services.
        tasks_there: its tasks.
        nodes_there: its nodes.
        configs: what it keeps, configs by name.
        output: what the logs of any task are.
        refuses: asked before each answer for the reason not to give it, or for none.
        updated: the services that were updated, each with its time.
        removed: the ids of what was removed.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(Client(Endpoint("unix:///nowhere", "a test")))
        self.clock = clock or Clock()
        self.services_there: Callable[[], list[Found]] = list
        self.tasks_there: Callable[[], list[Found]] = list
        self.nodes_there: Callable[[], list[Found]] = list
        self.configs: dict[str, Found] = {}
        self.output: Callable[[], bytes] = bytes
        self.refuses: Callable[[], str] = str
        self.updated: list[tuple[float, str]] = []
        self.removed: list[str] = []

    def later(self, **by: float) -> None:
        """Have all that it keeps be that much older."""
        for found in self.configs.values():
            for key in ("CreatedAt", "UpdatedAt"):
                found[key] = (datetime.fromisoformat(found[key]) - timedelta(**by)).isoformat()

    def _ask(self, method: str, path: str, *, missing: bool = False, **more: Any) -> Any:
        if why := self.refuses():
            raise EngineRefused(f"cannot: {why}", where=self.url)
        self.has_answered = True
        found = self._answer(method, path.strip("/").split("/"), more)
        if found is None and not missing:
            raise EngineRefused(f"cannot: {path} not found", where=self.url)
        return SimpleNamespace(ok=found is not None, json=lambda: found, content=found)

    def _answer(self, method: str, path: list[str], more: dict[str, Any]) -> Any:
        return self._told(path, more) if method == "GET" else self._done(path, more)

    def _told(self, path: list[str], more: dict[str, Any]) -> Any:
        match path:
            case ["services", id]:
                return next((it for it in self.services_there() if it["ID"] == id), None)
            case ["tasks", _, "logs"]:
                return self.output()
            case ["configs"]:
                return self._configs_like(json.loads(more["params"]["filters"]))
        there = {
            "services": self.services_there,
            "tasks": self.tasks_there,
            "nodes": self.nodes_there,
            "networks": list,
            "secrets": list,
        }
        return there[path[0]]()

    def _done(self, path: list[str], more: dict[str, Any]) -> Any:
        match path:
            case ["services", _, "update"]:
                return self.updated.append((self.clock.now, more["json"]["Name"])) or {}
            case ["configs", "create"]:
                return self._config_made(more["json"])
            case ["configs", id, "update"]:
                return self._config_updated(id, more["json"])
        self.removed.append(path[-1])
        return self.configs.pop(path[-1], None)

    def _configs_like(self, filters: dict[str, list[str]]) -> list[Found]:
        labels = {text.partition("=")[0] for text in filters.get("label") or []}
        return [
            found
            for found in self.configs.values()
            if labels <= found["Spec"]["Labels"].keys()
            and found["Spec"]["Name"].startswith(tuple(filters.get("name") or [""]))
        ]

    def _config_made(self, said: Found) -> Found:
        name, now = said["Name"], datetime.now(UTC).isoformat()
        if not base64.b64decode(said["Data"]):
            raise EngineRefused("cannot: config data must be larger than 0", where=self.url)
        if name in self.configs:
            raise EngineRefused(f"cannot: config {name} already exists", where=self.url)
        dates = {"CreatedAt": now, "UpdatedAt": now}
        self.configs[name] = {"ID": name, "Version": {"Index": 1}, "Spec": said, **dates}
        return {}

    def _config_updated(self, id: str, said: Found) -> Found | None:
        if id not in self.configs:
            return None
        self.configs[id]["Spec"]["Labels"] = said["Labels"]
        self.configs[id]["UpdatedAt"] = datetime.now(UTC).isoformat()
        return {}


def frame(kind: int, text: bytes) -> bytes:
    """A piece of a task's logs, as the API multiplexes them."""
    return bytes([kind, 0, 0, 0]) + len(text).to_bytes(4, "big") + text
