"""What runs on the hosts of a fleet, written as the release that would run so."""

from __future__ import annotations

from stagekit.events import ignore
from stagekit.inputs.fleet import services_on
from stagekit.pipeline.as_running import There, as_it_runs, look
from stagekit.pipeline.compare import Side
from stagekit.pipeline.history import RUNNING
from stagekit.pipeline.run.fleet import decide
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, on_each, reach_all
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.sides import released
from stagekit.records import Run


def running(last: Run, fleet: Fleet) -> Side:
    """Read what runs on a fleet: the release of its last run, with the images and labels that the
    containers on all of its hosts have; and which host has others.

    Args:
        last: the run in force.
        fleet: its hosts.

    Raises:
        EngineError: a host is not reached: what runs there is not known.
        LedgerError: the release's record is damaged.
    """
    base = fleet.base
    side = released(base.ledger, last.env, last.release.id)
    release = side.release
    members = fleet.members(last.runner)
    reach_all(fleet, members, base, emit=ignore)

    def one(member: Member, own: Platform, _main: MainThread) -> There:
        standing = own.engine.standing(release.compose_project)
        return look(
            release,
            own.runner(last.runner).observe(release.compose_project).containers,
            own.engine,
            expected=services_on(member.host, release.pins, release.deploy),
            host=member.name,
            in_force=decide.other_release(standing, None, last.release) or "",
        )

    outcome = on_each(members, one, base)
    if outcome.failed:
        raise failure_of(outcome.failed, len(members), "be looked at")
    places = [outcome.done[member.name] for member in members]
    return as_it_runs(side, f"{last.env}/{RUNNING}", places)
