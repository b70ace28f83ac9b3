"""Prune builds: records of builds that no release uses any more. The registry is not touched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime

from stagekit.errors import InputError, LedgerError
from stagekit.events import Emit, Warned, step
from stagekit.pipeline.history import readable_releases
from stagekit.protocols import Ledger
from stagekit.records import CI, Build, BuildPruning, Part, Stored


class Facts(Part, frozen=True):
    """What pruning is decided from.

    Attributes:
        keep: how many builds that succeeded stay in any case, the newest.
        ids: all builds, newest first.
        good: those of them that succeeded.
        damaged: those whose record cannot be read.
        used: those that releases are of, and one such release.
        made_by: the older builds that made images of one.
    """

    keep: int
    ids: tuple[str, ...]
    good: frozenset[str] = frozenset()
    damaged: frozenset[str] = frozenset()
    used: dict[str, str] = {}
    made_by: dict[str, tuple[str, ...]] = {}


class Plan(Part, frozen=True):
    """What goes, newest first, and why of the old ones some stay."""

    prune: tuple[str, ...] = ()
    kept: dict[str, str] = {}


def check_keep(keep: int) -> None:
    """Raise InputError unless a number of builds that stay in any case is above 0."""
    if keep < 1:
        raise InputError("at least one build is kept", where="--builds")


def gather(*, keep: int, ledger: Ledger, emit: Emit, going: Collection[str] = ()) -> Facts:
    """Read what pruning is decided from; change nothing.

    Args:
        keep: how many builds that succeeded stay in any case, the newest.
        ledger: where they are.
        emit: told of what cannot be read.
        going: releases that are about to be pruned, ``ENV/ID``: they use none any more.

    Raises:
        InputError: ``keep`` is no number above 0.
        LedgerError: a build is under way, or a release is damaged: what is used is not known.
    """
    check_keep(keep)
    if under_way := ledger.builds_under_way():
        raise LedgerError(
            f"build {under_way[0]} is under way: which images it takes over is not known",
            hint="wait for it",
        )
    ids = tuple(ledger.builds())
    builds = dict(_readable(ledger, ids, emit))
    return Facts(
        keep=keep,
        ids=ids,
        good=frozenset(id for id, build in builds.items() if build.succeeded),
        damaged=frozenset(ids) - builds.keys(),
        used={build: name for build, name in _used(ledger, emit) if name not in going},
        made_by={
            id: tuple(image.made_by for image in build.images.values() if image.made_by)
            for id, build in builds.items()
        },
    )


def decide(facts: Facts) -> Plan:
    """Say what goes. A build that did not succeed does not count as one of those that are kept."""
    good = [id for id in facts.ids if id in facts.good][: facts.keep]
    last = facts.ids.index(good[-1]) if len(good) == facts.keep else len(facts.ids)
    old = facts.ids[last + 1 :]
    kept = {id: f"{facts.used[id]} is of it" for id in old if id in facts.used}
    kept |= {id: "its record cannot be read" for id in old if id in facts.damaged}
    staying = [*facts.ids[: last + 1], *kept]
    makers = {maker: id for id in staying for maker in facts.made_by.get(id, ())}
    kept |= {id: f"it made images of {makers[id]}" for id in old if id in makers and id not in kept}
    return Plan(prune=tuple(id for id in old if id not in kept), kept=kept)


def apply(
    plan: Plan, *, ledger: Ledger, actor: str, ci: CI | None = None, emit: Emit
) -> tuple[Stored[BuildPruning], ...]:
    """Put the builds away, the oldest first; each leaves a record of its own."""
    done = []
    for id in reversed(plan.prune):
        with step(emit, "prune", id):
            done.append(ledger.prune_build(_pruning(ledger.build(id), actor, ci)))
    return tuple(done)


def _readable(ledger: Ledger, ids: tuple[str, ...], emit: Emit) -> Iterator[tuple[str, Build]]:
    for id in ids:
        try:
            yield id, ledger.build(id).record
        except LedgerError as error:
            emit(Warned(f"build {id} is passed over: {error}"))


def _used(ledger: Ledger, emit: Emit) -> Iterator[tuple[str, str]]:
    for env in ledger.environments():
        unread = set(ledger.releases(env))
        for stored in readable_releases(ledger, env, emit):
            unread.discard(stored.record.id)
            yield stored.record.build.id, stored.record.name
        if unread:
            raise LedgerError(
                f"{env}/{min(unread)} cannot be read: which build it is of is not known",
                hint="bring it back from a copy, or move it out of artifacts/",
            )


def _pruning(stored: Stored[Build], actor: str, ci: CI | None) -> BuildPruning:
    build = stored.record
    pins: Mapping[str, str] = {name: image.pin for name, image in build.images.items()}
    return BuildPruning(
        build=stored.link,
        built=build.created,
        commit=build.source.commit,
        images=dict(pins),
        created=datetime.now(UTC),
        actor=actor,
        ci=ci,
    )
