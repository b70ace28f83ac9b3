"""A release on all hosts of a fleet, as one transaction: ready everywhere, and only then switched,
in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePath

from msgspec.structs import replace

from stagekit.errors import RunFailed
from stagekit.events import Warned, step
from stagekit.pipeline.failure import is_cancelled
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run import attempt
from stagekit.pipeline.run.fleet import decide, parts
from stagekit.pipeline.run.fleet.abreast import Here, MainThread, names_of
from stagekit.pipeline.run.fleet.hosts import failure_of, on_each
from stagekit.pipeline.run.fleet.member import Member, lines_of
from stagekit.pipeline.run.fleet.planning import planned_on, refuse_changed_on
from stagekit.pipeline.run.fleet.resuming import command_was_done
from stagekit.pipeline.run.hooks import Hooks
from stagekit.pipeline.run.plan import Plan
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.secrets import values
from stagekit.pipeline.verify import Verified
from stagekit.records import ContainerSeen, Part, Planned, Run, RunReason, Stored


class Policy(Part, frozen=True):
    """How a fleet's run deals with what fails.

    Attributes:
        keep_going: go on with the other hosts, and bring none back.
        resumes: the run that this one goes on with: what runs its release already is left alone.
        keeps_to: a plan: what would be done on each host has to be what it says.
    """

    keep_going: bool = False
    resumes: Run | None = None
    keeps_to: Stored[Planned] | None = None


class Transaction:
    """A run of a fleet under way.

    Args:
        checked: the release.
        reason: why it is run.
        members: all hosts.
        here: those that are reached, and held.
        running: records it.
        on: what is done for all.
        numbers: of containers.
        policy: what happens where a host fails.
    """

    def __init__(
        self,
        checked: Verified,
        reason: RunReason,
        members: Sequence[Member],
        here: Sequence[Member],
        running: Running,
        on: Platform,
        numbers: Mapping[str, int],
        policy: Policy,
    ) -> None:
        self._checked = checked
        self._release = checked.release.record
        self._reason = reason
        self._members = members
        self._here = here
        self._running = running
        self._on = on
        self._numbers = numbers
        self._policy = policy
        self._secrets: Mapping[str, str] = {}
        last = last_run(on.ledger, self._release.env, on.emit) if policy.keeps_to else None
        self._last = last.record if last else None

    def recorded(self, gone: Mapping[str, Exception]) -> Stored[Run]:
        """Do it, and record it however it ends."""
        release, on, resumes = self._release, self._on, self._policy.resumes
        keeps_to = self._policy.keeps_to
        subject = replace(
            Subject.of(self._checked.release, self._reason, on),
            scale=dict(self._numbers),
            resumes=resumes.n if resumes else None,
            plan=keeps_to.digest if keeps_to else None,
        )
        self._running.hosts = tuple(member.told for member in self._members)
        hooks = Hooks(release.deploy.hooks, on.environ, on.source, on.plugins)
        return self._running.recorded(subject, "running", partial(self._work, gone), hooks=hooks)

    def _work(self, gone: Mapping[str, Exception]) -> tuple[ContainerSeen, ...]:
        try:
            for member in self._members:
                if member.name in gone:
                    running = member.running(member.on, self._running, Here())
                    member.fail(gone[member.name], running)
            self._on.plugins.tell(
                "stagekit_before_run", release=self._checked.release, reason=self._reason
            )
            self._secrets = values(self._release, self._checked.files, self._on.providers)
            self._running.secrets = tuple(self._secrets.values())
            self._make_ready()
            self._run_command()
            self._switch()
        finally:
            self._running.hosts = tuple(member.told for member in self._members)
        return ()

    def _make_ready(self) -> None:
        wish = parts.Wish(
            checked=self._checked,
            numbers=self._numbers,
            known=partial(parts.is_known, self._on.ledger),
            keep_proven=self._policy.resumes is not None,
            agree=self._agree,
        )

        def make(member: Member, own: Platform, main: MainThread) -> None:
            with member.recorded(own, self._running, main) as running:
                parts.make_ready(member, wish, own, running, main)

        outcome = on_each(self._here, make, self._on)
        self._go_on_or_raise(outcome.failed, "be made ready")

    def _agree(self, member: Member, own: Platform, main: MainThread) -> None:
        """Refuse a host on which something else would be done than was planned."""
        if plan := self._policy.keeps_to:
            now = planned_on(member, self._last, self._secrets, own, main)
            refuse_changed_on(plan.record, now)

    def _run_command(self) -> None:
        """Run the release's command, once for all: on the first host that has its service."""
        command, resumes = self._release.deploy.release_command, self._policy.resumes
        if not command or (resumes and command_was_done(resumes, self._on.ledger)):
            return
        ready = [member for member in self._here if member.stage == "ready"]
        for member in ready:
            plan, folder = member.plan, member.folder
            if plan and folder and command.service in plan.release.pins:
                if member.on.lease:
                    member.on.lease.check()  # that of the run is the first host's
                self._run_command_on(member, plan, folder)
                return
        if ready:
            raise RunFailed(
                f"the release command needs {command.service}, which no host here runs",
                where=self._release.name,
            )

    def _run_command_on(self, member: Member, plan: Plan, folder: PurePath) -> None:
        """Run it on a host. Where nothing ran before, what it needs is brought up with it: until
        the release is, nobody knows what runs there."""
        with member.recorded(member.on, self._running, Here()) as running:

            def begun() -> None:
                running.note_begun("command", changes=plan.first)
                if plan.first:
                    member.told = running.told("failed", release=None, before=member.before)

            attempt.run_command(plan, member.on, self._running, folder, self._secrets, begun=begun)

    def _switch(self) -> None:
        deploy = self._release.deploy
        ready = [member for member in self._here if member.stage == "ready"]
        known = {member.name: member for member in ready}
        order = decide.batches(list(known), deploy.batch, deploy.canary)
        for at, names in enumerate(order):
            self._on.cancel.check()
            batch = [known[name] for name in names]
            outcome = on_each(batch, self._switch_one, self._on)
            self._running.hosts = tuple(member.told for member in self._members)
            self._go_on_or_raise(outcome.failed, f"run {self._release.name}")
            if at == 0 and deploy.canary and len(order) > 1:
                self._watch(batch, deploy.canary_pause)
        if len(order) > 1:
            self._look_again([known[name] for names in order[:-1] for name in names])
        failed = [member for member in self._members if member.stage == "failed"]
        if failed:
            raise self._mixed(failed)

    def _switch_one(self, member: Member, own: Platform, main: MainThread) -> None:
        release = self._release
        standing = self._running.standing("running", self._checked.release.link, release.build.id)
        with member.recorded(own, self._running, main) as running:
            parts.switch(member, standing, self._secrets, own, running)

    def _watch(self, canaries: Sequence[Member], seconds: float) -> None:
        """Let the canaries hold for a while before others follow."""
        names = names_of([member.name for member in canaries])
        with step(self._on.emit, "canary", names) as under_way:
            self._on.cancel.wait(seconds)
            self._look_again(canaries)
            under_way.outcome = f"held for {seconds:g} s"

    def _look_again(self, members: Sequence[Member]) -> None:
        """See whether hosts that were switched a while ago still run what they should."""
        self._on.cancel.check()

        def look(member: Member, own: Platform, main: MainThread) -> None:
            with member.recorded(own, self._running, main):
                parts.still_holds(member, own)

        well = [member for member in members if member.stage == "switched"]
        outcome = on_each(well, look, self._on)
        self._go_on_or_raise(outcome.failed, f"hold {self._release.name}")

    def _go_on_or_raise(self, failed: Mapping[str, Exception], what: str) -> None:
        states = [member.state for member in self._members]
        if not failed or decide.may_go_on(states, keep_going=self._policy.keep_going):
            for name, error in failed.items():
                self._on.emit(Warned(f"{name}: {error}; going on with the others"))
            return
        known = {name: error for name, error in failed.items() if not is_cancelled(error)}
        raise failure_of(dict(known or failed), len(self._members), what)

    def _mixed(self, failed: Sequence[Member]) -> RunFailed:
        env = self._release.env
        running = len(self._members) - len(failed)
        mixed = decide.is_mixed(member.told for member in self._members)
        return RunFailed(
            f"{running} of {len(self._members)} hosts run {self._release.name}"
            f"{', and the fleet is mixed' if mixed else ''}: "
            f"{names_of([member.name for member in failed])} failed",
            hint=f"inv run --env {env} --resume goes on with these; inv run.rollback --env {env} "
            "takes all back",
            output=tuple(lines_of(member.told for member in self._members)),
        )
