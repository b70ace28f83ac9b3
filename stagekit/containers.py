"""Containers, as stages, runners and engines speak of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from stagekit.records import Part

# What Docker publishes on by default; nothing is bound here.
ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # nosec B104  # compared with, not bound

COMPARISON = "stagekit.comparison"
"""Label of all that is made for a comparison: which process made it (`stagekit.alive`)."""

_ANY = {ANY_ADDRESS, "::", ""}
_YOUNG = 60.0


class Port(Part, frozen=True):
    """A port that is published on an engine's host. ``protocol`` is ``tcp`` or ``udp``; ``target``
    is the port in the container that it leads to, where that is known."""

    host: str
    number: str
    protocol: str
    target: str = ""

    def meets(self, other: Port) -> bool:
        """Tell whether both cannot be published at once."""
        if (self.number, self.protocol) != (other.number, other.protocol):
            return False
        return self.host == other.host or bool({self.host, other.host} & _ANY)


class Container(Part, frozen=True):
    """A container as the engine describes it.

    ``started`` is the engine's own text of the time. ``definition`` is the digest of what its
    runner made it from, as the runner wrote it on it; ``settings`` are those that can be changed of
    a container that runs, such as its memory limit and its networks. ``kept_up`` says that the
    engine by itself puts another one in its place where it fails; ``moved_from`` is the node whose
    going made the engine do so.
    """

    id: str
    name: str
    service: str
    state: str
    image_id: str
    restart_policy: str
    restarts: int
    started: str
    project: str | None = None
    health: str | None = None
    exit_code: int | None = None
    error: str = ""
    health_output: str = ""
    ports: tuple[Port, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    definition: str | None = None
    settings: dict[str, str] = {}
    kept_up: bool = False
    moved_from: str = ""

    @property
    def since(self) -> str | None:
        """When it was started; None where it never was, of which the engine says the year 1."""
        return None if self.started.startswith("0001-") else self.started or None

    @property
    def is_young(self) -> bool:
        """Whether it was started within the last minute, by this machine's clock."""
        try:
            started = datetime.fromisoformat(self.started)
        except ValueError:
            return True
        return abs((datetime.now(UTC) - started).total_seconds()) < _YOUNG

    @property
    def done(self) -> bool:
        """Whether it is a one-shot that has done its work.

        What publishes a port, or has a health check, was meant to stay.
        """
        passing = not self.ports and self.health is None
        one_shot = self.restart_policy in ("no", "on-failure") and passing
        return self.state == "exited" and self.exit_code == 0 and one_shot


class Volume(Part, frozen=True):
    """A volume on an engine, and what it was made with."""

    name: str
    driver: str
    options: dict[str, str] = {}
    labels: dict[str, str] = {}


class CheckedBuild(Part, frozen=True):
    """The build that a check's container is for, and which process makes it (`stagekit.alive`): the
    container is found again by them."""

    project: str
    id: str
    by: str


class Observation(Part, frozen=True):
    """What a runner sees of a release on the engine.

    ``numbers`` are those of containers that the engine alone decides, by service: of one that runs
    once on each node.
    """

    containers: tuple[Container, ...]
    numbers: dict[str, int] = {}

    def of(self, service: str) -> tuple[Container, ...]:
        return tuple(item for item in self.containers if item.service == service)


class Invocation(Part, frozen=True):
    """A program to run for a person to look at: its words, environment and folder.

    ``mask`` are values that must not be shown."""

    argv: tuple[str, ...]
    env: dict[str, str]
    folder: Path
    mask: tuple[str, ...] = ()


class LogsAsked(Part, frozen=True):
    """Which lines of which services: the last ``tail``, those ``since`` a time or a duration as
    Docker writes them (``10m``, ``2026-01-02T13:23:37Z``); ``follow`` those that come."""

    services: tuple[str, ...] = ()
    follow: bool = False
    tail: int | None = None
    since: str = ""
    timestamps: bool = False


class CommandAsked(Part, frozen=True):
    """A command in a container of a service.

    Attributes:
        service: whose.
        command: its words.
        index: which of its containers, from 1; by default any.
        user: as whom.
        workdir: in which folder of the container.
        terminal: it has one.
        dependencies: start what the service depends on, where a container of its own is started.
    """

    service: str
    command: tuple[str, ...]
    index: int | None = None
    user: str = ""
    workdir: str = ""
    terminal: bool = False
    dependencies: bool = False
