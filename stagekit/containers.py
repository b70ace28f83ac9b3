"""Containers, as stages, runners and engines speak of them."""

from __future__ import annotations

from datetime import UTC, datetime

from stagekit.records import Part

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # what Docker publishes on by default; nothing is bound here

_ANY = {ANY_ADDRESS, "::", ""}
_YOUNG = 60.0


class Port(Part, frozen=True):
    """A port that is published on an engine's host. ``protocol`` is ``tcp`` or ``udp``."""

    host: str
    number: str
    protocol: str

    def meets(self, other: Port) -> bool:
        """Tell whether both cannot be published at once."""
        if (self.number, self.protocol) != (other.number, other.protocol):
            return False
        return self.host == other.host or bool({self.host, other.host} & _ANY)


class Container(Part, frozen=True):
    """A container as the engine describes it. ``started`` is the engine's own text of the time."""

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


class CheckedBuild(Part, frozen=True):
    """The build that a check's container is for, which is found by it again."""

    project: str
    id: str


class Observation(Part, frozen=True):
    """What a runner sees of a release on the engine."""

    containers: tuple[Container, ...]

    def of(self, service: str) -> tuple[Container, ...]:
        return tuple(item for item in self.containers if item.service == service)
