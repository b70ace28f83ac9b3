"""One host of a fleet while something is done on it, and what of a release is its part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath

from msgspec.structs import replace as changed

from stagekit.inputs.fleet import Host, services_on
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.decide import Stage, State
from stagekit.pipeline.run.fleet.recording import HostRunning
from stagekit.pipeline.run.plan import Plan
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.verify import Verified
from stagekit.records import EngineFacts, HostRun, Standing


@dataclass
class Member:
    """One host of a fleet under way.

    Attributes:
        host: which one.
        on: what its part is done with.
        told: what is recorded of it, as far as it has come: first what was left there before.
        engine: what its engine says of itself, once it is reached.
        stage: how far that is.
        before: the id of the release that it ran before.
        foreign: it ran something before that this ledger does not know.
        ours: what is there without being in force was begun by a run of this ledger.
        plan: what is to be run there, once that was decided.
        folder: of the files that it mounts, once they are there.
    """

    host: Host
    on: Platform
    told: HostRun = field(init=False)
    engine: EngineFacts | None = None
    stage: Stage = "waiting"
    before: str | None = None
    foreign: bool = False
    ours: bool = False
    plan: Plan | None = None
    folder: PurePath | None = None

    def __post_init__(self) -> None:
        self.told = HostRun(name=self.host.name, url=self.host.url)

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def state(self) -> State:
        return State(
            name=self.name, stage=self.stage, changed=self.told.changed, before=self.before
        )

    def afresh(self) -> Member:
        """Return the same host for another run, of which nothing is done yet."""
        fresh = Member(self.host, self.on, engine=self.engine, foreign=self.foreign)
        fresh.told = self.told.left_alone
        return fresh

    def running(self, own: Platform, whole: Running, main: MainThread) -> HostRunning:
        """Return what records the host's part of a run.

        Args:
            own: what it is done with, in the thread that does it.
            whole: the run.
            main: does things on the main thread.
        """
        running = HostRunning(self.host, own, whole, main, self.told)
        running.engine = self.engine
        running.foreign = self.foreign
        return running

    @contextmanager
    def recorded(self, own: Platform, whole: Running, main: MainThread) -> Iterator[HostRunning]:
        """Give what records the host's part of a run, as `running` does; an error of the body is
        noted as what stopped it."""
        running = self.running(own, whole, main)
        try:
            yield running
        except Exception as error:
            self.fail(error, running)
            raise

    def look(self, standing: Standing | None, running: HostRunning) -> None:
        """Note what runs on the host before it is touched: what its engine says; where the run
        before left it so that nobody knows, that is still so."""
        release = self.before if standing else self.told.release
        self.told = running.told(
            self.told.outcome,
            release=release if self.told.outcome == "untouched" else None,
            before=self.before,
        )

    def fail(self, error: Exception, running: HostRunning) -> None:
        """Note what stopped the host's part: where it had changed something, nobody knows what
        runs there; else what was known of it stays."""
        self.stage = "failed"
        self.told = running.told(
            "failed" if running.changed else self.told.outcome,
            release=None if running.changed else self.told.release,
            before=self.before or self.told.before,
            error=error,
        )


def begin_from(members: Iterable[Member], hosts: Iterable[HostRun]) -> None:
    """Let a run begin with what an earlier one left on its hosts: of a host that it does not come
    to, that stays true.

    Args:
        members: the run's hosts.
        hosts: as the earlier run left them; others, and other addresses, are passed over.
    """
    left = {(host.name, host.url): host for host in hosts}
    for member in members:
        if host := left.get((member.name, member.host.url)):
            member.told = host.left_alone


def in_order(hosts: Iterable[HostRun], members: Iterable[Member]) -> tuple[HostRun, ...]:
    """Return what is recorded of all hosts of an earlier run, in their order.

    Args:
        hosts: as that run left them.
        members: those of them that something is done on.
    """
    told = {member.name: member.told for member in members}
    return tuple(told.get(host.name) or host.left_alone for host in hosts)


def part_for(checked: Verified, host: Host) -> Verified:
    """Return what of a release is run on a host. Its document is the sealed one, byte for byte; of
    services that run elsewhere there are no containers."""
    stored = checked.release
    release = stored.record
    here = services_on(host, checked.document["services"], release.deploy)
    services = {name: checked.document["services"][name] for name in here}
    checks = tuple(
        changed(check, url=check.url.replace("{host}", host.address))
        for check in release.deploy.checks
        if check.asked_from in ("here", *here)
    )
    part = changed(
        release,
        pins={name: pin for name, pin in release.pins.items() if name in here},
        deploy=changed(release.deploy, checks=checks),
    )
    return changed(
        checked,
        release=changed(stored, record=part),
        document={**checked.document, "services": services},
    )


def scale_for(numbers: Mapping[str, int], checked: Verified, part: Verified) -> dict[str, int]:
    """Return the numbers of containers on a host: none of the services that run elsewhere."""
    here = part.document["services"]
    elsewhere = {name: 0 for name in checked.document["services"] if name not in here}
    return {**{name: count for name, count in numbers.items() if name in here}, **elsewhere}


def lines_of(hosts: Iterable[HostRun]) -> Iterator[str]:
    """Yield a line for each host: what it runs, and what stopped it."""
    for host in hosts:
        runs = (host.release or "nothing") if host.known else "not known what it runs"
        yield f"{host.name}: {runs}" + (f"; {host.failure.message}" if host.failure else "")
