"""What keeps records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from stagekit.records import (
    Build,
    BuildPruning,
    Cancellation,
    Comparison,
    Pruning,
    Release,
    Run,
    Stored,
)

Ids = Callable[[Sequence[str]], Iterable[str]]
"""Says which ids a release may have, the best first, given all that its environment ever had."""


class BuildSlot(Protocol):
    """An id that is taken and whose record is not written yet."""

    @property
    def id(self) -> str: ...

    def note(self, entry: Mapping[str, object]) -> None:
        """Say durably, from any thread, which ``step`` of which ``image`` begins: what is known of
        a build whose process dies."""
        ...

    def log(self, line: str) -> None:
        """Append to the build's log."""
        ...

    def finish(self, build: Build, inputs: bytes = b"") -> Stored[Build]:
        """Write what the images were made from and then the record, once.

        As soon as it is on disk here, what keeps it from those who share the ledger is a warning,
        and nothing is raised: the build did not fail because of that.
        """
        ...

    def close(self) -> None:
        """Let go of the id. Without a record the build counts as interrupted."""
        ...


class RunJournal(Protocol):
    """A run under way: its number is taken, each step is on disk as soon as it is done."""

    @property
    def n(self) -> int: ...

    @property
    def interrupted(self) -> Sequence[int]:
        """The runs before it whose process died, and whose records were written now."""
        ...

    def note(self, entry: Mapping[str, object]) -> None:
        """Append one line and make it durable."""
        ...

    def finish(self, run: Run) -> Stored[Run]:
        """Write the record, once; the journal goes.

        As `BuildSlot.finish`, it raises nothing once that is on disk here: a run that is proven
        would be taken back.
        """
        ...

    def close(self) -> None:
        """Let go of the environment. Without a record the run counts as interrupted."""
        ...


class ComparisonSlot(Protocol):
    """A comparison under way: its number is taken, each step is on disk before it begins."""

    @property
    def n(self) -> int: ...

    def note(self, entry: Mapping[str, object]) -> None:
        """Say durably which ``step`` begins: what is known of one whose process dies."""
        ...

    def finish(self, comparison: Comparison) -> Stored[Comparison]:
        """Write the record, once; the journal goes."""
        ...

    def close(self) -> None:
        """Let go of the number. Without a record the comparison counts as interrupted."""
        ...


class Ledger(Protocol):
    """Where records are appended and read; nothing in it is ever edited.

    Reading a damaged record raises LedgerError; the others stay readable. Lists are newest first.
    """

    def look_again(self) -> None:
        """Read anew what others may have recorded since this was read first."""
        ...

    def reserve_build(self, begun: Build) -> BuildSlot:
        """Take the id of ``begun``, or that with ``-2``, ``-3`` … where it is taken.

        ``begun`` is the record as far as it is known: it becomes that of a build whose process
        dies, as interrupted.
        """
        ...

    def builds(self) -> Sequence[str]: ...

    def build(self, id: str) -> Stored[Build]: ...

    def build_log(self, id: str) -> bytes:
        """Return all that the builders of a build printed, as far as it has come."""
        ...

    def build_inputs(self, id: str) -> bytes:
        """Return what a build's images were made from, empty where that is not at hand."""
        ...

    def builds_under_way(self) -> Sequence[str]: ...

    def close_interrupted_builds(self) -> Sequence[str]:
        """Write the records of builds whose process died; return their ids."""
        ...

    def find_build(self, id: str) -> Stored[Build] | None:
        """Return a build if its record is at hand: a job that only runs may have no more than
        the release."""
        ...

    def prune_build(self, pruning: BuildPruning) -> Stored[BuildPruning]:
        """Append that a build was put away, and remove its record, log and inputs; its id is not
        given again."""
        ...

    def add_release(
        self,
        release: Release,
        files: Mapping[str, bytes],
        *,
        ids: Ids = ...,
    ) -> Stored[Release]:
        """Write a release whole, or not at all, under the first free one of ``ids``.

        Args:
            release: its record, but for the id.
            files: every other file of it.
            ids: given all ids that its environment ever had, those of pruned releases and of
                those that are gone too, says which to try in turn; one that another process
                takes first is passed over. By default v1, v2, …

        Raises:
            InputError: all of ``ids`` are taken.
        """
        ...

    def environments(self) -> Sequence[str]:
        """Return the names of those that anything was ever released to."""
        ...

    def gone_releases(self, env: str) -> Mapping[str, Sequence[str]]:
        """Return the ids of an environment's releases that are not there and were not pruned, each
        with what names it all the same: runs, its cancellation, what was promoted from it."""
        ...

    def foreign(self, env: str | None = None) -> Sequence[str]:
        """Return the names of what lies among an environment's releases, or without ``env`` among
        the environments, and can be none: a copy made by hand. All else passes it over."""
        ...

    def releases(self, env: str) -> Sequence[str]: ...

    def release(self, env: str, id: str) -> Stored[Release]: ...

    def release_folder(self, env: str, id: str) -> Path: ...

    def release_files(self, env: str, id: str) -> Mapping[str, bytes]:
        """Return every file of a release but its record, as it is on disk."""
        ...

    def cancel_release(self, cancellation: Cancellation) -> Stored[Cancellation]:
        """Append that a release is not to be run any more; return what stands, which is an earlier
        cancellation where there is one."""
        ...

    def cancelled(self, env: str, id: str) -> Stored[Cancellation] | None:
        """Return why a release is not to be run any more, or None where it may be."""
        ...

    def prune_release(self, pruning: Pruning) -> Stored[Pruning]:
        """Append that a release was put away, and remove its files; once more for one that is
        pruned already removes what is left of them."""
        ...

    def pruned(self, env: str, id: str) -> Stored[Pruning] | None:
        """Return what is kept of a release that was put away."""
        ...

    def pruned_releases(self, env: str) -> Sequence[str]: ...

    def half_pruned(self, env: str) -> Sequence[str]:
        """Return the pruned releases of which files are left, because a process was killed."""
        ...

    def keep_signature(self, env: str, id: str, data: bytes) -> None:
        """Keep a release's signature; a later one takes the place of an earlier one."""
        ...

    def signature(self, env: str, id: str) -> bytes | None:
        """Return a release's signature, None where it has none."""
        ...

    def warn(self, text: str) -> None:
        """Keep what went wrong after its record was written, with the time."""
        ...

    def begin_run(self, env: str, begun: Mapping[str, object]) -> RunJournal:
        """Take the environment for one run. Raises LedgerError while another one is under way."""
        ...

    def runs(self, env: str) -> Iterable[int]: ...

    def run(self, env: str, n: int) -> Stored[Run]: ...

    def unfinished_run(self, env: str) -> int | None:
        """Return the number of a run that has no record: under way, or interrupted."""
        ...

    def close_interrupted_runs(self, env: str) -> Sequence[int]:
        """Write the records of an environment's runs whose process died; return their numbers.
        Raises LedgerError while one is under way."""
        ...

    def begin_comparison(self, begun: Comparison) -> ComparisonSlot:
        """Take the next number for a comparison; ``begun`` is the record as far as it is known, and
        becomes that of one whose process dies."""
        ...

    def comparisons(self) -> Sequence[int]: ...

    def comparison(self, n: int) -> Stored[Comparison]: ...

    def close_interrupted_comparisons(self) -> Sequence[int]:
        """Write the records of comparisons whose process died; return their numbers."""
        ...
