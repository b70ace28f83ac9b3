"""A run: a release, running and proven."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from stagekit.records.parts import CI, EngineFacts, Failure, Link, Part

RunReason = Literal[
    "run", "rollback", "automatic rollback", "scale", "restart", "stop", "automatic stop"
]
RunOutcome = Literal["running", "stopped", "failed", "cancelled", "interrupted"]


class StepTaken(Part, frozen=True):
    """One step of a run and the seconds it took."""

    name: str
    seconds: float
    outcome: str = ""


class ContainerSeen(Part, frozen=True):
    """A container as it ran when the run was proven.

    ``image_id`` and ``digests`` are the engine's; ``proven`` says that the release's pin is among
    them. ``definition`` and ``settings`` are what `stagekit.containers.Container` says: what is
    another one later was changed by somebody else.
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
    """A container that did not come up, with its last lines and what its health check said."""

    service: str
    name: str
    reason: str
    output: tuple[str, ...] = ()
    exit_code: int | None = None
    health_output: str = ""


class Run(Part, frozen=True):
    """A release, running and proven: ``artifacts/runs/<env>/<n>.toml``.

    ``outcome`` is running, stopped, failed, cancelled or interrupted (its process died; written by
    the next command from the journal that it left). ``runner`` names what brought it up, and can
    take it down. ``changed`` says that it got as far as changing something on the engine, and
    ``command_ran`` that the release's command was begun. ``answers`` is the number of the failed
    run that an automatic one followed, and ``plan`` the digest of the plan that it kept to.
    ``scale`` are numbers of containers other than the release's, by service. ``taken_over`` names
    whose lease had run out. ``warnings`` are hooks that failed when nothing could be stopped any
    more.
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

    @property
    def ran_well(self) -> bool:
        return self.outcome == "running"
