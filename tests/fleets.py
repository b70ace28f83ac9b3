"""A fleet of three hosts whose engines are none, for tests of what is done on each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.containers import Container
from stagekit.errors import EngineError, RunFailed
from stagekit.events import Done
from stagekit.images import ImageFacts
from stagekit.inputs.fleet import Host
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run.bundled import knowing
from stagekit.pipeline.run.fleet import flow
from stagekit.pipeline.run.fleet.hosts import Fleet
from stagekit.pipeline.run.fleet.transaction import Policy
from stagekit.pipeline.run.hooks import Nobody
from stagekit.records import Deploy, EngineFacts, Holder, Run, Standing
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, Heard
from stagekit.testing.records import NOON, PIN, a_container, released
from tests.fakes import platform

UP = a_container()
BAD = a_container(state="exited", exit_code=3)
IMAGE = ImageFacts(id=UP.image_id, size=1, digests=(PIN.pinned,))
BOB = Holder(actor="bob", host="ci", pid=7, command="inv run", since=NOON)
URLS = ("ssh://c", "ssh://a", "ssh://b")
NAMES = ("c", "a", "b")
KEEP_GOING = Policy(keep_going=True)


class Hosts:
    """Three hosts, in another order than that of their addresses."""

    def __init__(self, ledger: FileLedger) -> None:
        self.ledger = ledger
        self.heard = Heard()
        self.cancel = Cancel()
        self.away: dict[str, EngineError] = {}
        self.locked: list[str] = []
        self.when_locked: dict[str, list[Callable[[], None]]] = {}
        images = {PIN.pinned: IMAGE, UP.image_id: IMAGE}
        self.engines = {name: HostEngine(self, name, dict(images)) for name in NAMES}
        self.runners = {name: FakeRunner([UP], before=()) for name in NAMES}
        self.plugins: Any = Nobody()
        self.bundled = False

    def fleet(self, names: tuple[str, ...] = NAMES) -> Fleet:
        def open(host: Host, _cancel: Cancel) -> EngineFacts:
            if host.name in self.away:
                raise self.away[host.name]
            return self.engines[host.name].facts()

        def on(host: Host) -> Any:
            one = platform(
                self.ledger,
                self.runners[host.name],
                self.engines[host.name],
                self.cancel,
                self.heard,
            )
            engine = knowing(one.engine, {PIN.pinned: UP.image_id} if self.bundled else {})
            return dataclasses.replace(one, plugins=self.plugins, engine=engine)

        hosts = tuple(Host(name=name, url=f"ssh://{name}") for name in names)
        return Fleet(hosts, on, open)

    def run(self, policy: Policy = Policy(), **more: Any) -> Run:  # noqa: B008  # frozen
        asked = {"release_id": None, "reason": "run", "fleet": self.fleet(), **more}
        return flow.run("prod", policy=policy, **asked).record

    def standing(self, id: str = "v1", outcome: str = "running") -> None:
        """Let every engine say that a release is in force."""
        stored = self.ledger.release("prod", id)
        for name in NAMES:
            self.engines[name].kept = Standing(
                project="shop",
                env="prod",
                run=1,
                outcome=outcome,
                reason="run",
                release=id,
                release_digest=stored.digest,
                build="b1",
                actor="ann",
                when=NOON,
            )

    def in_force(self) -> dict[str, str | None]:
        return {
            name: engine.kept.release if engine.kept and engine.kept.outcome == "running" else None
            for name, engine in self.engines.items()
        }

    def fails(self, name: str, *then: Container) -> None:
        """Let the next thing that comes up on a host fail, and what comes after it be ``then``."""
        self.runners[name] = FakeRunner([BAD], list(then or (UP,)), before=())

    @property
    def last(self) -> Run:
        return self.ledger.run("prod", self.ledger.runs("prod")[0]).record

    def switched(self) -> list[str]:
        """Return the hosts on which something came up, in that order."""
        done = [item for item in self.heard.events if isinstance(item, Done) and item.step == "up"]
        return [item.subject.partition(":")[0] for item in done]


class HostEngine(FakeEngine):
    def __init__(self, hosts: Hosts, name: str, images: dict[str, ImageFacts]) -> None:
        super().__init__(images=images, url=f"ssh://{name}")
        self._hosts = hosts
        self._name = name
        self.watched: Opening | None = None

    def image(self, reference: str) -> ImageFacts | None:
        if self.watched is not None and self._name not in self.watched.open:
            self.watched.early.append(self._name)
        return super().image(reference)

    def lease(self, name: str, holder: Holder, **more: Any) -> Any:
        self._hosts.locked.append(self._name)
        if told := self._hosts.when_locked.get(self._name):
            told.pop(0)()
        return super().lease(name, holder, **more)

    def of(self, other: HostEngine) -> None:
        """Be the same engine as another one, as far as locks tell."""
        self._locks = other._locks


def sealed(ledger: FileLedger, **settings: Any) -> str:
    """Seal a release to these hosts; return its id."""
    deploy = replace(Deploy(timeout=0.5, settle=0.0, hosts=URLS), **settings)
    return released(ledger, deploy=deploy).record.id


def outcomes(run: Run) -> list[tuple[str, str, str | None]]:
    return [(host.name, host.outcome, host.release) for host in run.hosts]


class Opening(dict[str, EngineError]):
    """Watches engines that are asked before their host is opened."""

    def __init__(self, hosts: Hosts) -> None:
        super().__init__()
        self.early: list[str] = []
        self.open: set[str] = set()
        for engine in hosts.engines.values():
            engine.watched = self

    def __contains__(self, name: object) -> bool:
        self.open.add(str(name))
        return False


def a_fleet(folder: Path) -> Hosts:
    """Return hosts, and a ledger with one release to them."""
    ledger = FileLedger(folder)
    sealed(ledger)
    return Hosts(ledger)


def mixed(hosts: Hosts) -> Run:
    """Let a release fail on the last host, and the others keep it; return that run."""
    hosts.standing("v1")
    sealed(hosts.ledger)
    hosts.fails("b", BAD)
    with pytest.raises(RunFailed):
        hosts.run(KEEP_GOING)
    assert outcomes(hosts.last) == [
        ("c", "running", "v2"),
        ("a", "running", "v2"),
        ("b", "failed", None),
    ]
    return hosts.last
