"""Where the source of a build stands, as git tells it."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stagekit.events import ignore
from stagekit.inputs.source import (
    commits_between,
    log_between,
    read_source,
    uncommitted,
    without_credentials,
)
from stagekit.records import Source

GIT = {
    "PATH": os.environ["PATH"],
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "ann"),
    **dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2026-04-06T20:32:17+02:00"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "ann@laptop"),
}


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=GIT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(root: Path, message: str) -> str:
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one file, not committed yet."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    (tmp_path / "app").write_text("1")
    git(tmp_path, "add", "app")
    return tmp_path


def test_a_clean_commit_is_named(root: Path) -> None:
    """Commit, branch and remote; nothing is dirty."""
    id = commit(root, "one")
    git(root, "remote", "add", "origin", "https://ann:hunter2@git.test/shop.git")
    assert read_source(root, ignore) == Source(
        commit=id,
        branch="main",
        dirty=False,
        remote="https://git.test/shop.git",
        committed=datetime(2026, 4, 6, 18, 32, 17, tzinfo=UTC),
    )


def test_without_a_branch_or_a_remote_they_are_left_out(root: Path) -> None:
    """As on most CIs, which check out a commit."""
    id = commit(root, "one")
    git(root, "checkout", "--quiet", "--detach")
    found = read_source(root, ignore)
    assert (found.commit, found.branch, found.remote, found.dirty) == (id, None, None, False)


@pytest.mark.parametrize("path", ["app", "new"])
def test_a_change_that_is_not_committed_is_dirty(root: Path, path: str) -> None:
    """A changed file, and one that git does not know."""
    commit(root, "one")
    (root / path).write_text("2")
    found = read_source(root, ignore)
    assert (found.dirty, found.changed) == (True, (path,))


def test_records_and_environments_make_nothing_dirty(root: Path) -> None:
    """They are no source."""
    commit(root, "one")
    for folder in ("artifacts", "environments"):
        (root / folder).mkdir()
        (root / folder / "x").write_text("1")
    assert not read_source(root, ignore).dirty


def test_outside_git_the_source_is_empty(tmp_path: Path) -> None:
    """Before the first commit it is dirty: nothing of it is committed."""
    assert read_source(tmp_path, ignore) == Source()
    git(tmp_path, "init", "--quiet")
    assert read_source(tmp_path, ignore) == Source(dirty=True)


def test_commits_are_listed_newest_first(root: Path) -> None:
    """What came after the old one, up to the new one; nothing where git cannot tell."""
    one, two, three = (commit(root, text) for text in ("one", "two", "three"))
    found = commits_between(root, one, three)
    assert [line.partition(" ")[2] for line in found] == ["three", "two"]
    assert all(id.startswith(line.split()[0]) for id, line in zip((three, two), found, strict=True))
    for old, new in ((one, one), (None, three), (one, None), ("f" * 40, three)):
        assert commits_between(root, old, new) == ()


def test_a_log_has_authors_and_subjects_as_they_are(root: Path) -> None:
    """Whatever a subject holds: line ends of other kinds, and nothing at all."""
    one = commit(root, "one")
    commit(root, "a\x0bb\x1cc\u2028d")
    git(root, "commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", "")
    last = commit(root, "\N{GRINNING FACE}")
    found = log_between(root, one, last)
    assert [item.subject for item in found] == ["\N{GRINNING FACE}", "", "a\x0bb\x1cc\u2028d"]
    assert {item.author for item in found} == {"ann"}
    assert last.startswith(found[0].short)


def test_a_signature_that_git_shows_is_no_part_of_a_log(root: Path) -> None:
    """Whoever has git say by its settings who signed a commit, builds all the same."""
    key = root.parent / f"{root.name}.key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = key.with_name(f"{root.name}.signers")
    signers.write_text(f"ann@laptop {key.with_suffix('.key.pub').read_text()}")
    for name, value in {
        "gpg.format": "ssh",
        "user.signingkey": f"{key}.pub",
        "gpg.ssh.allowedSignersFile": str(signers),
        "commit.gpgSign": "true",
        "log.showSignature": "true",
    }.items():
        git(root, "config", name, value)
    one = commit(root, "one")
    two = commit(root, "two")
    assert "signature for ann@laptop" in git(root, "log", "-1", "--format=%H")
    assert read_source(root, ignore).commit == two
    assert [found.subject for found in log_between(root, one, two)] == ["two"]


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://git.test/shop.git", "https://git.test/shop.git"),
        ("https://ann:pw@git.test:8443/shop.git", "https://git.test:8443/shop.git"),
        ("https://token@git.test/a@b", "https://git.test/a@b"),
        ("https://git.test/shop?token=pw", "https://git.test/shop"),
        ("https://a:p@ss@git.test/x", "https://git.test/x"),
        ("git@git.test:shop.git", "git@git.test:shop.git"),
        ("ann:pw@git.test:shop.git", "ann@git.test:shop.git"),
        ("/srv/shop.git", "/srv/shop.git"),
        ("", ""),
    ],
)
def test_an_address_is_kept_without_what_lets_somebody_in(url: str, clean: str) -> None:
    """In whichever form it is written."""
    assert without_credentials(url) == clean


def test_files_that_are_not_as_committed_are_named(root: Path) -> None:
    """Changed or new, of those that are asked for."""
    (root / "environments").mkdir()
    (root / "environments/config.toml").write_text("1")
    git(root, "add", "--all")
    commit(root, "one")
    (root / "app").write_text("2")
    assert uncommitted(root, [root / "environments"]) == ()
    (root / "environments/config.toml").write_text("2")
    (root / "environments/new").write_text("1")
    names = ("environments/config.toml", "environments/new")
    assert uncommitted(root, [root / "environments", root / "missing"]) == names
