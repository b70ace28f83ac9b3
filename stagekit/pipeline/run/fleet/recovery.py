"""The way back of a fleet: every host that was changed runs again what it ran before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stagekit.errors import RolledBack, RunFailed, StagekitError
from stagekit.events import Noted, Warned
from stagekit.pipeline.failure import is_cancelled
from stagekit.pipeline.history import readable_runs
from stagekit.pipeline.run.fleet import decide, parts
from stagekit.pipeline.run.fleet.abreast import MainThread, names_of
from stagekit.pipeline.run.fleet.hosts import failure_of, on_each
from stagekit.pipeline.run.fleet.member import Member, lines_of
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.secrets import values
from stagekit.pipeline.verify import Verified
from stagekit.records import ContainerSeen, HostRun, Release, Run, RunOutcome, RunReason


class _Earlier(NamedTuple):
    """A release that hosts go back to: with its secrets' values, and its numbers of containers."""

    checked: Verified
    secrets: Mapping[str, str]
    scale: Mapping[str, int]


def recover(
    error: Exception,
    checked: Verified,
    failed: Running,
    members: Sequence[Member],
    on: Platform,
    *,
    keep_going: bool,
) -> None:
    """Go back from a failed run on all hosts that it changed, as the environment's settings want
    it; where nothing goes back, the error says what runs where.

    Args:
        error: what stopped it.
        checked: the release that it was a run of.
        failed: the run, which is recorded.
        members: the hosts, as it left them; their locks are still held.
        on: what it was done with.
        keep_going: none is brought back.

    Raises:
        RolledBack: each of them runs again what it ran before.
        RunFailed: one of them does not; says what each is known to run.
    """
    release = checked.release.record
    names = decide.to_bring_back(member.state for member in members)
    if failed.proven or not failed.changed or not names:
        return
    if keep_going and not is_cancelled(error):
        return  # the error says what runs where
    if is_cancelled(error) or not release.deploy.rolls_back(release.env):
        _say_what_runs(error, release, members, on)
        return
    on.emit(Warned(f"run {failed.n} failed: {error}"))
    on.emit(Noted(f"going back on {names_of(names)}, to what ran there before"))
    way = _WayBack(release, checked, failed.n, members, names, on)
    try:
        run = way.go()
    except Exception as second:
        what = error.what if isinstance(error, StagekitError) else str(error)
        raise RunFailed(
            f"{what}; going back failed too: {second}",
            where=error.where if isinstance(error, StagekitError) else None,
            hint=f"inv run.status --env {release.env} looks again; inv run --env {release.env} "
            "--resume goes on with going back",
            output=(*getattr(error, "output", ()), *lines_of(way.hosts)),
        ) from second
    raise RolledBack(
        f"run {failed.n} failed: {error.what if isinstance(error, StagekitError) else error}; "
        f"every host runs again what it ran before (run {run.n})",
        where=error.where if isinstance(error, StagekitError) else None,
        hint=f"inv run.show {release.env}/{failed.n} tells more; mend it, and build and release "
        "again",
        output=(*getattr(error, "output", ()), *lines_of(way.hosts)),
    ) from error


def _say_what_runs(
    error: Exception, release: Release, members: Sequence[Member], on: Platform
) -> None:
    hosts = [member.told for member in members]
    if not decide.is_mixed(hosts):
        return
    on.emit(Warned(f"the fleet of {release.env} is mixed"))
    for line in lines_of(hosts):
        on.emit(Warned(f"  {line}"))
    if isinstance(error, StagekitError) and not is_cancelled(error):
        error.hint = (
            f"inv run --env {release.env} --resume goes on where it stopped; "
            f"inv run.rollback --env {release.env} takes all back"
        )


class _WayBack:
    """An automatic rollback under way."""

    def __init__(
        self,
        release: Release,
        checked: Verified,
        answers: int,
        members: Sequence[Member],
        names: Sequence[str],
        on: Platform,
    ) -> None:
        self._release = release
        self._failed = checked.release
        self._answers = answers
        self._on = on
        self._targets = {item.name: item.before for item in members if item.name in names}
        self._foreign = {item.name for item in members if item.foreign}
        self._back = [member.afresh() for member in members if member.name in names]
        self._others = [member.told.left_alone for member in members if member.name not in names]
        self._order = [member.name for member in members]
        self._running = Running(on)
        self._earlier: dict[str, _Earlier] = {}
        to = decide.went_before(member.state for member in members if member.name in names)
        self._link = on.ledger.release(release.env, to).link if to else checked.release.link
        self._reason: RunReason = "automatic rollback" if to else "automatic stop"

    @property
    def hosts(self) -> tuple[HostRun, ...]:
        """What is recorded of each host."""
        all = {item.name: item for item in (*self._others, *(m.told for m in self._back))}
        return tuple(all[name] for name in self._order)

    def go(self) -> Run:
        """Go back, and record it.

        Raises:
            RunFailed: it failed on a host.
        """
        subject = replace(
            Subject.of(self._failed, self._reason, self._on),
            release=self._link,
            answers=self._answers,
        )
        self._running.hosts = self.hosts
        outcome: RunOutcome = "running" if self._reason == "automatic rollback" else "stopped"
        return self._running.recorded(subject, outcome, self._work).record

    def _work(self) -> tuple[ContainerSeen, ...]:
        for id in {target for target in self._targets.values() if target}:
            self._earlier[id] = self._looked_up(id)
        outcome = on_each(self._back, self._one, self._on)
        self._running.hosts = self.hosts
        if outcome.failed:
            raise failure_of(outcome.failed, len(self._back), "go back")
        return ()

    def _looked_up(self, id: str) -> _Earlier:
        checked = parts.verify(self._release.env, id, self._on, Running(self._on))
        release = checked.release.record
        runs = readable_runs(self._on.ledger, release.env, self._on.emit)
        good = next(
            (run.record for run in runs if run.record.ran_well and run.record.release.id == id),
            None,
        )
        secrets = values(release, checked.files, self._on.providers)
        self._running.secrets = (*self._running.secrets, *secrets.values())
        return _Earlier(checked, secrets, good.scale if good else {})

    def _one(self, member: Member, own: Platform, main: MainThread) -> None:
        running = member.running(own, self._running, main)
        target = self._targets[member.name]
        try:
            if target is None:
                self._refuse_foreign(member)
                standing = self._running.standing("stopped", self._link)
                runner = self._release.deploy.engine
                parts.take_down(member, standing, runner, own, running)
                return
            to = self._earlier[target]
            wish = parts.Wish(checked=to.checked, numbers=to.scale, known=lambda _: True)
            parts.make_ready(member, wish, own, running, main)
            to_it = to.checked.release
            standing = self._running.standing("running", to_it.link, to_it.record.build.id)
            parts.switch(member, standing, to.secrets, own, running)
        except Exception as error:
            member.stage = "failed"
            member.told = running.told("failed", release=None, before=member.before, error=error)
            raise

    def _refuse_foreign(self, member: Member) -> None:
        """Take nothing down that may have been in the place of something else."""
        if member.name in self._foreign:
            raise RunFailed(
                "this ledger does not know what ran there before",
                where=f"host {member.name}",
                hint="look at what its containers are: docker ps",
            )
