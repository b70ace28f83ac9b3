"""An automatic rollback on the hosts of a fleet, each to what it ran before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stagekit.errors import RunFailed
from stagekit.pipeline.history import readable_runs
from stagekit.pipeline.run.fleet import decide, parts
from stagekit.pipeline.run.fleet.abreast import MainThread
from stagekit.pipeline.run.fleet.hosts import failure_of, on_each
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.secrets import values
from stagekit.pipeline.verify import Verified
from stagekit.records import ContainerSeen, HostRun, Release, Run, RunOutcome, RunReason, Stored


class _Earlier(NamedTuple):
    """A release that hosts go back to: with its secrets' values, and its numbers of containers."""

    checked: Verified
    secrets: Mapping[str, str]
    scale: Mapping[str, int]


class WayBack:
    """An automatic rollback under way.

    Args:
        failed: the release whose run failed.
        answers: that run's number.
        targets: what the hosts that it changed are to run again, by their names; None is nothing.
        members: all hosts, of which nothing is done yet.
        on: what is done for all; their locks are held.
        resumes: the number of a way back that this one goes on with: what runs again what it should
            is left alone.
    """

    def __init__(
        self,
        failed: Stored[Release],
        answers: int,
        targets: Mapping[str, str | None],
        members: Sequence[Member],
        on: Platform,
        *,
        resumes: int | None = None,
    ) -> None:
        self._stored = failed
        self._answers = answers
        self._targets = targets
        self._members = members
        self._back = [member for member in members if member.name in targets]
        self._on = on
        self._resumes = resumes
        self._running = Running(on)
        self._earlier: dict[str, _Earlier] = {}
        self._link = failed.link

    @property
    def failed(self) -> Release:
        """The release whose run failed."""
        return self._stored.record

    @property
    def hosts(self) -> tuple[HostRun, ...]:
        """What is recorded of each host."""
        return tuple(member.told for member in self._members)

    @property
    def changed(self) -> bool:
        """Whether it began to change what runs on any."""
        return self._running.changed

    def go(self) -> Stored[Run]:
        """Go back, and record it: by the release that most hosts run after it, whether they were
        brought back or not touched.

        Raises:
            RunFailed: it failed on a host.
        """
        others = [host for host in self.hosts if host.name not in self._targets]
        left = {host.name: host.release for host in self.hosts}
        to = decide.run_by_most({**left, **self._targets}.values())
        if to:
            self._link = self._on.ledger.release(self.failed.env, to).link
        reason: RunReason = "automatic rollback" if to else "automatic stop"
        down = to is None and all(host.known for host in others)
        outcome: RunOutcome = "stopped" if down else "running"
        subject = replace(
            Subject.of(self._stored, reason, self._on),
            release=self._link,
            answers=self._answers,
            resumes=self._resumes,
            scale=dict(self._scale_of(to)) if to else {},
        )
        self._running.hosts = self.hosts
        return self._running.recorded(subject, outcome, self._work)

    def _work(self) -> tuple[ContainerSeen, ...]:
        try:
            for id in {target for target in self._targets.values() if target}:
                self._earlier[id] = self._looked_up(id)
            outcome = on_each(self._back, self._one, self._on)
        finally:
            self._running.hosts = self.hosts
        if outcome.failed:
            raise failure_of(outcome.failed, len(self._back), "go back")
        return ()

    def _looked_up(self, id: str) -> _Earlier:
        checked = parts.verify(self.failed.env, id, self._on, Running(self._on))
        secrets = values(checked.release.record, checked.files, self._on.providers)
        self._running.secrets = (*self._running.secrets, *secrets.values())
        return _Earlier(checked, secrets, self._scale_of(id))

    def _scale_of(self, id: str) -> Mapping[str, int]:
        """Return the numbers of containers that a release ran well with."""
        runs = readable_runs(self._on.ledger, self.failed.env, self._on.emit)
        good = (run.record for run in runs if run.record.ran_well and run.record.release.id == id)
        return next((run.scale for run in good), {})

    def _one(self, member: Member, own: Platform, main: MainThread) -> None:
        target = self._targets[member.name]
        with member.recorded(own, self._running, main) as running:
            if target is None:
                if self._resumes and member.told.known and member.told.release is None:
                    return  # it was taken down already
                _refuse_foreign(member)
                standing = self._running.standing("stopped", self._link)
                parts.take_down(member, standing, self.failed.deploy.engine, own, running)
                return
            to = self._earlier[target]
            wish = parts.Wish(
                checked=to.checked,
                numbers=to.scale,
                known=lambda _: True,
                keep_proven=self._resumes is not None,
            )
            parts.make_ready(member, wish, own, running, main)
            if member.stage == "kept":
                return
            to_it = to.checked.release
            standing = self._running.standing("running", to_it.link, to_it.record.build.id)
            parts.switch(member, standing, to.secrets, own, running)


def _refuse_foreign(member: Member) -> None:
    """Take nothing down that may have been in the place of something else."""
    if member.foreign:
        raise RunFailed(
            "this ledger does not know what ran there before",
            where=f"host {member.name}",
            hint="look at what its containers are: docker ps",
        )
