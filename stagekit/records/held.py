"""What an engine knows of an environment: who holds it, and what runs there."""

from __future__ import annotations

from datetime import datetime

from stagekit.records.parts import Part


class Holder(Part, frozen=True):
    """Who holds an environment's lock: the process, what was typed, and the CI job's page.

    ``machine`` and ``started`` tell, on the same machine, whether that process still runs
    (`stagekit.alive`).
    """

    actor: str
    host: str
    pid: int
    command: str
    since: datetime
    ci: str | None = None
    machine: str | None = None
    started: str | None = None

    def __str__(self) -> str:
        job = f", {self.ci}" if self.ci else ""
        who = f"{self.actor}, process {self.pid} on {self.host}"
        return f"{self.command!r} by {who}, since {self.since:%Y-%m-%d %H:%M:%S} UTC{job}"


class Standing(Part, frozen=True):
    """What is in force in an environment, as its engine says it to those who have no ledger.

    ``outcome`` is that of the run ``run``; the rest is as its record and its release have it.
    """

    project: str
    env: str
    run: int
    outcome: str
    reason: str
    release: str
    release_digest: str
    build: str
    actor: str
    when: datetime
