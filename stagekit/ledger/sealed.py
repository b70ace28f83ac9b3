"""Whether the files of a release are those that were sealed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stagekit import digest
from stagekit.ledger.releases import RELEASE_RECORD
from stagekit.records import Part, Release

_DOCUMENT = "compose.yaml"


class Problem(Part, frozen=True):
    """One thing that is not as it was sealed: which file of the release, and what of it."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file} {self.what}"


def file_problems(release: Release, files: Mapping[str, bytes]) -> tuple[Problem, ...]:
    """Compare a release's files, all but its record, with what the record says of each."""
    if _DOCUMENT not in files:
        return (Problem(_DOCUMENT, "is missing"),)
    found = digest.of_files(files)
    if not release.files and digest.of_listing(found) != release.content_digest:
        return (Problem("a file of it", "is not what it was"),)
    if release.files and digest.of_listing(release.files) != release.content_digest:
        return (Problem(RELEASE_RECORD, "lists other files than those of its content digest"),)
    return tuple(_compared(release.files, found, files)) if release.files else ()


def _compared(
    stated: Mapping[str, str], found: Mapping[str, str], files: Mapping[str, bytes]
) -> Iterator[Problem]:
    for path in sorted({*stated, *found}):
        if path not in found:
            yield Problem(path, "is missing")
        elif path not in stated:
            yield Problem(path, "does not belong to it")
        elif stated[path] != found[path]:
            yield Problem(path, "was edited or cut" if files[path] else "is empty")
