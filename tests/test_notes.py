"""Release notes, as people read them."""

from __future__ import annotations

from stagekit.inputs.source import Commit
from stagekit.pipeline.compare import Side, compare
from stagekit.pipeline.notes import markdown, notes_of
from stagekit.records import Pin
from stagekit.testing.records import PIN, a_release, sha
from tests.test_compare import secrets, side, variables

OTHER = Pin(asked="web:2", pinned=f"web@{sha('2')}", kind="digest")
FIX = Commit(short="abc1234", subject="fix: the login", author="Ann")
PLAIN = Commit(short="def5678", subject="Say more", author="Bob")


def written(*commits: Commit, old: Side | None = None, **changes: object) -> str:
    new = side("v2", **changes)
    difference = compare(old or side(), new)
    return markdown(notes_of(new, difference, commits))


def test_notes_say_what_came_with_a_release() -> None:
    """What, when, by whom, why; commits, images, and how much configuration."""
    files = {"variables.toml": variables({"A": 2, "B": 1}), "secrets.toml": secrets(KEY="new")}
    old = side(files={"secrets.toml": secrets(KEY="old")})
    text = written(FIX, old=old, pins={"web": OTHER}, files=files, message="for the fair")
    assert (
        text
        == f"""\
# prod/v2

Released 2026-04-06 12:00 UTC by ann@laptop from build `b1`, since prod/v1.

for the fair

## Fixes

- fix: the login (`abc1234`, Ann)

## Images

- web: `{OTHER.pinned}` (was `{PIN.pinned}`)

## Configuration

2 variables and 1 secret changed.
"""
    )


def test_commits_are_grouped_where_their_subjects_say_so() -> None:
    """Features and fixes first; subjects of no kind are simply changes."""
    feature = Commit(short="1", subject="feat(web)!: a door", author="")
    text = written(PLAIN, FIX, feature)
    assert text.index("## Features") < text.index("## Fixes") < text.index("## Other changes")
    assert "- feat(web)!: a door (`1`)\n" in text
    assert "## Changes\n\n- Say more (`def5678`, Bob)\n" in written(PLAIN)


def test_a_subject_is_shown_as_it_is() -> None:
    """None of it is markup, and none breaks the line."""
    hostile = Commit(short="1", subject="<b>*x*</b> [a](b) `c`\n# d", author="_e_")
    assert r"- \<b\>\*x\*\</b\> \[a\](b) \`c\` # d (`1`, \_e\_)" + "\n" in written(hostile)


def test_nothing_that_is_the_same_is_said() -> None:
    """No empty headings."""
    assert "##" not in written()


def test_the_first_release_has_nothing_before_it() -> None:
    """All of its images are new."""
    text = markdown(notes_of(side(pins={"web": PIN}), None, ()))
    assert "by ann@laptop from build `b1`, the first release." in text
    assert f"- web: `{PIN.pinned}`\n" in text


def test_a_secret_that_stayed_is_none_that_changed() -> None:
    """Only others count."""
    files = {"secrets.toml": secrets(KEY="x")}
    new = side("v2", files=files)
    notes = notes_of(new, compare(side(files=files), new), ())
    assert (notes.secrets, notes.variables, notes.release) == (0, 0, a_release(id="v2").name)
