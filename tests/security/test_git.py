"""A shared ledger is data from elsewhere: neither its address nor what is in it runs anything here,
or is written where records do not lie."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import InputError, LedgerError, StagekitError
from stagekit.ledger.git.address import Address, parse_address
from stagekit.ledger.git.entry import message, read_seal
from stagekit.ledger.git.program import Git
from stagekit.ledger.git.repository import Repository
from stagekit.testing.records import released
from tests.machines import Team, git

REFUSED = [
    *("--upload-pack=touch x", "-oProxyCommand=touch x", "git+-oProxyCommand=x:y", "-x:y"),
    *("ssh://-oProxyCommand=touch%20x/y", "ssh://a@-oProxyCommand=x/y", "a@-oProxyCommand=x:y"),
    *("ext::sh -c touch% x", "git+ext::sh", "fd::7", "ext://x", "ftp://x/y", "javascript://x"),
    *("https://ann:hunter2@host/x", "https://hunter2@host/x", "ssh://git:hunter2@host/x"),
    *("ssh://[::x/y", "a\nb", "a\0b", "a\x1b]0;x\x07", "\u202ex", "", "#x", "x" * 300),
    *("x#--force", "x#-b", "x#a..b", "x#a b", "x#a:b", "x#+a", "x#a.lock", "x#/a", "x#a@{1}"),
]


@pytest.fixture
def team(tmp_path: Path) -> Team:
    """A shared ledger with one release to prod, made on ann's machine."""
    git("init", "--bare", "--quiet", tmp_path / "remote.git")
    team = Team(tmp_path)
    released(team.ledger())
    return team


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_is_none(tmp_path: Path, text: str) -> None:
    """An option, a program, credentials, or a branch that is something else to git."""
    with pytest.raises(InputError) as caught:
        parse_address(text, tmp_path, where="ledger.url")
    assert caught.value.where == "ledger.url"


@pytest.mark.parametrize("url", ["ext::sh -c 'touch {}'", "fd::7"])
def test_no_program_is_a_remote(tmp_path: Path, url: str) -> None:
    """Whatever git's own settings allow."""
    touched = tmp_path / "touched"
    allowing = tmp_path / "gitconfig"
    allowing.write_text("[protocol]\n\tallow = always\n")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": str(allowing)}
    address = Address(url=url.format(touched), branch="x")
    repository = Repository(tmp_path / "git", address, environ, Cancel())
    with pytest.raises(StagekitError) as caught:
        repository.fetch(since=None)
    assert "not allowed" in "\n".join(caught.value.output)
    assert not touched.exists()


def test_no_hook_of_the_copy_is_run(team: Team) -> None:
    """Nor one that a template of git's puts into every repository."""
    hooks = team.folder / "template/hooks"
    hooks.mkdir(parents=True)
    touched = team.folder / "touched"
    names = ("reference-transaction", "post-checkout", "pre-push", "post-merge", "pre-auto-gc")
    for name in names:
        (hooks / name).write_text(f"#!/bin/sh\ntouch {touched}\n")
        (hooks / name).chmod(0o755)
    environ = {**os.environ, "GIT_TEMPLATE_DIR": str(hooks.parent)}
    copy = Repository(team.folder / "copy", _address(team), environ, Cancel())
    commit = copy.fetch(since=None)
    assert commit
    for name in names:
        (copy.folder / "hooks").mkdir(exist_ok=True)
        (copy.folder / "hooks" / name).write_text(f"#!/bin/sh\ntouch {touched}\n")
        (copy.folder / "hooks" / name).chmod(0o755)
    copy.accept(commit)
    assert copy.push(commit, over=commit) is None
    assert not touched.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_user_is_not_trusted(team: Team) -> None:
    """Git itself refuses to read it: its settings could name programs."""
    for path in (team.remote, *team.remote.rglob("*")):
        os.lchown(path, 65534, 65534)
    copy = Repository(team.folder / "copy", _address(team), _own_git(team.folder), Cancel())
    with pytest.raises(LedgerError) as caught:
        copy.fetch(since=None)
    assert "dubious ownership" in "\n".join(caught.value.output)


def _own_git(folder: Path) -> dict[str, str]:
    """The environment, without what this machine's settings say of whom to trust."""
    none = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return {**os.environ, **none, "HOME": str(folder)}


EVIL = {
    "an id that leads elsewhere": ("index/releases/prod/0000/00", "../../../../evil {blob}\n"),
    "an absolute id": ("index/releases/prod/0000/00", "/tmp/evil {blob}\n"),
    "an id of dots": ("index/releases/prod/0000/00", ".. {blob}\n"),
    "an option for an id": ("index/releases/prod/0000/00", "--evil {blob}\n"),
    "an id that moves a cursor": ("index/releases/prod/0000/00", "\x1b]0;x\x07 {blob}\n"),
    "an object that is an option": ("index/releases/prod/0000/00", "v9 --" + "a" * 38 + "\n"),
    "bytes": ("index/releases/prod/0000/00", "\udcff {blob}\n"),
    "an environment that leads elsewhere": ("index/releases/-x/0000/00", "v1 {blob}\n"),
    "an environment that moves a cursor": ("index/releases/\x1b]0;x\x07/0000/00", "v1 {blob}\n"),
}


@pytest.mark.parametrize("kind", EVIL)
def test_an_index_by_somebody_who_may_push(team: Team, kind: str) -> None:
    """Whoever may push can write an entry that is well-formed; what it lists is looked at."""
    path, line = EVIL[kind]
    seal = read_seal(git("log", "-1", "--format=%B", "ledger", cwd=team.remote))
    assert seal

    def change(clone: Path) -> None:
        target = clone / path
        target.parent.mkdir(parents=True, exist_ok=True)
        there = target.read_bytes() if target.exists() else b""
        target.write_bytes(there + line.format(blob="a" * 40).encode("utf-8", "surrogateescape"))

    said, _ = message("release prod/v9: x", seal, [])
    team.by_hand(change, "--message", said, "--cleanup=verbatim")
    ledger = team.ledger()
    with pytest.raises(StagekitError) as caught:
        _everything(ledger.environments, lambda: ledger.releases("prod"))
    assert caught.value.what
    assert not (team.folder / "evil").exists()


def _everything(*reads: Callable[[], object]) -> None:
    for read in reads:
        read()


def _address(team: Team) -> Address:
    return Address(url=str(team.remote), branch="ledger")


def test_git_never_asks(tmp_path: Path) -> None:
    """Neither on a terminal nor for a key: a job on a CI would wait for ever."""
    seen = tmp_path / "seen"
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$GIT_TERMINAL_PROMPT $*" > {seen}\nexit 1\n')
    ssh.chmod(0o755)
    environ = {**os.environ, "GIT_SSH_COMMAND": str(ssh)}
    Git(tmp_path / "git", environ, Cancel()).exchange("ls-remote", "git@host:x")
    prompt, *words = seen.read_text().split()
    assert prompt == "0"
    assert "BatchMode=yes" in words
    assert subprocess.list2cmdline(words).count("ProxyCommand") == 0
