"""Taking a fleet down, or some of its hosts. Volumes stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from stagekit.errors import EngineError
from stagekit.events import Noted, Warned
from stagekit.pipeline.history import closing_interrupted, last_run
from stagekit.pipeline.run.fleet import parts
from stagekit.pipeline.run.fleet.abreast import MainThread, names_of
from stagekit.pipeline.run.fleet.holding import held
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, on_each, reach
from stagekit.pipeline.run.fleet.member import Member, begin_from, in_order
from stagekit.pipeline.run.lock import refuse_meanwhile
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.subject import Subject
from stagekit.records import (
    ContainerSeen,
    Deploy,
    HostRun,
    Run,
    RunOutcome,
    Stored,
    compose_project,
)


def stop(last: Run, fleet: Fleet) -> Stored[Run]:
    """Take down what runs on hosts of a fleet, and record it. Where nothing is left to take down
    since the last time, that is what is returned.

    Args:
        last: the run in force.
        fleet: those of its hosts that are to be stopped, or of those that earlier runs left
            something on.

    Raises:
        EngineError: a host is not reached, and may run something; nothing was changed on any.
        Busy: another run holds the environment on one of them.
        RunFailed: one could not be taken down; the others are. Or the environment has other hosts
            by now.
    """
    members = _reached(last, fleet)
    with held(members, compose_project(last.project, last.env), Deploy().lease) as on:
        last = _by_now(last, on)
        running_there = _with_something(last, members, on)
        if running_there:
            return _stopped(last, running_there, on)
        where = f" on {names_of([member.name for member in members])}"
        on.emit(
            Noted(f"nothing runs in {last.env}{where if len(members) < len(last.hosts) else ''}")
        )
        return on.ledger.run(last.env, last.n)


def _reached(last: Run, fleet: Fleet) -> list[Member]:
    """Connect to the hosts, and return them; one that was stopped, or is gone, need not be."""
    base, members = fleet.base, fleet.members(last.runner)
    failed = reach(fleet, members, base).failed
    empty = {item.name for item in (*last.hosts, *last.left) if not item.may_run}
    if failed and (len(failed) == len(members) or not failed.keys() <= empty):
        error = failure_of(failed, len(members), "be reached")
        if isinstance(error, EngineError):
            way_out = f"inv run.stop --env {last.env} --host NAME --gone records one that is gone"
            error.hint = "; ".join(filter(None, (error.hint, way_out)))
        raise error
    for name, error in failed.items():
        base.emit(Warned(f"{name}, where nothing was left, is passed over: {error}"))
    return [member for member in members if member.name not in failed]


def gone(last: Run, name: str, fleet: Fleet) -> Stored[Run]:
    """Record that a host is gone for good, and what ran there with it. It is not asked.

    Args:
        last: the run in force.
        name: the host's.
        fleet: the hosts that there still are, which are locked as far as they are reached: another
            one may be gone as well. Without any, the one that is gone.

    Raises:
        EngineError, Busy, RunFailed: as `stop`, of the hosts that are reached.
    """
    base = fleet.base
    members = [member for member in fleet.members(last.runner) if member.name != name]
    reached = reach(fleet, members, base)
    for other, error in reached.failed.items():
        base.emit(Warned(f"{other} is not reached either: {error}"))
    members = [member for member in members if member.name in reached.done]
    if not members:
        return _recorded_gone(_by_now(last, base), name, base)
    with held(members, compose_project(last.project, last.env), Deploy().lease) as on:
        return _recorded_gone(_by_now(last, on), name, on)


def _recorded_gone(last: Run, name: str, on: Platform) -> Stored[Run]:
    running = Running(on)
    running.hosts, running.left = last.hosts, last.left

    def without(hosts: Iterable[HostRun]) -> tuple[HostRun, ...]:
        return tuple(
            replace(host.left_alone, outcome="stopped", release=None, changed=True, containers=())
            if host.name == name
            else host.left_alone
            for host in hosts
        )

    def work() -> tuple[ContainerSeen, ...]:
        with running.step("gone", name, changes=True):
            running.hosts, running.left = without(last.hosts), without(last.left)
        return ()

    subject, outcome = _of_what_stays(last, {name}, on)
    return running.recorded(subject, outcome, work)


def _of_what_stays(last: Run, named: Collection[str], on: Platform) -> tuple[Subject, RunOutcome]:
    """Return what a run is of that takes something down on the hosts of these names, and its
    outcome: the others go on."""
    if any(item.may_run for item in last.hosts if item.name not in named):
        return replace(Subject.after(last, "stop", on), scale=last.scale), "running"
    return Subject.after(last, "stop", on), "stopped"


def _by_now(last: Run, on: Platform) -> Run:
    """Return the run in force, now that the locks are held: another one may have taken place, or
    have been interrupted.

    Raises:
        RunFailed: it was on other hosts.
    """
    on.ledger.look_again()
    closing_interrupted(on.ledger, last.env, on.emit)
    now = last_run(on.ledger, last.env, on.emit)
    if now is None or _places(now.record) != _places(last):
        refuse_meanwhile(last, on)
    return now.record if now else last


def _places(run: Run) -> set[tuple[str, str]]:
    return {(host.name, host.url) for host in (*run.hosts, *run.leaves(but=run.hosts))}


def _stopped(last: Run, members: Sequence[Member], on: Platform) -> Stored[Run]:
    named = {member.name for member in members}
    running = Running(on)

    def take_down(member: Member, own: Platform, main: MainThread) -> None:
        standing = running.standing("stopped", last.release)
        with member.recorded(own, running, main) as host:
            parts.take_down(member, standing, last.runner, own, host)

    def tell() -> None:
        running.hosts = in_order(last.hosts, members)
        left = [item for item in last.left if item.may_run or item.name in named]
        running.left = in_order(left, members)

    def work() -> tuple[ContainerSeen, ...]:
        try:
            ended = on_each(members, take_down, on)
        finally:
            tell()
        if ended.failed:
            raise failure_of(ended.failed, len(members), "be taken down")
        return ()

    begin_from(members, (*last.hosts, *last.left))
    tell()
    subject, outcome = _of_what_stays(last, named, on)
    return running.recorded(subject, outcome, work)


def _with_something(last: Run, members: Sequence[Member], on: Platform) -> list[Member]:
    """Return the hosts that something was left on, and those of the others that have containers
    all the same."""
    left = {item.name for item in (*last.hosts, *last.left) if item.may_run}
    empty = [member for member in members if member.name not in left]
    project = compose_project(last.project, last.env)

    def has_some(_member: Member, own: Platform, _main: MainThread) -> bool:
        return bool(own.runner(last.runner).observe(project).containers)

    seen = on_each(empty, has_some, on)
    if seen.failed:
        raise failure_of(seen.failed, len(members), "be looked at")
    return [member for member in members if seen.done.get(member.name, True)]
