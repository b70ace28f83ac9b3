"""Whether a release is byte for byte what was sealed, and from the build that it names."""

from __future__ import annotations

from stagekit import digest
from stagekit.errors import InputError, LedgerError
from stagekit.inputs.merge import Tree
from stagekit.inputs.seal import parse
from stagekit.protocols import Ledger
from stagekit.records import Part, Release, Stored


class Verified(Part, frozen=True):
    """A release that was checked: its record, and its compose.yaml as bytes and parsed."""

    release: Stored[Release]
    text: bytes
    document: Tree


def verified(ledger: Ledger, env: str, release_id: str | None) -> Verified:
    """Return a release after checking that it is byte for byte what was sealed.

    Args:
        ledger: where it is.
        env: the environment's name.
        release_id: its id; by default the newest.

    Raises:
        InputError: there is none.
        LedgerError: a file of it, or the build it names, is not the one it was made with.
    """
    ids = ledger.releases(env)
    if not ids:
        raise InputError(f"nothing was released to {env} yet", hint=f"inv release --env {env}")
    id = release_id or ids[0]
    release = ledger.release(env, id)
    where = str(ledger.release_folder(env, id))
    files = ledger.release_files(env, id)
    if digest.of_tree(files) != release.record.content_digest:
        raise LedgerError(
            f"release {release.record.name} was changed after it was sealed",
            where=where,
            hint=f"inv release --env {env} makes a new one; a sealed one is never edited",
        )
    _check_build(release.record, ledger, where)
    text = files["compose.yaml"]
    return Verified(release=release, text=text, document=parse(text))


def _check_build(release: Release, ledger: Ledger, where: str) -> None:
    """Compare the build the release names with the ledger's, where it is at hand."""
    build = ledger.find_build(release.build.id)
    if build and build.digest != release.build.digest:
        raise LedgerError(
            f"build {release.build.id} is not the one this release was made from",
            where=where,
            hint="bring back artifacts/builds as it was",
        )
