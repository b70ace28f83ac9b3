"""One host's part of a fleet's run: the same steps as a run on one engine, in two halves. All of it
is done in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from msgspec.structs import replace as changed

from stagekit.errors import NotProven
from stagekit.inputs.fleet import Host, services_on
from stagekit.pipeline.run import attempt, preflight, proof
from stagekit.pipeline.run.bundled import as_named_here
from stagekit.pipeline.run.fleet.decide import Stage, State
from stagekit.pipeline.run.fleet.recording import HostRunning
from stagekit.pipeline.run.plan import Plan, decide
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.standing import note_standing
from stagekit.pipeline.verify import Verified
from stagekit.records import ContainerSeen, HostRun, Standing, compose_project

_RUNS, _STOPPED = "running", "stopped"


@dataclass
class Member:
    """One host of a fleet under way.

    Attributes:
        host: which one.
        on: what its part is done with.
        told: what is recorded of it, as far as it has come.
        stage: how far that is.
        before: the id of the release that it ran before.
        foreign: it ran something before that this ledger does not know.
        plan: what is to be run there, once that was decided.
        folder: of the files that it mounts, once they are there.
    """

    host: Host
    on: Platform
    told: HostRun = field(init=False)
    stage: Stage = "waiting"
    before: str | None = None
    foreign: bool = False
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
        return Member(self.host, self.on)


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


def make_ready(
    member: Member,
    checked: Verified,
    numbers: Mapping[str, int],
    on: Platform,
    running: HostRunning,
    known: Callable[[Standing], bool],
    *,
    keep_proven: bool = False,
) -> None:
    """Look at a host, pull what is missing there and put its files there. What runs is not touched.

    Args:
        member: the host.
        checked: the whole release.
        numbers: of containers, by service, where they are other than the release's.
        on: what it is done with, in this thread.
        running: records it.
        known: tells whether the ledger has the release that an engine says is in force.
        keep_proven: leave the host alone where it runs the release already, proven.

    Raises:
        RunFailed: it could not be run there.
    """
    part = as_named_here(part_for(checked, member.host), on.engine)
    release = part.release.record
    with running.step("check", on.engine.url) as under_way:
        running.engine = on.engine.facts()
        standing = on.engine.standing(release.compose_project)
        if standing and standing.outcome == _RUNS and known(standing):
            member.before = standing.release
        running.note_before(member.before)
        scale = scale_for(numbers, checked, part)
        found = preflight.look(part, on.engine, emit=on.emit, cancel=on.cancel)
        stopped = standing is not None and standing.outcome == _STOPPED
        member.foreign = member.before is None and not found.first and not stopped
        member.plan = decide(found, part, scale, on.engine)
        of_it = standing and standing.release_digest == part.release.digest
        seen = _proven(member.plan, on) if keep_proven and of_it else None
        under_way.outcome = (
            f"version {running.engine.version}, images to pull: {len(found.missing)}"
        )
        if seen is not None:
            under_way.outcome = f"runs {release.name} already"
    if seen is not None:
        member.stage = "kept"
        running.note_outcome("kept", release.id)
        member.told = running.told("kept", release=release.id, before=member.before, seen=seen)
        return
    member.folder = attempt.made_ready(member.plan, on, running)
    member.stage = "ready"
    member.told = running.told("untouched", release=member.before, before=member.before)


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
        running.engine = on.engine.facts()
        on.runner(runner).down(project, emit=on.emit, cancel=on.cancel)
        under_way.outcome = "volumes stay"
    running.note_outcome("stopped", None)
    member.stage = "switched"
    member.told = running.told("stopped", release=None, before=member.before)
    note_standing(standing, on)


def still_holds(member: Member, on: Platform) -> None:
    """Look again at a host that was switched.

    Raises:
        NotProven: a container ended since, or was started again.
    """
    assert member.plan
    if _proven(member.plan, on) is None:
        raise NotProven(
            "it runs no more as it was proven",
            where=f"{member.plan.release.name} on {member.name}",
        )


def _proven(plan: Plan, on: Platform) -> tuple[ContainerSeen, ...] | None:
    """Return the containers that run what is to run, None where that is not so."""
    release = plan.release
    runner = on.runner(release.deploy.engine)
    observed = runner.observe(release.compose_project)
    settled = proof.Settled(observed.containers, 0.0)
    try:
        held = proof.held(release, plan.wanted, runner, on.engine, settled, on.cancel)
        return proof.compare(release, held, on.engine)
    except NotProven:
        return None


def lines_of(hosts: Iterable[HostRun]) -> Iterator[str]:
    """Yield a line for each host: what it runs, and what stopped it."""
    for host in hosts:
        runs = (host.release or "nothing") if host.known else "not known what it runs"
        yield f"{host.name}: {runs}" + (f"; {host.failure.message}" if host.failure else "")
