"""Restarting the containers of a fleet as they are, in the batches of a deploy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from stagekit.errors import InputError, RunFailed
from stagekit.pipeline.history import closing_interrupted
from stagekit.pipeline.run import services as on_one
from stagekit.pipeline.run.bundled import as_named_here
from stagekit.pipeline.run.fleet import decide, parts
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.holding import held
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, on_each, reach_all
from stagekit.pipeline.run.fleet.member import (
    Member,
    begin_from,
    in_order,
    part_for,
    scale_for,
)
from stagekit.pipeline.run.lock import refuse_meanwhile
from stagekit.pipeline.run.plan import Plan
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.standing import note_standing
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.verify import Verified, verified
from stagekit.records import ContainerSeen, Run, Stored


def restart(last: Run, services: Sequence[str], fleet: Fleet) -> Stored[Run]:
    """Restart containers on hosts of a fleet, prove that they come up again, and record it.

    Nothing is restarted unless every host runs the release of the last run, or nothing. Where one
    does not come up again, the batches after it are left as they are.

    Args:
        last: the run in force.
        services: whose; all, if none is named.
        fleet: those of its hosts that are meant.

    Raises:
        InputError: there is no such service, or none of these hosts has it.
        EngineError: a host is not reached; nothing was changed on any.
        Busy: another run holds the environment on one of them.
        RunFailed: one runs another release, or did not come up again; says which.
    """
    base = fleet.base
    checked = verified(base.ledger, last.env, last.release.id)
    release = checked.release.record
    on_one.check_services(services, release)
    members = [
        member
        for member in fleet.members(last.runner)
        if not services or set(services) & set(part_for(checked, member.host).document["services"])
    ]
    if not members:
        raise InputError(
            f"none of these hosts runs {' or '.join(services)}",
            where="--service, --host",
            hint=f"[stagekit.roles] in environments/{last.env}/config.toml says where services run",
        )
    reach_all(fleet, members, base)
    with held(members, release.compose_project, release.deploy.lease) as on:
        closing_interrupted(on.ledger, last.env, on.emit)
        refuse_meanwhile(last, on)
        return _Restart(last, checked, services, members, on).recorded()


class _Restart:
    """A restart under way."""

    def __init__(
        self,
        last: Run,
        checked: Verified,
        services: Sequence[str],
        members: Sequence[Member],
        on: Platform,
    ) -> None:
        self._last = last
        self._checked = checked
        self._release = checked.release.record
        self._services = services
        self._members = members
        self._on = on
        self._running = Running(on)
        self._running.secrets = on_one.known_secrets(self._release, on)
        self._was = {host.name: host for host in last.hosts}
        begin_from(members, last.hosts)

    def recorded(self) -> Stored[Run]:
        """Do it, and record it however it ends."""
        last, on = self._last, self._on
        subject = replace(Subject.after(last, "restart", on), scale=last.scale)
        self._tell()
        return self._running.recorded(subject, "running", self._work)

    def _work(self) -> tuple[ContainerSeen, ...]:
        try:
            self._on_each(self._members, self._check)
            known = {member.name: member for member in self._members if member.before}
            if not known:
                raise RunFailed(
                    "nothing runs there any more, say the engines",
                    where=f"{self._last.env}/{self._last.release.id}",
                    hint=f"inv run --env {self._last.env}",
                )
            for names in decide.batches(list(known), self._release.deploy.batch, 0):
                self._on.cancel.check()
                self._on_each([known[name] for name in names], self._restart)
        finally:
            self._tell()
        return ()

    def _on_each(
        self, members: Sequence[Member], work: Callable[[Member, Platform, MainThread], None]
    ) -> None:
        if failed := on_each(members, work, self._on).failed:
            error = failure_of(failed, len(members), "be restarted")
            if isinstance(error, RunFailed) and not error.hint:
                error.hint = f"inv run --env {self._last.env} --resume brings up what did not"
            raise error

    def _tell(self) -> None:
        self._running.hosts = in_order(self._last.hosts, self._members)

    def _check(self, member: Member, own: Platform, main: MainThread) -> None:
        """See whether a host runs what is to be restarted; where its engine does not say what it
        runs, what the last run left there counts."""
        project, was = self._release.compose_project, self._was[member.name]
        wish = parts.Wish(self._checked, self._last.scale, partial(parts.is_known, own.ledger))
        with (
            member.recorded(own, self._running, main) as running,
            running.step("check", own.engine.url) as under_way,
        ):
            standing = parts.in_force(member, project, wish, own, main)
            if standing is None:
                member.before = was.release
            running.note_before(member.before)
            other = decide.other_release(standing, member.before, self._last.release)
            if other or (standing is None and not was.known):
                raise RunFailed(
                    f"it runs {other}, and the last run was of {self._last.release.id}"
                    if other
                    else "it is not known what it runs",
                    where=f"host {member.name}",
                    hint=f"inv run --env {self._last.env} --resume goes on with the last run; "
                    f"inv run.status --env {self._last.env} shows what runs where",
                )
            under_way.outcome = f"runs {member.before or 'nothing'}"
        member.look(standing, running)

    def _restart(self, member: Member, own: Platform, main: MainThread) -> None:
        part = as_named_here(part_for(self._checked, member.host), own.engine)
        scale = scale_for(self._last.scale, self._checked, part)
        wanted = Plan(verified=part, scale=scale).wanted
        here = [name for name in self._services if name in part.document["services"]]
        id = self._last.release.id
        with member.recorded(own, self._running, main) as running:
            seen = on_one.restarted(part.release.record, wanted, here, own, running)
            running.note_outcome("running", id)
        member.stage = "switched"
        member.told = running.told("running", release=id, before=member.before, seen=seen)
        build = self._release.build.id
        note_standing(self._running.standing("running", self._last.release, build), own)
