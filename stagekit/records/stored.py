"""A record as the ledger has it."""

from __future__ import annotations

from typing import Generic, TypeVar

from stagekit.records.build import Build, BuildPruning
from stagekit.records.bundle import Bundle
from stagekit.records.comparison import Comparison
from stagekit.records.parts import Link, Part
from stagekit.records.planned import Planned
from stagekit.records.release import Cancellation, Pruning, Release
from stagekit.records.run import Run

AnyRecord = (
    Build | Release | Run | Cancellation | Pruning | BuildPruning | Comparison | Planned | Bundle
)
Record = TypeVar(
    "Record", Build, Release, Run, Cancellation, Pruning, BuildPruning, Comparison, Planned, Bundle
)


class Stored(Part, Generic[Record], frozen=True):
    """A record as it stands in the ledger, with the digest that seals it."""

    record: Record
    digest: str

    @property
    def link(self) -> Link:
        """How a later record names this one."""
        record = self.record
        id = str(record.n) if isinstance(record, Run | Comparison) else record.id
        return Link(id=id, digest=self.digest)
