"""What a run is of: all of its record that is known before it begins."""

from __future__ import annotations

from stagekit.pipeline.run.platform import Platform
from stagekit.records import CI, Link, Part, Release, Run, RunReason, Stored


class Subject(Part, frozen=True):
    """What is run, where, why, and by whom. The attributes are those of `stagekit.records.Run`."""

    env: str
    project: str
    release: Link
    runner: str
    reason: RunReason
    actor: str
    ci: CI | None = None
    answers: int | None = None
    plan: str | None = None
    scale: dict[str, int] = {}
    resumes: int | None = None

    @property
    def name(self) -> str:
        return f"{self.env}/{self.release.id}"

    @property
    def begun(self) -> dict[str, object]:
        """What a journal says of it first."""
        return {
            "project": self.project,
            "runner": self.runner,
            "reason": self.reason,
            "actor": self.actor,
            "release": {"id": self.release.id, "digest": self.release.digest},
            "answers": self.answers,
            "plan": self.plan,
            "scale": self.scale,
            "resumes": self.resumes,
        }

    @classmethod
    def of(cls, release: Stored[Release], reason: RunReason, on: Platform) -> Subject:
        """Return that of a run that brings up a release."""
        record = release.record
        return cls(
            env=record.env,
            project=record.project,
            release=release.link,
            runner=record.deploy.engine,
            reason=reason,
            actor=on.actor,
            ci=on.ci,
        )

    @classmethod
    def after(cls, last: Run, reason: RunReason, on: Platform) -> Subject:
        """Return that of what is done to what a run left."""
        return cls(
            env=last.env,
            project=last.project,
            release=last.release,
            runner=last.runner,
            reason=reason,
            actor=on.actor,
            ci=on.ci,
        )
