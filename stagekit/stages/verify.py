"""Whether a release is byte for byte what was sealed, and from the build that it names."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit import digest
from stagekit.errors import InputError, LedgerError
from stagekit.inputs.merge import Tree
from stagekit.inputs.seal import parse
from stagekit.protocols import Ledger
from stagekit.records import Release, Stored


def verified(ledger: Ledger, env: str, release_id: str | None) -> tuple[Stored[Release], Tree]:
    """Return a release and its document, after checking that it is byte for byte what was sealed.

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
    _check_content(release.record, files, where)
    _check_chain(release.record, ledger, where)
    return release, parse(files["compose.yaml"])


def _check_content(release: Release, files: Mapping[str, bytes], where: str) -> None:
    """Raise LedgerError unless a release's files are the ones it was sealed with."""
    if digest.of_tree(files) != release.content_digest:
        raise LedgerError(
            f"release {release.name} was changed after it was sealed",
            where=where,
            hint=f"inv release --env {release.env} makes a new one; a sealed one is never edited",
        )


def _check_chain(release: Release, ledger: Ledger, where: str) -> None:
    """Compare the build the release names with the ledger's, where it is at hand."""
    build = ledger.find_build(release.build.id)
    if build and build.digest != release.build.digest:
        raise LedgerError(
            f"build {release.build.id} is not the one this release was made from",
            where=where,
            hint="bring back artifacts/builds as it was",
        )
