"""What is done on one host in a fleet's run: the same steps as on one engine, in two halves. All of
it is done in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from stagekit.errors import NotProven, StagekitError
from stagekit.pipeline.run import attempt, preflight, proof
from stagekit.pipeline.run.bundled import as_named_here, without_bundles
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.member import Member, part_for, scale_for
from stagekit.pipeline.run.fleet.recording import HostRunning
from stagekit.pipeline.run.plan import Plan, decide
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.standing import note_standing
from stagekit.pipeline.verify import Verified
from stagekit.protocols import Ledger
from stagekit.records import ContainerSeen, Release, Standing, Stored, compose_project

_RUNS, _STOPPED = "running", "stopped"


@dataclass(frozen=True)
class Wish:
    """What is to be run on hosts.

    Attributes:
        checked: the whole release.
        numbers: of containers, by service, where they are other than the release's.
        known: tells whether the ledger has the release that an engine says is in force.
        keep_proven: leave a host alone that runs the release already, proven.
        agree: looks at what was decided for a host, in its thread; raises where that may not be.
    """

    checked: Verified
    numbers: Mapping[str, int]
    known: Callable[[Standing], bool]
    keep_proven: bool = False
    agree: Callable[[Member, Platform, MainThread], None] = lambda *_: None


def verify(env: str, release_id: str | None, on: Platform, running: Running) -> Verified:
    """Find a release and check it, as `stagekit.pipeline.run.attempt.verify` does. What images of
    bundles are called is asked of each host, once that is reached."""
    return attempt.verify(env, release_id, replace(on, engine=without_bundles(on.engine)), running)


def is_known(ledger: Ledger, standing: Standing) -> bool:
    """Tell whether what an engine says is in force is a release that the ledger has."""
    if standing.release not in ledger.releases(standing.env):
        return False
    try:
        return ledger.release(standing.env, standing.release).digest == standing.release_digest
    except StagekitError:
        return False


def in_force(
    member: Member, project: str, wish: Wish, on: Platform, main: MainThread
) -> Standing | None:
    """Return what a host's engine says is in force there; what the ledger knows of it is noted as
    what ran before."""
    standing = on.engine.standing(project)
    if standing and standing.outcome == _RUNS and main(partial(wish.known, standing)):
        member.before = standing.release
    return standing


def decide_for(member: Member, wish: Wish, standing: Standing | None, on: Platform) -> None:
    """Look at a host, and decide what is to be run there; change nothing.

    Args:
        member: the host; gets its plan.
        wish: what is wanted.
        standing: what its engine says is in force.
        on: what it is done with.

    Raises:
        RunFailed: it could not be run there.
    """
    part = as_named_here(part_for(wish.checked, member.host), on.engine)
    found = preflight.look(part, on.engine, emit=on.emit, cancel=on.cancel)
    stopped = standing is not None and standing.outcome == _STOPPED
    is_new = member.before is None and not found.first
    ours = member.ours and standing is None
    member.foreign = is_new and not stopped and not ours
    member.plan = decide(found, part, scale_for(wish.numbers, wish.checked, part), on.engine)


def make_ready(
    member: Member, wish: Wish, on: Platform, running: HostRunning, main: MainThread
) -> None:
    """Look at a host, pull what is missing there and put its files there. What runs is not touched.

    Args:
        member: the host.
        wish: what is to be run.
        on: what it is done with, in this thread.
        running: records it.
        main: does things on the main thread.

    Raises:
        RunFailed: it could not be run there.
    """
    release = wish.checked.release
    seen = None
    with running.step("check", on.engine.url) as under_way:
        standing = in_force(member, release.record.compose_project, wish, on, main)
        member.look(standing, running)
        decide_for(member, wish, standing, on)
        running.note_before(member.before, foreign=member.foreign)
        wish.agree(member, on, main)
        plan, engine = member.plan, running.engine
        assert plan
        assert engine
        if wish.keep_proven and standing and _is_of(standing, release):
            seen = proven(plan, on)
        under_way.outcome = f"version {engine.version}, images to pull: {len(plan.pull)}"
        if seen is not None:
            under_way.outcome = f"runs {release.record.name} already"
    if seen is not None:
        id = release.record.id
        member.stage = "kept"
        running.note_outcome("kept", id)
        member.told = running.told("kept", release=id, before=member.before, seen=seen)
        return
    member.folder = attempt.made_ready(plan, on, running)
    member.stage = "ready"
    member.look(standing, running)


def _is_of(standing: Standing, release: Stored[Release]) -> bool:
    return standing.outcome == _RUNS and standing.release_digest == release.digest


def switch(
    member: Member,
    standing: Standing,
    secrets: Mapping[str, str],
    on: Platform,
    running: HostRunning,
) -> None:
    """Bring up on a host what was made ready there, prove it, and note it on its engine.

    Args:
        member: the host.
        standing: what is noted.
        secrets: values by name.
        on: what it is done with, in this thread.
        running: records it.

    Raises:
        RunFailed: it did not come up, or is not what was released.
    """
    plan, folder = member.plan, member.folder
    assert plan
    assert folder
    release = plan.release
    before = on.runner(release.deploy.engine).observe(release.compose_project)
    seen = attempt.switched(plan, on, running, folder, secrets, before)
    running.note_outcome("running", release.id)
    member.stage = "switched"
    member.told = running.told("running", release=release.id, before=member.before, seen=seen)
    note_standing(standing, on)


def take_down(
    member: Member, standing: Standing, runner: str, on: Platform, running: HostRunning
) -> None:
    """Take down what runs on a host; volumes stay.

    Args:
        member: the host.
        standing: what is noted on its engine after it.
        runner: what can take it down.
        on: what it is done with, in this thread.
        running: records it.

    Raises:
        RunFailed: it could not be.
    """
    project = compose_project(standing.project, standing.env)
    with running.step("down", project, changes=True) as under_way:
        on.runner(runner).down(project, emit=on.emit, cancel=on.cancel)
        under_way.outcome = "volumes stay"
    running.note_outcome("stopped", None)
    member.stage = "switched"
    before = member.before or member.told.before
    member.told = running.told("stopped", release=None, before=before)
    note_standing(standing, on)


def still_holds(member: Member, on: Platform) -> None:
    """Look again at a host that was switched.

    Raises:
        NotProven: a container ended since, or was started again.
    """
    assert member.plan
    if proven(member.plan, on) is None:
        raise NotProven(
            "it runs no more as it was proven",
            where=f"{member.plan.release.name} on {member.name}",
        )


def proven(plan: Plan, on: Platform) -> tuple[ContainerSeen, ...] | None:
    """Return the containers that run what is to run; None where that is not so."""
    release = plan.release
    runner = on.runner(release.deploy.engine)
    observed = runner.observe(release.compose_project)
    settled = proof.Settled(observed.containers, 0.0)
    try:
        held = proof.held(release, plan.wanted, runner, on.engine, settled, on.cancel)
        return proof.compare(release, held, on.engine)
    except NotProven:
        return None
