"""Taking a fleet down, or some of its hosts. Volumes stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stagekit.pipeline.run.fleet import member as parts
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, held, on_each, reach
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.fleet.recording import HostRunning
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running, Subject
from stagekit.records import (
    ContainerSeen,
    Deploy,
    HostRun,
    Run,
    RunOutcome,
    Standing,
    Stored,
    compose_project,
)


def stop(last: Run, fleet: Fleet) -> Stored[Run]:
    """Take down what runs on hosts of a fleet, and record it.

    Args:
        last: the run in force.
        fleet: those of its hosts that are to be stopped.

    Raises:
        EngineError: a host is not reached; nothing was changed on any.
        Busy: another run holds the environment on one of them.
        RunFailed: one could not be taken down; the others are.
    """
    base, members = fleet.base, fleet.members(last.runner)
    named = {member.name for member in members}
    others = [item for item in last.hosts if item.name not in named]
    left: RunOutcome = "running" if any(item.release for item in others) else "stopped"
    project = compose_project(last.project, last.env)
    reached = reach(fleet, members, base)
    if reached.failed:
        raise failure_of(reached.failed, len(members), "be reached")
    with held(members, project, Deploy().lease):
        on = members[0].on
        running = Running(on)
        subject = Subject(
            env=last.env,
            project=last.project,
            release=last.release,
            runner=last.runner,
            reason="stop",
            actor=on.actor,
            ci=on.ci,
            scale=last.scale if left == "running" else {},
        )

        def take_down(member: Member, own: Platform, main: MainThread) -> None:
            host = HostRunning(member.host, own, running, main, member.told)
            try:
                parts.take_down(member, _standing(last, running.n, own), last.runner, own, host)
            except Exception as error:
                member.told = host.told("failed", release=None, before=None, error=error)
                raise

        def work() -> tuple[ContainerSeen, ...]:
            outcome = on_each(members, take_down, on)
            running.hosts = _in_order(last.hosts, members)
            if outcome.failed:
                raise failure_of(outcome.failed, len(members), "be taken down")
            return ()

        running.hosts = _in_order(last.hosts, members)
        return running.recorded(subject, left, work)


def _in_order(hosts: Sequence[HostRun], members: Sequence[Member]) -> tuple[HostRun, ...]:
    told = {member.name: member.told for member in members}
    return tuple(
        told.get(item.name)
        or HostRun(
            name=item.name,
            url=item.url,
            outcome="untouched" if item.known else item.outcome,
            release=item.release,
            before=item.release,
        )
        for item in hosts
    )


def _standing(last: Run, n: int, on: Platform) -> Standing:
    return Standing(
        project=last.project,
        env=last.env,
        run=n,
        outcome="stopped",
        reason="stop",
        release=last.release.id,
        release_digest=last.release.digest,
        build="",
        actor=on.actor,
        when=datetime.now(UTC),
    )
