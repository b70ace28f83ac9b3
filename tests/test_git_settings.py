"""The settings of a user's own git: what gets it in is used, and what changes its words is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.ledger.git.program import Git
from stagekit.testing.records import released
from tests.machines import Team, git


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path)
    git("init", "--quiet", "--bare", team.remote)
    return team


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the user's settings."""
    path = tmp_path / "gitconfig"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    for name in ("GIT_SSH_COMMAND", "GIT_SSH"):
        monkeypatch.delenv(name, raising=False)
    return path


def test_the_words_of_an_entry_are_read_as_they_were_written(team: Team, settings: Path) -> None:
    """Whatever encoding a log is shown in, and whatever is shown with it."""
    released(team.ledger("ann"), message="für alle")
    settings.write_text(
        "[i18n]\n\tlogOutputEncoding = ISO-8859-1\n\tcommitEncoding = ISO-8859-1\n"
        "[log]\n\tshowSignature = true\n\tdate = relative\n\tdecorate = full\n"
        "[color]\n\tui = always\n"
    )
    assert team.ledger("bob").releases("prod") == ["v1"]
    released(team.ledger("bob"), message="für alle")
    assert team.ledger("ann").releases("prod") == ["v2", "v1"]
    assert team.ledger("ann").exchange.shared.check_history() == 2


def an_ssh(path: Path) -> Path:
    """A program that writes down what it was called with, and gets nowhere."""
    path.write_text('#!/bin/sh\necho "${0##*/} $*" >> "${0%/*}/called"\nexit 1\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "set"),
        ({"GIT_SSH": "other one"}, "set"),
        ({"GIT_SSH_COMMAND": "third"}, "third"),
    ],
)
def test_git_gets_in_by_the_ssh_that_is_set(
    tmp_path: Path, settings: Path, environ: dict[str, str], expected: str
) -> None:
    """As by hand: a variable's before the setting's, and the setting's before a program's; and
    none of them asks."""
    for name in ("set", "other one", "third"):
        an_ssh(tmp_path / name)
    settings.write_text(f"[core]\n\tsshCommand = {tmp_path}/set -v\n")
    paths = {name: str(tmp_path / value) for name, value in environ.items()}
    Git(tmp_path / "git", {**os.environ, **paths}, Cancel()).exchange("ls-remote", "git@host:x")
    name, *words = (tmp_path / "called").read_text().split()
    assert name == expected
    assert "BatchMode=yes" in words
    assert ("-v" in words) == (expected == "set")


def test_git_gets_in_by_a_program_whose_path_has_a_space(tmp_path: Path, settings: Path) -> None:
    """GIT_SSH names a program, and no command of a shell's."""
    program = an_ssh(tmp_path / "other one")
    settings.write_text("")
    environ = {**os.environ, "GIT_SSH": str(program)}
    Git(tmp_path / "git", environ, Cancel()).exchange("ls-remote", "git@host:x")
    assert (tmp_path / "called").read_text().startswith("other one ")
