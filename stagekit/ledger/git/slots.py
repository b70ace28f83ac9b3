"""What is under way: journals of this machine's, whose records go to the shared history at their
end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stagekit.protocols import BuildSlot, ComparisonSlot, RunJournal
from stagekit.records import Build, Comparison, Run, Stored

Settle = Callable[[str], None]
"""Sends what is owed; told why it is."""


class GitBuildSlot:
    """The `stagekit.protocols.BuildSlot`."""

    def __init__(self, slot: BuildSlot, settle: Settle) -> None:
        self.id = slot.id
        self.note = slot.note
        self.log = slot.log
        self.close = slot.close
        self._slot = slot
        self._settle = settle

    def finish(self, build: Build, inputs: bytes = b"") -> Stored[Build]:
        stored = self._slot.finish(build, inputs)
        self._settle(f"build {build.id}: {build.status}")
        return stored


class GitRunJournal:
    """The `stagekit.protocols.RunJournal`."""

    def __init__(self, journal: RunJournal, settle: Settle) -> None:
        self.n = journal.n
        self.interrupted: Sequence[int] = journal.interrupted
        self.note: Callable[[Mapping[str, object]], None] = journal.note
        self.close = journal.close
        self._journal = journal
        self._settle = settle

    def finish(self, run: Run) -> Stored[Run]:
        stored = self._journal.finish(run)
        self._settle(f"run {run.env}/{run.n}: {run.reason} of {run.release.id}, {run.outcome}")
        return stored


class GitComparisonSlot:
    """The `stagekit.protocols.ComparisonSlot`."""

    def __init__(self, slot: ComparisonSlot, settle: Settle) -> None:
        self.n = slot.n
        self.note = slot.note
        self.close = slot.close
        self._slot = slot
        self._settle = settle

    def finish(self, comparison: Comparison) -> Stored[Comparison]:
        stored = self._slot.finish(comparison)
        old, new = comparison.old.name, comparison.new.name
        self._settle(f"comparison {comparison.n} of {old} and {new}: {comparison.outcome}")
        return stored
