"""The hosts of a fleet, reached: what is the same for all that is done on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from stagekit.cancel import Cancel
from stagekit.errors import Cancelled, EngineError, RunFailed, StagekitError
from stagekit.events import Emit, step
from stagekit.inputs.fleet import Host
from stagekit.pipeline.abreast import Outcome
from stagekit.pipeline.run.fleet.abreast import (
    MainThread,
    Result,
    names_of,
    side_by_side,
)
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.platform import Platform
from stagekit.records import EngineFacts

_ADDRESSES = ("ssh://", "tcp://", "unix://")


@dataclass(frozen=True)
class Fleet:
    """The hosts that something is done on.

    Attributes:
        hosts: in the order of their settings.
        platform: gives what is done on one its engine; asks nothing of it.
        open: connects to one, and returns what its engine says of itself. Raises EngineError.
    """

    hosts: tuple[Host, ...]
    platform: Callable[[Host], Platform]
    open: Callable[[Host, Cancel], EngineFacts]

    @property
    def base(self) -> Platform:
        """What is done for all of them; asked about an engine, it means the first host's."""
        return self.platform(self.hosts[0])

    def members(self, runner: str) -> list[Member]:
        """Return the hosts for what is about to be done; ``runner`` brings it up there."""
        members = [Member(host, self.platform(host)) for host in self.hosts]
        for member in members:
            member.on.runner(runner)  # plugins are asked here, on the main thread
        return members


def on_each(
    members: Sequence[Member],
    work: Callable[[Member, Platform, MainThread], Result],
    on: Platform,
) -> Outcome[Result]:
    """Do ``work`` on every host, side by side; a failure stays that host's.

    Raises:
        Cancelled: somebody stopped it; not every host was begun.
    """
    known = {member.name: member for member in members}
    outcome = side_by_side(
        {member.name: member.on for member in members},
        lambda name, own, main: work(known[name], own, main),
        emit=on.emit,
        cancel=on.cancel,
    )
    on.cancel.check()
    return outcome


def reach(
    fleet: Fleet, members: Sequence[Member], on: Platform, *, emit: Emit | None = None
) -> Outcome[None]:
    """Connect to every host; return how that went. Nothing is changed.

    Args:
        fleet: connects.
        members: the hosts.
        on: what it is done for.
        emit: told of it, in the place of whom ``on`` tells.
    """

    def connect(member: Member, own: Platform, _main: MainThread) -> None:
        with step(own.emit, "reach", member.host.url):
            member.engine = fleet.open(member.host, own.cancel)

    heard = replace(on, emit=emit or on.emit)
    return on_each(members, connect, heard)


def reach_all(
    fleet: Fleet, members: Sequence[Member], on: Platform, *, emit: Emit | None = None
) -> None:
    """Connect to every host, as `reach`, for what is done on all of them or on none.

    Raises:
        EngineError: one is not reached.
    """
    if failed := reach(fleet, members, on, emit=emit).failed:
        raise failure_of(failed, len(members), "be reached")


def failure_of(errors: Mapping[str, Exception], total: int, what: str) -> Exception:
    """Return the one error of the hosts that failed, or one that tells of all.

    Args:
        errors: what stopped each.
        total: how many hosts there are.
        what: they failed to do, after "cannot".
    """
    if all(isinstance(error, Cancelled) for error in errors.values()):
        return next(iter(errors.values()))
    if len(errors) == 1:
        [(name, error)] = errors.items()
        named = (*_ADDRESSES, f"host {name}")
        if isinstance(error, StagekitError) and not (error.where or "").startswith(named):
            error.where = ", ".join(filter(None, (f"host {name}", error.where)))
        return error
    kind = EngineError if all(isinstance(e, EngineError) for e in errors.values()) else RunFailed
    lines: list[str] = []
    for name, error in errors.items():
        lines += [f"{name}: {error}", *(f"  {line}" for line in getattr(error, "output", ()))]
    hints = (getattr(error, "hint", None) for error in errors.values())
    return kind(
        f"{len(errors)} of {total} hosts cannot {what}: {names_of(list(errors))}",
        hint=next(filter(None, hints), None),
        output=tuple(lines),
    )
