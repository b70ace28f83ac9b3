"""What runs where a fleet's release is not to run: on a host that it does not have any more, or on
the one engine that the environment had before."""

from __future__ import annotations

from collections.abc import Sequence

from stagekit.errors import RunFailed
from stagekit.pipeline.run.fleet.member import Member
from stagekit.records import HostRun, Release, Run, compose_project


def still_there(host: HostRun, env: str) -> str:
    """Say what was left on a host that a release does not have."""
    runs = f"runs {env}/{host.release}" if host.release else "may run something"
    return (
        f"{host.name} is no host of this release, and {runs}: "
        f"inv run.stop --env {env} --host {host.name} takes it down"
    )


def refuse_left_on_one_engine(
    last: Run | None, release: Release, members: Sequence[Member]
) -> None:
    """Refuse a fleet's release where what runs on one engine would go on there, and no command
    would reach it any more.

    Where that engine is one of the hosts', the release takes the place of what runs there. It is
    told by its id, and by its saying that anything is in force: machines that were cloned from one
    image call themselves the same.

    Args:
        last: the run in force.
        release: what is to be run.
        members: the hosts that are reached.

    Raises:
        RunFailed: it would go on.
    """
    if last is None or last.hosts or last.outcome == "stopped":
        return
    if last.runner == release.deploy.engine and any(_is_of(last, member) for member in members):
        return
    where = f" ({last.engine.url})" if last.engine else ""
    what = "one engine" if last.runner == release.deploy.engine else last.runner
    raise RunFailed(
        f"it is run on hosts, and what runs in {last.env} by {what}{where}",
        where=release.name,
        hint=f"inv run.stop --env {last.env} takes that down first; volumes stay",
    )


def _is_of(last: Run, member: Member) -> bool:
    """Tell whether a host's engine is the one that a run was on."""
    if last.engine is None or member.engine is None or last.engine.id != member.engine.id:
        return False
    return member.on.engine.standing(compose_project(last.project, last.env)) is not None
