"""Patterns of files: what they mean, what they never mean, and what changes what they say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs.fileindex import FileIndex
from stagekit.inputs.globs import Globs, check_met

FILES = (
    "a.ts",
    "app/a.ts",
    "app/b.js",
    "app/.hidden.ts",
    "app/sub/c.ts",
    "app/sub/deep/d.ts",
    "app/sub/deep/d.test.ts",
    "lib/e.ts",
    "odd [1].ts",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        *FILES,
        ".git/config",
        "app/.git",
        "artifacts/builds/b1.ts",
        "app/artifacts/x.ts",
        "app/__pycache__/x.ts",
    ):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "source"


def globs(root: Path, *patterns: str, leaving_out: Sequence[str] = ()) -> Globs:
    return Globs(root, patterns, where="x", leaving_out=leaving_out, hidden=("artifacts",))


def described(root: Path, found: Globs) -> dict[str, str]:
    return found.describe(FileIndex(root.parent / "cache/x.index", ""))


def meant(root: Path, *patterns: str, leaving_out: Sequence[str] = ()) -> set[str]:
    return set(described(root, globs(root, *patterns, leaving_out=leaving_out)))


APP = {name for name in FILES if name.startswith("app/")} | {"app/artifacts/x.ts"}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["a.ts"], {"a.ts"}),
        (["./app//a.ts"], {"app/a.ts"}),
        (["*.ts"], {"a.ts", "odd [1].ts"}),
        (["app/*.ts"], {"app/a.ts", "app/.hidden.ts"}),
        (["app/?.ts"], {"app/a.ts"}),
        (["app/[ab].*"], {"app/a.ts", "app/b.js"}),
        (["app/**/*.ts"], {name for name in APP if name.endswith(".ts")}),
        (["**/d.ts"], {"app/sub/deep/d.ts"}),
        (["**/deep/**/d.ts"], {"app/sub/deep/d.ts"}),
        (["app/**/**/c.ts"], {"app/sub/c.ts"}),
        (["app"], APP),
        (["app/"], APP),
        (["app/**"], APP),
        (["app/*"], {"app/a.ts", "app/b.js", "app/.hidden.ts"}),
        (["app/*/"], APP - {"app/a.ts", "app/b.js", "app/.hidden.ts"}),
        (["."], {*FILES, *APP}),
        (["**"], {*FILES, *APP}),
        (["app", "!app/sub"], {n for n in APP if not n.startswith("app/sub/")}),
        (["!**/*.test.ts", "app/sub"], {"app/sub/c.ts", "app/sub/deep/d.ts"}),
        (["app/sub", "!**/deep/"], {"app/sub/c.ts"}),
        (["app/sub", "!**/deep/**"], {"app/sub/c.ts"}),
        (["**/*.ts", "!app", "!odd*"], {"a.ts", "lib/e.ts"}),
        (["odd [[]1].ts"], {"odd [1].ts"}),
    ],
)
def test_what_patterns_mean(root: Path, patterns: list[str], expected: set[str]) -> None:
    """From the folder of tasks.py; a folder means all below it, `!` takes away."""
    assert meant(root, *patterns) == expected


def test_what_is_left_out_is_never_meant(root: Path) -> None:
    """A task's outputs are not its inputs; what they take away themselves changes nothing."""
    assert meant(root, "app/sub", leaving_out=["app/sub/deep/", "!app/sub/c.ts"]) == {
        "app/sub/c.ts"
    }


@pytest.mark.parametrize(
    "pattern", ["nope", "nope/", "*.py", "app/**/*.py", "artifacts", "artifacts/**", ".git"]
)
def test_a_pattern_without_a_file_is_named(root: Path, pattern: str) -> None:
    """Also one of what is never an input."""
    found = globs(root, "a.ts", pattern)
    assert set(described(root, found)) == {"a.ts"}
    with pytest.raises(InputError, match="nothing is there for") as caught:
        check_met(found, "inputs of task x")
    assert repr(pattern) in caught.value.what
    assert "'a.ts'" not in caught.value.what


def test_each_of_two_patterns_for_one_file_is_met(root: Path) -> None:
    """The second is no mistake."""
    for patterns in (["app", "app/a.ts"], ["app/*.ts", "app/a.ts"], ["a.ts", "*.ts"]):
        found = globs(root, *patterns)
        described(root, found)
        assert found.unmet == ()


@pytest.mark.parametrize("pattern", ["../x", "app/../../x", "/etc/passwd", "!/etc", "", " ", "!"])
def test_a_pattern_that_cannot_be_meant_is_refused(root: Path, pattern: str) -> None:
    """It leaves the project, or is empty."""
    with pytest.raises(InputError):
        globs(root, "a.ts", pattern)


def test_taking_away_from_nothing_is_refused(root: Path) -> None:
    """Patterns that only take away were meant otherwise."""
    with pytest.raises(InputError, match="takes away from nothing"):
        globs(root, "!app")


def test_a_link_to_a_file_is_what_it_holds(root: Path) -> None:
    """Where it leads, and what is there: a change of either is one."""
    (root.parent / "shared.txt").write_text("1")
    link = root / "app/link"
    link.symlink_to("../../shared.txt")
    first = described(root, globs(root, "app/link"))
    (root.parent / "shared.txt").write_text("2")
    second = described(root, globs(root, "app/link"))
    link.unlink()
    link.write_text("2")
    third = described(root, globs(root, "app/link"))
    assert len({item["app/link"] for item in (first, second, third)}) == 3


def test_links_to_folders(root: Path) -> None:
    """One that is written out is gone through; `**` and a folder that is meant whole take the link
    alone, so that none leads round in a circle."""
    (root / "app/loop").symlink_to("..")
    (root / "app/broken").symlink_to("nowhere")
    (root / "app/itself").symlink_to("itself")
    assert meant(root, "app") == {*APP, "app/loop", "app/broken", "app/itself"}
    assert meant(root, "app/loop/lib") == {"app/loop/lib/e.ts"}
    assert "app/loop/a.ts" in meant(root, "app/loop/*.ts")
    assert meant(root, "app/**/e.ts", "a.ts") == {"a.ts"}


def test_a_folder_that_cannot_be_read_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason."""
    real = os.scandir

    def refusing(folder: Path) -> object:
        if Path(folder).name == "sub":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match="cannot be read: permission denied") as caught:
        meant(root, "app")
    assert caught.value.where == str(root / "app/sub")
