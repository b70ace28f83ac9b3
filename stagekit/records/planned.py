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


class Planned(Part, frozen=True):
    """What a run of a release would do to an engine as it was then.

    Attributes:
        release: which one.
        reason: why it would be run.
        engine: where.
        scale: numbers of containers other than the release's, by service.
        pull: images that the engine does not have, by digest.
        actions: what would happen to what is there.
        seen: the containers there were.
    """

    env: str
    project: str
    release: Link
    reason: RunReason
    engine: EngineFacts
    created: datetime
    actor: str
    scale: dict[str, int] = {}
    pull: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    seen: tuple[ContainerPlanned, ...] = ()

    @property
    def id(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """How its release is called, ``prod/v42``."""
        return f"{self.env}/{self.release.id}"

    @property
    def changes(self) -> bool:
        """Whether anything would be another than it is."""
        return bool(self.pull) or any(action.kind != "keep" for action in self.actions)
