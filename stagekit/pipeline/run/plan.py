"""What is to be run, decided before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from stagekit.inputs.seal import replicas
from stagekit.pipeline.run import preflight
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.preflight import Preflight
from stagekit.pipeline.verify import Verified
from stagekit.protocols import Engine
from stagekit.records import Part, Release


class Plan(Part, frozen=True):
    """What is to be run, and what has to be pulled for it.

    Attributes:
        verified: the release.
        scale: numbers of containers other than the release's, by service.
        pull: images, by digest.
        first: whether the engine has nothing of it yet.
    """

    verified: Verified
    scale: dict[str, int] = {}
    pull: tuple[str, ...] = ()
    first: bool = False

    @property
    def release(self) -> Release:
        return self.verified.release.record

    @property
    def wanted(self) -> dict[str, int]:
        """How many containers each service should have."""
        return {**replicas(self.verified.document), **self.scale}


def decide(found: Preflight, checked: Verified, scale: Mapping[str, int], engine: Engine) -> Plan:
    """Say what will be done, or why nothing can be.

    Raises:
        RunFailed: see `stagekit.pipeline.run.preflight.refuse`.
    """
    preflight.refuse(found, checked.release.record, engine)
    return Plan(verified=checked, scale=dict(scale), pull=found.missing, first=found.first)


def release_folder(plan: Plan, on: Platform) -> PurePath:
    """Return what a release's relative paths start from, on the engine's host."""
    if plan.verified.mounted:
        return on.engine.files_folder()
    return on.ledger.release_folder(plan.release.env, plan.release.id)
