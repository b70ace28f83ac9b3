"""What a run would do, as it is written down to be done later, or looked at before."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from stagekit.records.parts import EngineFacts, Link, Part
from stagekit.records.run import RunReason

ActionKind = Literal["create", "recreate", "restart", "start", "keep", "remove"]
Object = Literal["service", "network", "volume"]


class Action(Part, frozen=True):
    """What happens to a service's containers, a network or a volume.

    Attributes:
        kind: create, recreate (others take their place), restart, start (they
            stopped), keep or remove.
        what: of which kind it is.
        name: whose name.
        count: how many containers there are after it; None for what is no service.
        reasons: why, where it is not only that it is there or not.
    """

    kind: ActionKind
    what: Object
    name: str
    count: int | None = None
    reasons: tuple[str, ...] = ()


class ContainerPlanned(Part, frozen=True):
    """A container as it was when the plan was made.

    Attributes:
        name: its own.
        id: its own, on the engine.
        state: as the engine says it: ``running``, ``exited``, …
        definition: digest of what Compose made it from.
    """

    name: str
    id: str
    state: str
    definition: str | None = None


class Prospect(Part, frozen=True, kw_only=True):
    """What a run would do to one engine as it was then.

    Attributes:
        engine: which one; none where the plan is of a fleet, whose hosts each have their own.
        pull: images that it does not have, by digest.
        actions: what would happen to what is there.
        seen: the containers there were.
    """

    engine: EngineFacts | None = None
    pull: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    seen: tuple[ContainerPlanned, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything would be another than it is."""
        return bool(self.pull) or any(action.kind != "keep" for action in self.actions)


class HostPlanned(Prospect, frozen=True, kw_only=True):
    """What a run would do on one host of a fleet.

    Attributes:
        name: the host's.
        url: where its engine is reached.
    """

    name: str
    url: str


class Planned(Prospect, frozen=True, kw_only=True):
    """What a run of a release would do.

    Attributes:
        release: which one.
        reason: why it would be run.
        scale: numbers of containers other than the release's, by service.
        hosts: those of a fleet, and what would be done on each.
        batches: the names of the hosts that would be switched together, in their order.
    """

    env: str
    project: str
    release: Link
    reason: RunReason
    created: datetime
    actor: str
    scale: dict[str, int] = {}
    hosts: tuple[HostPlanned, ...] = ()
    batches: tuple[tuple[str, ...], ...] = ()

    @property
    def id(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """How its release is called, ``prod/v42``."""
        return f"{self.env}/{self.release.id}"

    @property
    def changes(self) -> bool:
        """Whether anything would be another than it is, on any host."""
        return super().changes or any(host.changes for host in self.hosts)
