"""stagekit's own folder on this machine, and what it keeps there of processes it started."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.engine.daemon import Daemon
from stagekit.engine.home import make_home, read_state, write_state
from stagekit.errors import EngineError, StagekitError

STATE = Daemon(pid=42, started="1000")


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    """A later command finds the process that an earlier one started."""
    path = tmp_path / "engine.toml"
    write_state(path, STATE)
    assert read_state(path, Daemon) == STATE
    write_state(path, Daemon(pid=43, started="2000"))
    assert read_state(path, Daemon) == Daemon(pid=43, started="2000")


def test_the_folder_and_what_is_in_it_are_its_owners_alone(tmp_path: Path) -> None:
    """Who reaches the engine's socket is root; a folder that was open is closed."""
    folder = tmp_path / "deep/home"
    folder.mkdir(parents=True, mode=0o777)
    make_home(folder)
    write_state(folder / "engine.toml", STATE)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "engine.toml").stat().st_mode & 0o777 == 0o600
    make_home(tmp_path / "not/there/yet")
    assert (tmp_path / "not/there/yet").is_dir()


def test_where_nothing_was_started_nothing_is_known(tmp_path: Path) -> None:
    """Neither a missing file nor a missing folder is an error."""
    assert read_state(tmp_path / "engine.toml", Daemon) is None
    assert read_state(tmp_path / "none/engine.toml", Daemon) is None


def test_another_users_state_is_not_ours_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who may not look is a user without an engine of this kind."""

    def refuse(_path: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert read_state(tmp_path / "engine.toml", Daemon) is None


@pytest.mark.parametrize("text", ["", "{", "pid = 'x'\nstarted = '1'\n", "\0"])
def test_a_damaged_file_is_said_with_what_to_do(tmp_path: Path, text: str) -> None:
    """It is not taken for an engine that does not run: that one would be lost."""
    path = tmp_path / "engine.toml"
    path.write_text(text)
    with pytest.raises(EngineError, match="cannot be read") as caught:
        read_state(path, Daemon)
    assert (caught.value.where, caught.value.hint) == (str(path), "remove that file")
    path.unlink()
    path.mkdir()
    with pytest.raises(EngineError, match="cannot be read"):
        read_state(path, Daemon)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """With its path."""
    (tmp_path / "file").touch()
    with pytest.raises(StagekitError) as caught:
        make_home(tmp_path / "file/home")
    assert str(caught.value.where).startswith(str(tmp_path / "file"))
