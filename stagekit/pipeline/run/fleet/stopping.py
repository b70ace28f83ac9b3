"""Taking a fleet down, or some of its hosts. Volumes stay."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from stagekit.events import Noted
from stagekit.pipeline.run.fleet import parts
from stagekit.pipeline.run.fleet.abreast import MainThread, names_of
from stagekit.pipeline.run.fleet.holding import held
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, on_each, reach_all
from stagekit.pipeline.run.fleet.member import Member, begin_from, in_order
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.subject import Subject
from stagekit.records import ContainerSeen, Deploy, Run, RunOutcome, Stored, compose_project


def stop(last: Run, fleet: Fleet) -> Stored[Run]:
    """Take down what runs on hosts of a fleet, and record it. Where nothing is left to take down
    since the last time, that is what is returned.

    Args:
        last: the run in force.
        fleet: those of its hosts that are to be stopped.

    Raises:
        EngineError: a host is not reached; nothing was changed on any.
        Busy: another run holds the environment on one of them.
        RunFailed: one could not be taken down; the others are.
    """
    base, members = fleet.base, fleet.members(last.runner)
    reach_all(fleet, members, base)
    with held(members, compose_project(last.project, last.env), Deploy().lease) as on:
        running_there = _with_something(last, members, on)
        if running_there:
            return _stopped(last, running_there, on)
        where = f" on {names_of([member.name for member in members])}"
        on.emit(
            Noted(f"nothing runs in {last.env}{where if len(members) < len(last.hosts) else ''}")
        )
        return on.ledger.run(last.env, last.n)


def _stopped(last: Run, members: Sequence[Member], on: Platform) -> Stored[Run]:
    begin_from(members, last.hosts)
    named = {member.name for member in members}
    others = [item for item in last.hosts if item.name not in named]
    left: RunOutcome = "running" if any(item.release for item in others) else "stopped"
    running = Running(on)
    scale = last.scale if left == "running" else {}
    subject = replace(Subject.after(last, "stop", on), scale=scale)

    def take_down(member: Member, own: Platform, main: MainThread) -> None:
        standing = running.standing("stopped", last.release)
        with member.recorded(own, running, main) as host:
            parts.take_down(member, standing, last.runner, own, host)

    def work() -> tuple[ContainerSeen, ...]:
        try:
            outcome = on_each(members, take_down, on)
        finally:
            running.hosts = in_order(last.hosts, members)
        if outcome.failed:
            raise failure_of(outcome.failed, len(members), "be taken down")
        return ()

    running.hosts = in_order(last.hosts, members)
    return running.recorded(subject, left, work)


def _with_something(last: Run, members: Sequence[Member], on: Platform) -> list[Member]:
    """Return the hosts that something was left on, and those of the others that have containers
    all the same."""
    left = {item.name: item.release for item in last.hosts if item.known}
    empty = [member for member in members if left.get(member.name, "") is None]
    project = compose_project(last.project, last.env)

    def has_some(_member: Member, own: Platform, _main: MainThread) -> bool:
        return bool(own.runner(last.runner).observe(project).containers)

    seen = on_each(empty, has_some, on)
    if seen.failed:
        raise failure_of(seen.failed, len(members), "be looked at")
    return [member for member in members if seen.done.get(member.name, True)]
