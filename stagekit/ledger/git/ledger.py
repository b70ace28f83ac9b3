"""The ledger in git: records are appended to the shared history, and read from copies of it that
lie here as a file ledger (the `stagekit.protocols.Ledger`).

What is under way is a journal of this machine's, as the file ledger has it; its record goes to the
shared history at its end. Where the remote is away then, it is owed, and the next command sends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.errors import InputError
from stagekit.ledger.builds import no_build
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git.exchange import Exchange, next_number
from stagekit.ledger.git.owed import Debt
from stagekit.ledger.git.releases import GitReleases
from stagekit.ledger.git.series import (
    BUILDS,
    COMPARISONS,
    INPUTS,
    PRUNED_BUILDS,
    RUNS,
    Listed,
    Series,
)
from stagekit.ledger.git.slots import GitBuildSlot, GitComparisonSlot, GitRunJournal
from stagekit.ledger.names import checked_name, same
from stagekit.ledger.releases import counted
from stagekit.protocols import Ids
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


class GitLedger:
    """Args:
    exchange: with the shared history.
    log: the file of what went wrong after its record was written.
    """

    def __init__(self, exchange: Exchange, log: Path) -> None:
        self.exchange = exchange
        self._files = FileLedger(exchange.copies.folder)
        self._releases = GitReleases(exchange, self._files)
        self.log = log

    def warn(self, text: str) -> None:
        durable.append_dated(self.log, text)

    # builds

    def look_again(self) -> None:
        self.exchange.look_again()

    def reserve_build(self, begun: Build) -> GitBuildSlot:
        def free(listed: Listed) -> str:
            checked_name(begun.id)
            tries = (begun.id if n == 1 else f"{begun.id}-{n}" for n in count(1))
            # what lies here may be of a history that is no more: it keeps its id all the same
            return next(id for id in tries if id not in listed and not self._files.has_build(id))

        series = Series(kind=BUILDS)
        debt = self.exchange.take(series, free, f"build {{id}} begins: {begun.actor}")
        self.exchange.owed.add(Debt(series=Series(kind=INPUTS), id=debt.id))
        slot = self._files.reserve_build(msgspec.structs.replace(begun, id=debt.id))
        return GitBuildSlot(slot, self.exchange.settle)

    def builds(self) -> Sequence[str]:
        pruned = set(self.exchange.index.series(PRUNED_BUILDS).taken())
        return [id for id in reversed(self.exchange.ids(BUILDS)) if id not in pruned]

    def builds_by_name(self) -> Sequence[str]:
        return self.builds()

    def build(self, id: str) -> Stored[Build]:
        pruned = self.exchange.have(PRUNED_BUILDS, checked_name(id))
        if not pruned and not self.exchange.have(BUILDS, id):
            raise no_build(id, where=self._where)
        return self._files.build(id)

    def find_build(self, id: str) -> Stored[Build] | None:
        pruned = self.exchange.index.series(PRUNED_BUILDS)
        there = checked_name(id) not in pruned and self.exchange.have(BUILDS, id)
        return self._files.build(id) if there else None

    def build_log(self, id: str) -> bytes:
        """Return what was printed by a build of this machine's: logs are not shared."""
        return self._files.build_log(id)

    def build_inputs(self, id: str) -> bytes:
        pruned = self.exchange.index.series(PRUNED_BUILDS)
        there = checked_name(id) not in pruned and self.exchange.have(INPUTS, id)
        return self._files.build_inputs(id) if there else b""

    def builds_under_way(self) -> Sequence[str]:
        return self._files.builds_under_way()

    def close_interrupted_builds(self) -> Sequence[str]:
        closed = self._files.close_interrupted_builds()
        if closed:
            self.exchange.settle(f"build {', '.join(closed)}: interrupted")
        return closed

    def prune_build(self, pruning: BuildPruning) -> Stored[BuildPruning]:
        self.exchange.mark(
            Series(kind=PRUNED_BUILDS), pruning.id, encode(pruning), f"prune build {pruning.id}"
        )
        return self._files.prune_build(pruning)

    # releases

    def add_release(
        self, release: Release, files: Mapping[str, bytes], *, ids: Ids = counted
    ) -> Stored[Release]:
        return self._releases.add(release, files, ids)

    def environments(self) -> Sequence[str]:
        return self._releases.environments()

    def gone_releases(self, env: str) -> Mapping[str, Sequence[str]]:  # noqa: ARG002  # of any
        """Return none: what is in the history stays there."""
        return {}

    def foreign(self, env: str | None = None) -> Sequence[str]:  # noqa: ARG002  # of any
        """Return none: what lies beside the copies here is not looked at."""
        return ()

    def releases(self, env: str) -> Sequence[str]:
        return self._releases.ids(env)

    def release(self, env: str, id: str) -> Stored[Release]:
        return self._releases.read(env, id)

    def release_folder(self, env: str, id: str) -> Path:
        return self._releases.folder(env, id)

    def release_files(self, env: str, id: str) -> Mapping[str, bytes]:
        return self._releases.files(env, id)

    def cancel_release(self, cancellation: Cancellation) -> Stored[Cancellation]:
        return self._releases.cancel(cancellation)

    def cancelled(self, env: str, id: str) -> Stored[Cancellation] | None:
        return self._releases.cancelled(env, id)

    def prune_release(self, pruning: Pruning) -> Stored[Pruning]:
        return self._releases.prune(pruning)

    def pruned(self, env: str, id: str) -> Stored[Pruning] | None:
        return self._releases.pruned(env, id)

    def pruned_releases(self, env: str) -> Sequence[str]:
        return self._releases.pruned_ids(env)

    def half_pruned(self, env: str) -> Sequence[str]:
        return self._releases.half_pruned(env)

    def keep_signature(self, env: str, id: str, data: bytes) -> None:
        self._releases.keep_signature(env, id, data)

    def signature(self, env: str, id: str) -> bytes | None:
        return self._releases.signature(env, id)

    # runs

    def begin_run(self, env: str, begun: Mapping[str, object]) -> GitRunJournal:
        series = Series(kind=RUNS, env=checked_name(env))

        def numbered(here: int) -> int:
            release = begun.get("release")
            what = release.get("id") if isinstance(release, Mapping) else "a release"
            why = f"run {env}/{{id}} of {what} begins"
            taken = self.exchange.take_anyway(series, lambda s: str(next_number(s, here)), why)
            return int(taken.id)

        journal = self._files.begin_run(env, begun, numbered=numbered)
        return GitRunJournal(journal, self.exchange.settle)

    def runs(self, env: str) -> Sequence[int]:
        return sorted(map(int, self.exchange.ids(RUNS, checked_name(env))), reverse=True)

    def run(self, env: str, n: int) -> Stored[Run]:
        if other := self.exchange.others(RUNS, str(n), checked_name(env)):
            path = Series(kind=RUNS, env=env).path(str(n))
            return same(decode(Run, other, where=path), Path(path), env=env, n=n)
        if not self.exchange.have(RUNS, str(n), checked_name(env)):
            raise InputError(
                f"no run {env}/{n}",
                where=self._where,
                hint=f"inv run.history --env {env} lists those there are",
            )
        return self._files.run(env, n)

    def unfinished_run(self, env: str) -> int | None:
        """As `stagekit.protocols.Ledger` has it; of another machine's, one that began after all
        that have a record."""
        if here := self._files.unfinished_run(checked_name(env)):
            return here
        last = max(self.runs(env), default=0)
        taken = self.exchange.index.series(RUNS, env).taken()
        return max((n for n in map(int, taken) if n > last), default=None)

    def close_interrupted_runs(self, env: str) -> Sequence[int]:
        closed = self._files.close_interrupted_runs(env)
        if closed:
            self.exchange.settle("runs that were interrupted")
        return closed

    # comparisons

    def begin_comparison(self, begun: Comparison) -> GitComparisonSlot:
        series = Series(kind=COMPARISONS)

        def numbered(here: int) -> int:
            why = f"comparison {{id}} of {begun.old.name} and {begun.new.name} begins"
            taken = self.exchange.take_anyway(series, lambda s: str(next_number(s, here)), why)
            return int(taken.id)

        slot = self._files.begin_comparison(begun, numbered=numbered)
        return GitComparisonSlot(slot, self.exchange.settle)

    def comparisons(self) -> Sequence[int]:
        return sorted(map(int, self.exchange.ids(COMPARISONS)), reverse=True)

    def comparison(self, n: int) -> Stored[Comparison]:
        if other := self.exchange.others(COMPARISONS, str(n)):
            path = Series(kind=COMPARISONS).path(str(n))
            return same(decode(Comparison, other, where=path), Path(path), n=n)
        self.exchange.have(COMPARISONS, str(n))
        return self._files.comparison(n)

    def close_interrupted_comparisons(self) -> Sequence[int]:
        closed = self._files.close_interrupted_comparisons()
        if closed:
            self.exchange.settle("comparisons that were interrupted")
        return closed

    @property
    def _where(self) -> str:
        return self.exchange.where
