"""An environment's lock on every host of a fleet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from stagekit.cancel import Cancel
from stagekit.errors import Busy, InputError
from stagekit.events import Done, Emit, Event, Failed, ignore
from stagekit.pipeline.abreast import abreast
from stagekit.pipeline.run.fleet.abreast import MainThread, telling_of
from stagekit.pipeline.run.fleet.hosts import failure_of, on_each
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.lock import is_ours, take
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.protocols import Lease


@contextmanager
def held(members: Sequence[Member], project: str, seconds: float) -> Iterator[Platform]:
    """Hold the environment's lock on every host for as long as the body takes.

    Whoever waits for a lock has none that comes after it in the order of the hosts' addresses,
    which is the same for all: two that want the same hosts never wait for each other.

    Yields:
        What is done for all of them with: the first host's lock stands for all. Where one is lost,
        that host alone stops.

    Raises:
        Busy: another run holds one; those that were taken are free again.
        EngineError: a host does not answer any more.
        InputError: two of the hosts are one engine.
    """
    whole = members[0].on
    locks = _Locks(sorted(members, key=lambda item: item.host.url), project, seconds)
    try:
        locks.take_all(whole)
        yield replace(whole, lease=members[0].on.lease)
    finally:
        locks.release_from(0)


class _Locks:
    """The locks of hosts, in the order in which they are waited for."""

    def __init__(self, members: Sequence[Member], project: str, seconds: float) -> None:
        self._members = members
        self._project = project
        self._seconds = seconds
        self._without = {member.name: member.on for member in members}
        self._taken: dict[str, Lease] = {}

    def take_all(self, on: Platform) -> None:
        """Take them: the first, and then the others side by side, which takes no longer than one
        of them. Where another run holds one of those, from that one on one after the other."""
        first, others = self._members[0], self._members[1:]
        self._take_in_turn(first)
        self._take_abreast(others, on)
        for member in others:
            if member.name not in self._taken:
                self._refuse_twin(member)
                self._take_in_turn(member)

    def release_from(self, at: int) -> None:
        """Let go of them all from one on, whatever else is to stop."""
        leases = {}
        for member in self._members[at:]:
            if member.name in self._taken:
                leases[member.name] = self._taken.pop(member.name)
                member.on = self._without[member.name]
        if leases:
            abreast(
                dict.fromkeys(leases, ()),
                lambda name, *_: leases[name].release(),
                jobs=len(leases),
                fail_fast=False,
                emit=ignore,
                cancel=Cancel(),
            )

    def _take_abreast(self, members: Sequence[Member], on: Platform) -> None:
        """Take what is free. Of what comes behind one that is not, nothing is kept."""

        def try_to(member: Member, own: Platform, _main: MainThread) -> None:
            emit = _no_failure_yet(own.emit)
            self._take(member, replace(member.on, emit=emit, plugins=own.plugins, wait=0.0))

        failed = on_each(members, try_to, on).failed
        broken = {name: error for name, error in failed.items() if not isinstance(error, Busy)}
        if broken:
            raise failure_of(broken, len(self._members), "be locked")
        if failed:
            names = [member.name for member in self._members]
            self.release_from(min(map(names.index, failed)))

    def _take_in_turn(self, member: Member) -> None:
        self._take(member, replace(member.on, emit=telling_of(member.name, member.on.emit)))

    def _take(self, member: Member, on: Platform) -> None:
        try:
            lease, cancel = take(self._project, self._seconds, on, Running(on))
        except Busy as error:
            error.where = f"{self._project} on {member.name}"
            raise
        self._taken[member.name] = lease
        member.on = member.on.under(lease, cancel)

    def _refuse_twin(self, member: Member) -> None:
        """Raise InputError where a host whose lock could not be taken is the engine of one whose
        lock was.

        Machines that were cloned from one image call themselves the same, and are not. So where the
        names are, the lock tells: it is held by this very process.
        """
        taken = [other for other in self._members if other.name in self._taken]
        for others in twins([*taken, member]):
            if member not in others:
                continue
            holding = member.on.engine.lock_holder(self._project)
            if holding and is_ours(holding[0]):
                names = [f"{item.name} ({item.host.url})" for item in others]
                raise InputError(
                    f"{' and '.join(names)} reach one and the same engine",
                    where="[stagekit] hosts",
                    hint=f"leave out {' or '.join(item.name for item in others)}, and release "
                    "again; or mend where its address leads, as in ~/.ssh/config",
                )


def _no_failure_yet(emit: Emit) -> Emit:
    """Return a listener that hears of a lock that is not had as of one that was asked for."""

    def tell(event: Event) -> None:
        if isinstance(event, Failed):
            event = Done(event.step, event.subject, event.reason, event.seconds)
        emit(event)

    return tell


def twins(members: Sequence[Member]) -> tuple[tuple[Member, ...], ...]:
    """Return those of the hosts that were reached whose engines call themselves the same."""
    found: dict[str, list[Member]] = {}
    for member in members:
        if member.engine:
            found.setdefault(member.engine.id, []).append(member)
    return tuple(tuple(same) for same in found.values() if len(same) > 1)
