"""Prune: old releases put away. Builds, runs and the registry are not touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from stagekit.errors import InputError, LedgerError
from stagekit.events import Emit, step
from stagekit.pipeline.history import readable_releases, readable_runs, rollback_target
from stagekit.protocols import Ledger
from stagekit.records import CI, Part, Pruning, Release, Stored


class Facts(Part, frozen=True):
    """What pruning is decided from.

    Attributes:
        ids: the environment's releases, newest first.
        cancelled: those of them that are not to be run any more.
        in_force: those that may be running.
        previous: the one that a rollback would go to.
        promoted: those that releases of other environments were made from, and which.
        damaged: those whose record cannot be read.
        half_pruned: what an earlier pruning that was killed has left.
    """

    env: str
    keep: int
    ids: tuple[str, ...]
    cancelled: frozenset[str] = frozenset()
    in_force: frozenset[str] = frozenset()
    previous: str | None = None
    promoted: dict[str, str] = {}
    damaged: frozenset[str] = frozenset()
    half_pruned: tuple[str, ...] = ()


class Plan(Part, frozen=True):
    """What goes, newest first, and why of the old ones some stay."""

    env: str
    prune: tuple[str, ...] = ()
    kept: dict[str, str] = {}
    half_pruned: tuple[str, ...] = ()


def gather(env: str, *, keep: int, ledger: Ledger, emit: Emit) -> Facts:
    """Read what pruning is decided from; change nothing.

    Args:
        env: the environment's name.
        keep: how many releases that may be run stay in any case, the newest.
        ledger: where they are.
        emit: told of what cannot be read.

    Raises:
        InputError: ``keep`` is no number above 0.
        LedgerError: a run is under way, or was interrupted: what runs is not known.
    """
    if keep < 1:
        raise InputError("at least one release is kept", where="--keep")
    if n := ledger.unfinished_run(env):
        raise LedgerError(
            f"run {n} of {env} is under way, or was interrupted: what runs there is not known",
            hint=f"wait for it, or inv run --env {env}",
        )
    ids = tuple(ledger.releases(env))
    releases = {stored.record.id for stored in readable_releases(ledger, env, emit)}
    return Facts(
        env=env,
        keep=keep,
        ids=ids,
        cancelled=frozenset(id for id in ids if ledger.cancelled(env, id)),
        in_force=frozenset(_in_force(ledger, env, emit)),
        previous=_previous(ledger, env, emit),
        promoted=dict(_promoted(ledger, env, emit)),
        damaged=frozenset(ids) - releases,
        half_pruned=tuple(ledger.half_pruned(env)),
    )


def decide(facts: Facts) -> Plan:
    """Say what goes. A release that cannot be run, cancelled or damaged, does not count as one of
    those that are kept."""
    useless = {*facts.cancelled, *facts.damaged}
    good = [id for id in facts.ids if id not in useless][: facts.keep]
    last = facts.ids.index(good[-1]) if len(good) == facts.keep else len(facts.ids)
    old = facts.ids[last + 1 :]
    kept = {id: why for id in old if (why := _needed(id, facts))}
    return Plan(
        env=facts.env,
        prune=tuple(id for id in old if id not in kept),
        kept=kept,
        half_pruned=facts.half_pruned,
    )


def apply(
    plan: Plan, *, ledger: Ledger, actor: str, ci: CI | None = None, emit: Emit
) -> tuple[Stored[Pruning], ...]:
    """Put the releases away, the oldest first; each leaves a record of its own."""
    for id in plan.half_pruned:
        if left := ledger.pruned(plan.env, id):
            ledger.prune_release(left.record)
    done = []
    for id in reversed(plan.prune):
        with step(emit, "prune", f"{plan.env}/{id}"):
            done.append(ledger.prune_release(_pruning(ledger.release(plan.env, id), actor, ci)))
    return tuple(done)


def _needed(id: str, facts: Facts) -> str | None:
    if id in facts.in_force:
        return "it runs, or may"
    if id == facts.previous:
        return "a rollback would go to it"
    if by := facts.promoted.get(id):
        return f"{by} was promoted from it"
    if id in facts.damaged:
        return "its record cannot be read"
    return None


def _in_force(ledger: Ledger, env: str, emit: Emit) -> Iterator[str]:
    """Yield the releases of the runs since the last good one: after a failed run, either may be
    what runs."""
    runs = readable_runs(ledger, env, emit)
    for run in runs:
        yield run.record.release.id
        hosts = (*run.record.hosts, *run.record.left)
        yield from (host.release for host in hosts if host.release)
        if run.record.ran_well:
            return


def _previous(ledger: Ledger, env: str, emit: Emit) -> str | None:
    try:
        return rollback_target(ledger, env, emit)
    except InputError:
        return None


def _promoted(ledger: Ledger, env: str, emit: Emit) -> Iterator[tuple[str, str]]:
    for other in ledger.environments():
        for stored in readable_releases(ledger, other, emit) if other != env else ():
            source, _, id = (stored.record.promoted_from or "").partition("/")
            if source == env:
                yield id, stored.record.name


def _pruning(stored: Stored[Release], actor: str, ci: CI | None) -> Pruning:
    release = stored.record
    return Pruning(
        env=release.env,
        release=stored.link,
        released=release.created,
        build=release.build,
        content_digest=release.content_digest,
        created=datetime.now(UTC),
        actor=actor,
        ci=ci,
    )
