"""Whether a release is byte for byte what was sealed, and from the build that it names."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit.errors import InputError, LedgerError
from stagekit.inputs.document import parse_sealed
from stagekit.inputs.files import FOLDER
from stagekit.inputs.merge import Tree
from stagekit.ledger.sealed import file_problems
from stagekit.pipeline.chain import build_problems
from stagekit.protocols import Ledger
from stagekit.records import Part, Release, Stored


class Verified(Part, frozen=True):
    """A release that was checked: its record, and its compose.yaml as bytes and parsed.

    ``files`` are all of its files but the record.
    """

    release: Stored[Release]
    text: bytes
    document: Tree
    files: Mapping[str, bytes] = {}

    @property
    def mounted(self) -> dict[str, bytes]:
        """The files that its containers mount, by their paths in it."""
        return {path: data for path, data in self.files.items() if path.startswith(f"{FOLDER}/")}


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
    if problems := file_problems(release.record, files):
        raise LedgerError(
            f"release {release.record.name} was changed after it was sealed: {problems[0]}",
            where=where,
            hint=f"inv release --env {env} makes a new one; a sealed one is never edited",
        )
    _check_build(release.record, ledger, where)
    text = files["compose.yaml"]
    document = parse_sealed(text, where=where)
    return Verified(release=release, text=text, document=document, files=files)


def _check_build(release: Release, ledger: Ledger, where: str) -> None:
    """Compare the build the release names with the ledger's, where it is at hand."""
    if problems := build_problems(release, ledger.find_build(release.build.id)):
        raise LedgerError(
            str(problems[0]), where=where, hint="bring back artifacts/builds as it was"
        )
