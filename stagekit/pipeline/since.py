"""The release before the next one, and what changed since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from stagekit.events import Emit, Warned
from stagekit.inputs.source import commits_between
from stagekit.inputs.variables import without_origins
from stagekit.pipeline import sides
from stagekit.pipeline.compare import Side
from stagekit.pipeline.history import readable_releases
from stagekit.protocols import Ledger
from stagekit.records import Build, Release


def last_release(ledger: Ledger, env: str, emit: Emit) -> Side | None:
    """Return an environment's newest release that can be read; its notes say why nothing is to
    be made of it again, and are told."""
    last = next(readable_releases(ledger, env, emit), None)
    if last is None:
        return None
    side = sides.released(ledger, env, last.record.id)
    if found := ledger.cancelled(env, last.record.id):
        cancelled = f"{side.name} was cancelled: {found.record.reason}"
        side = replace(side, notes=(*side.notes, cancelled))
    for note in side.notes:
        emit(Warned(note))
    return side


def says_the_same(release: Release, files: Mapping[str, bytes], previous: Side) -> bool:
    """Compare a release with the last one; where in a file a variable stands says nothing."""
    before = previous.release
    if previous.notes or before.build != release.build or before.deploy != release.deploy:
        return False
    same_files = without_origins(files) == without_origins(previous.files)
    return same_files and before.secrets == release.secrets


def commits_since(
    previous: Side | None, build: Build, root: Path, ledger: Ledger, emit: Emit
) -> tuple[str, ...]:
    """Return the commits that a build has and the last release's has not, as git knows them."""
    if previous is None or previous.release.build.id == build.id:
        return ()
    old = sides.commit_of(previous.release, ledger, emit)
    return commits_between(root, old, build.source.commit)
