"""Which build is released: the one that was named, or the newest of the source at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice

from stagekit.errors import LedgerError, NoBuild
from stagekit.events import Emit, Warned
from stagekit.inputs.fingerprint import ImageInputs, decode_inputs
from stagekit.inputs.project import Project
from stagekit.inputs.source import same_source
from stagekit.pipeline.known import has_passed_all, is_of_commit
from stagekit.pipeline.unseen import changed_unseen
from stagekit.protocols import Ledger
from stagekit.records import Build, Source, Stored

_LOOK_BACK = 50
"""How many of the newest builds are looked at."""

_NAMED = 3
"""How many changed files are told."""

_APART = timedelta(minutes=5)
"""How far the clocks of two machines may be apart."""
_WHERE = "artifacts/builds/"


def named_build(ledger: Ledger, id: str) -> Stored[Build]:
    """Return a build that was asked for by its id.

    Raises:
        InputError: there is none.
        NoBuild: it failed.
    """
    build = ledger.build(id)
    if not build.record.succeeded:
        raise _failed(build.record)
    return build


def build_of_source(
    project: Project,
    ledger: Ledger,
    *,
    source: Source,
    inputs: Callable[[], Mapping[str, ImageInputs]],
    emit: Emit,
) -> Stored[Build]:
    """Return the newest build that succeeded and was made from what is checked out.

    A build is of this source if its commit has the same files, ``environments/`` and
    ``artifacts/`` apart; else, if its images are made from what they would be made from now: a
    change of the documentation, or one that is not committed, needs no other build.

    Args:
        project: the project; a build that has not passed a check of its is not good.
        ledger: where builds are.
        source: what is checked out.
        inputs: reads what the images would be made from; asked only where commits do not tell.
        emit: warned of builds of this source that failed since, and of files that git ignores and
            that changed since.

    Raises:
        NoBuild: there is none; says what is checked out.
    """
    now = cache(inputs)
    newest: Build | None = None
    for id in islice(ledger.builds(), _LOOK_BACK):
        try:
            stored = ledger.build(id)
        except LedgerError as error:
            emit(Warned(f"build {id} is passed over: {error}"))
            continue
        newest = newest or stored.record
        if stored.record.created > datetime.now(UTC) + _APART:
            emit(
                Warned(
                    f"build {id} is from the future: a clock is wrong, here or where it was made"
                )
            )
        if stored.record.succeeded and _is_of(stored.record, source, project, now):
            if unseen := changed_unseen(project, decode_inputs(ledger.build_inputs(id))):
                emit(Warned(_told(id, unseen)))
            if newest is not stored.record and not newest.succeeded:
                emit(Warned(f"build {newest.id} {newest.status}; {id} is of the same source"))
            return stored
    if newest and not newest.succeeded and newest.source.commit == source.commit:
        raise _failed(newest)
    raise _none(source, newest)


def _is_of(
    build: Build, source: Source, project: Project, inputs: Callable[[], Mapping[str, ImageInputs]]
) -> bool:
    if not has_passed_all(build, project):
        return False
    old, new = build.source, source
    if (
        is_of_commit(old)
        and is_of_commit(new)
        and same_source(project.root, old.commit, new.commit)
    ):
        return True
    made_from = {name: image.fingerprint for name, image in build.images.items()}
    if None in made_from.values():
        return False
    return made_from == {name: image.fingerprint for name, image in inputs().items()}


def _told(id: str, unseen: Sequence[str]) -> str:
    more = f" and {len(unseen) - _NAMED} more" if len(unseen) > _NAMED else ""
    return (
        f"build {id} is of this commit, but git ignores {', '.join(unseen[:_NAMED])}{more}, which "
        "changed since: inv build makes one of them"
    )


def _failed(build: Build) -> NoBuild:
    reason = f": {build.failures[0].message}" if build.failures else ""
    return NoBuild(
        f"build {build.id} {build.status}{reason}",
        where=_WHERE,
        hint="mend it and inv build, or name an earlier one with --build (inv build.list)",
    )


def _none(source: Source, newest: Build | None) -> NoBuild:
    if newest is None:
        return NoBuild("there is no build yet", where=_WHERE, hint="inv build")
    changes = " with uncommitted changes" if source.dirty else ""
    here = f"commit {source.commit[:12]}{changes}" if source.commit else "the source at hand"
    return NoBuild(
        f"no build of {here}",
        where=_WHERE,
        hint=f"inv build, or --build {newest.id} for the newest (inv build.list)",
    )
