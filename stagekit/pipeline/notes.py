"""Release notes: what came with a release, as Markdown for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from stagekit.inputs.source import Commit
from stagekit.pipeline.compare import Difference, ImageChange, Side
from stagekit.records import Part
from stagekit.wording import counted, escaped

_GROUPS = {"feat": "Features", "fix": "Fixes"}
_REST = "Other changes"
_TYPED = re.compile(r"(\w+)(?:\([^)]*\))?!?: ")


class Notes(Part, frozen=True):
    """What the notes of a release say.

    Attributes:
        since: the release they start after; none for the first one.
        commits: newest first.
        images: those that are other ones.
        variables: how many are others.
        secrets: how many are others.
    """

    release: str
    build: str
    created: datetime
    actor: str
    message: str | None = None
    since: str | None = None
    commits: tuple[Commit, ...] = ()
    images: tuple[ImageChange, ...] = ()
    variables: int = 0
    secrets: int = 0


def notes_of(side: Side, difference: Difference | None, commits: Sequence[Commit]) -> Notes:
    """Gather what the notes say.

    Args:
        side: the release.
        difference: to the one that the notes start after; None where there is none before it.
        commits: those between the two.
    """
    release = side.release
    return Notes(
        release=side.name,
        build=release.build.id,
        created=release.created,
        actor=release.actor,
        message=release.message,
        since=difference.old if difference else None,
        commits=tuple(commits),
        images=difference.images if difference else tuple(_all_images(side)),
        variables=sum(item.kind != "same" for item in difference.variables) if difference else 0,
        secrets=sum(item.kind != "same" for item in difference.secrets) if difference else 0,
    )


def markdown(notes: Notes) -> str:
    """Write the notes as Markdown."""
    return "\n".join(_lines(notes)) + "\n"


def _lines(notes: Notes) -> Iterator[str]:
    yield f"# {escaped(notes.release)}"
    yield ""
    made = f"{notes.created:%Y-%m-%d %H:%M} UTC by {escaped(notes.actor)}"
    since = f", since {escaped(notes.since)}" if notes.since else ", the first release"
    yield f"Released {made} from build `{notes.build}`{since}."
    if notes.message:
        yield ""
        yield escaped(notes.message)
    for title, commits in _grouped(notes.commits).items():
        yield from ("", f"## {title}", "")
        yield from (_commit(commit) for commit in commits)
    if notes.images:
        yield from ("", "## Images", "")
        yield from map(_image, notes.images)
    if notes.variables or notes.secrets:
        counts = (_count(notes.variables, "variable"), _count(notes.secrets, "secret"))
        yield from ("", "## Configuration", "")
        yield f"{' and '.join(filter(None, counts))} changed."


def _grouped(commits: Sequence[Commit]) -> dict[str, list[Commit]]:
    """Group commits by the type that their subjects start with (``fix: …``), where any has one."""
    groups: dict[str, list[Commit]] = {title: [] for title in (*_GROUPS.values(), _REST)}
    for commit in commits:
        typed = _TYPED.match(commit.subject)
        groups[_GROUPS.get(typed[1], _REST) if typed else _REST].append(commit)
    found = {title: group for title, group in groups.items() if group}
    return {"Changes": found[_REST]} if list(found) == [_REST] else found


def _commit(commit: Commit) -> str:
    by = f", {escaped(commit.author)}" if commit.author else ""
    return f"- {escaped(commit.subject)} (`{commit.short}`{by})"


def _image(change: ImageChange) -> str:
    new = f"`{change.new.pinned}`" if change.new else "gone"
    old = f" (was `{change.old.pinned}`)" if change.old else ""
    return f"- {escaped(change.service)}: {new}{old}"


def _all_images(side: Side) -> Iterator[ImageChange]:
    for service, pin in sorted(side.release.pins.items()):
        yield ImageChange(service=service, kind="added", new=pin)


def _count(number: int, what: str) -> str:
    return counted(number, what) if number else ""
