"""What a secret could be in is its owner's alone, from the moment that it is there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagekit import durable, locks
from stagekit.cli.editor import edit
from stagekit.cli.identity_file import write_identity
from stagekit.engine.home import make_home, write_state
from stagekit.engine.registry import Registry
from stagekit.errors import EngineError, InputError


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    """A user whose files anybody may write to, by default."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_an_identity(tmp_path: Path) -> None:
    """It opens every secret of its environment."""
    path = tmp_path / "stagekit/shop-prod.agekey"
    write_identity(path)
    assert mode(path) == 0o600


def test_what_is_edited(tmp_path: Path) -> None:
    """Neither the file nor its folder can be looked into meanwhile; both are gone after."""
    seen = tmp_path / "seen"
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nstat -c "%a %n" "$1" "$(dirname "$1")" > {seen}\n')
    editor.chmod(0o755)
    kept = edit(
        "A = 'hunter2'\n",
        name="prod.toml",
        environ={"EDITOR": str(editor), "PATH": os.environ["PATH"]},
        check=str,
        again=lambda _error: False,
    )
    assert kept == "A = 'hunter2'\n"
    (file_mode, file), (folder_mode, folder) = map(str.split, seen.read_text().splitlines())
    assert (file_mode, folder_mode) == ("600", "700")
    assert not Path(file).exists()
    assert not Path(folder).exists()


def test_nothing_that_is_written_can_be_changed_by_others(tmp_path: Path) -> None:
    """Whatever the user's umask."""
    durable.write_file(tmp_path / "a", b"")
    durable.write_new_file(tmp_path / "b", b"")
    durable.append_line(tmp_path / "c", "")
    durable.write_folder(tmp_path / "d", {"x": b""})
    lock = locks.try_lock(tmp_path / "e")
    assert lock is not None
    os.close(lock)
    assert {mode(tmp_path / name) for name in ("a", "b", "c", "d/x", "e")} == {0o644}


def test_a_file_has_its_mode_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no moment in which others could open it."""
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(os.fstat(descriptor).st_mode))
    durable.write_file(tmp_path / "secret", b"x", mode=0o600)
    assert stat.S_IMODE(seen[0]) == 0o600


def test_the_folder_of_an_engine_of_ones_own(tmp_path: Path) -> None:
    """Who reaches the socket in it is root."""
    home = tmp_path / "a/home"
    make_home(home)
    write_state(home / "registry.toml", Registry(address="127.0.0.1:1"))
    assert (mode(home), mode(home / "registry.toml")) == (0o700, 0o600)
    home.chmod(0o777)
    make_home(home)
    assert mode(home) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("linked", [False, True])
def test_the_folder_of_another_user(tmp_path: Path, linked: bool) -> None:
    """Also one that a link leads to."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    if linked:
        (tmp_path / "link").symlink_to(home)
        home = tmp_path / "link"
    with pytest.raises(EngineError, match="the folder is user 65534's"):
        make_home(home)


def test_an_identity_is_not_written_into_the_repository(tmp_path: Path) -> None:
    """Also where a link leads there."""
    from stagekit.cli.identity_file import identity_path
    from stagekit.inputs.project import load_project

    project = load_project(tmp_path, {})
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path)
    for path in (tmp_path / "key", tmp_path.parent / f"{tmp_path.name}-link" / "key"):
        with pytest.raises(InputError, match="would be committed"):
            identity_path(project, str(path), "prod", {})
