"""A run: a release, running and proven."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from stagekit.records.parts import CI, EngineFacts, Failure, Link, Part

RunReason = Literal[
    "run", "rollback", "automatic rollback", "scale", "restart", "stop", "automatic stop"
]
RunOutcome = Literal["running", "stopped", "failed", "cancelled", "interrupted"]
HostOutcome = Literal["running", "kept", "untouched", "stopped", "failed", "interrupted"]


class StepTaken(Part, frozen=True):
    """One step of a run.

    Attributes:
        name: ``verify``, ``lock``, ``check``, ``pull``, ``up``, ``settle``, ``prove``, …
        seconds: how long it took.
        outcome: what came of it, in a few words.
    """

    name: str
    seconds: float
    outcome: str = ""


class ContainerSeen(Part, frozen=True):
    """A container as it ran when the run was proven. What is another one later was changed
    by somebody else.

    Attributes:
        service: which one it is of.
        name: its own.
        id: its own, on the engine.
        state: as the engine says it; ``exited`` for a one-shot that has done its work.
        image_id: the engine's id of its image.
        proven: the release's pin is that, or among ``digests``.
        health: what its health check says; none without one.
        exit_code: of one that ended.
        digests: those that the engine knows its image by.
        definition: digest of what Compose made it from.
        settings: what can be changed of it while it runs.
    """

    service: str
    name: str
    id: str
    state: str
    image_id: str
    proven: bool
    health: str | None = None
    exit_code: int | None = None
    digests: tuple[str, ...] = ()
    definition: str | None = None
    settings: dict[str, str] = {}


class ContainerFailure(Part, frozen=True):
    """A container that did not come up.

    Attributes:
        service: which one it is of.
        name: its own, or the service's where there is none.
        reason: what is wrong with it.
        output: its last lines, secrets masked.
        exit_code: of one that ended.
        health_output: what its health check said last.
    """

    service: str
    name: str
    reason: str
    output: tuple[str, ...] = ()
    exit_code: int | None = None
    health_output: str = ""


class HostRun(Part, frozen=True):
    """One host of a fleet in a run.

    Attributes:
        name: the host's.
        url: where its engine was reached.
        outcome: running is one that the release was brought up on, and proven; kept one that ran
            it already.
        release: the id of what it is known to run after it; none where that is nothing, or is not
            known.
        before: the id of what it ran until then.
        foreign: it ran something until then that this ledger does not know.
        changed: something was changed there.
        engine: its engine.
        failure: what stopped the run there.
        steps: what was done there, in order.
        containers: what ran there when it was proven.
        failed: what did not come up there.
    """

    name: str
    url: str
    outcome: HostOutcome = "untouched"
    release: str | None = None
    before: str | None = None
    foreign: bool = False
    changed: bool = False
    engine: EngineFacts | None = None
    failure: Failure | None = None
    steps: tuple[StepTaken, ...] = ()
    containers: tuple[ContainerSeen, ...] = ()
    failed: tuple[ContainerFailure, ...] = ()

    @property
    def known(self) -> bool:
        """Whether it is known what it runs."""
        if self.outcome == "untouched":
            return not self.foreign
        return self.outcome not in ("failed", "interrupted")

    @property
    def may_run(self) -> bool:
        """Whether something runs there, or nobody knows whether it does."""
        return self.release is not None or not self.known

    @property
    def left_alone(self) -> HostRun:
        """What is recorded of it by a run that does not touch it: what was left there before."""
        return HostRun(
            name=self.name,
            url=self.url,
            outcome="untouched" if self.known else self.outcome,
            release=self.release,
            before=self.release,
            foreign=self.foreign and not self.known,
            containers=self.containers,
        )


class Run(Part, frozen=True):
    """A release, running and proven: ``artifacts/runs/<env>/<n>.toml``.

    Attributes:
        n: its number, within the environment.
        reason: why it was run.
        outcome: interrupted is one whose process died; written by the next command from the journal
            that it left.
        release: which one.
        runner: what brought it up, and can take it down.
        steps: what it did, in order.
        containers: what ran when it was proven.
        failed: what did not come up.
        changed: it got as far as changing something on the engine.
        command_ran: the release's command was begun.
        answers: the number of the failed run that an automatic one followed.
        plan: digest of the plan that it kept to.
        taken_over: whose lease of the lock had run out.
        scale: numbers of containers other than the release's, by service.
        hosts: those of a fleet, each with a journal of its own.
        resumes: the number of the run that this one went on with.
        left: hosts that its release does not have, and that earlier runs left something on; one
            that was stopped is named by the run that did it.
    """

    n: int
    env: str
    project: str
    reason: RunReason
    outcome: RunOutcome
    created: datetime
    finished: datetime
    actor: str
    release: Link
    runner: str = "compose"
    engine: EngineFacts | None = None
    ci: CI | None = None
    failure: Failure | None = None
    steps: tuple[StepTaken, ...] = ()
    containers: tuple[ContainerSeen, ...] = ()
    failed: tuple[ContainerFailure, ...] = ()
    changed: bool = True
    command_ran: bool = False
    answers: int | None = None
    plan: str | None = None
    taken_over: str | None = None
    scale: dict[str, int] = {}
    warnings: tuple[str, ...] = ()
    hosts: tuple[HostRun, ...] = ()
    resumes: int | None = None
    left: tuple[HostRun, ...] = ()

    def leaves(self, but: Collection[HostRun]) -> tuple[HostRun, ...]:
        """Return the hosts that something is on after it, but for those that another run is on:
        known by what they are called, or by their address."""
        known = {host.name for host in but} | {host.url for host in but}
        there = (host for host in (*self.hosts, *self.left) if host.may_run)
        return tuple(host.left_alone for host in there if not known & {host.name, host.url})

    @property
    def took_effect(self) -> bool:
        """Whether it says what runs now: it changed something, or found that nothing was left to do
        of the run that it went on with."""
        return self.changed or (self.resumes is not None and self.outcome in ("running", "stopped"))

    @property
    def ran_well(self) -> bool:
        """Whether it proved its release. What was stopped or restarted on some hosts of a fleet
        proves nothing of those that failed before."""
        whole = all(host.known and host.release in (None, self.release.id) for host in self.hosts)
        return self.outcome == "running" and self.reason != "stop" and whole
