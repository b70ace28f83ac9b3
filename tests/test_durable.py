"""A file is there whole or not at all, and a write that fails leaves nothing behind."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stagekit import durable, locks
from stagekit.errors import LedgerError


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounting a file system needs root, on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("this container's root may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    """The content is there, the folders above are made, nothing else is left."""
    durable.write_file(tmp_path / "a/b/c.toml", b"content")
    assert (tmp_path / "a/b/c.toml").read_bytes() == b"content"
    assert everything(tmp_path) == ["a", "a/b", "a/b/c.toml"]


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A reader sees the old content or the new one, never a part."""
    path = tmp_path / "file"
    contents = {bytes([letter]) * 200_000 for letter in b"abc"}
    durable.write_file(path, min(contents))
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        for content in sorted(contents):
            durable.write_file(path, content)
    done.set()
    reader.join()
    assert seen <= contents
    assert everything(tmp_path) == ["file"]


def test_the_mode_is_the_one_asked_for(tmp_path: Path) -> None:
    """A private file is never readable for others, not even for a moment."""
    durable.write_file(tmp_path / "private", b"x", mode=0o600)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    """Files in folders below included; and the answer is yes."""
    assert durable.write_folder(tmp_path / "env/v1", {"a": b"1", "files/x/b": b"2"})
    assert everything(tmp_path) == [
        *("env", "env/v1", "env/v1/a", "env/v1/files", "env/v1/files/x", "env/v1/files/x/b"),
    ]


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    """Who comes second gets a no, and what stands there stands."""
    assert durable.write_folder(tmp_path / "v1", {"a": b"first"})
    assert not durable.write_folder(tmp_path / "v1", {"a": b"second", "b": b""})
    assert everything(tmp_path) == ["v1", "v1/a"]
    assert (tmp_path / "v1/a").read_bytes() == b"first"


def test_of_many_writers_of_one_folder_one_wins(tmp_path: Path) -> None:
    """Threads that race for a name: exactly one is told yes, and its files are the ones there."""
    won: list[int] = []
    gate = threading.Barrier(8)

    def write(number: int) -> None:
        gate.wait()
        if durable.write_folder(tmp_path / "v1", {"n": str(number).encode()}):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (tmp_path / "v1/n").read_bytes() == str(won[0]).encode()
    assert everything(tmp_path) == ["v1", "v1/n"]


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    """Who comes second gets a no, and nothing is left of the attempt."""
    path = tmp_path / "a/v1.cancelled.toml"
    assert durable.write_new_file(path, b"first")
    assert not durable.write_new_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert everything(tmp_path) == ["a", "a/v1.cancelled.toml"]


def test_a_folder_goes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is free before its first file goes; what an earlier attempt left goes too."""
    folder, hidden = tmp_path / "v1", tmp_path / ".gone"
    durable.write_folder(folder, {"a": b"", "b/c": b""})
    durable.write_folder(hidden, {"left": b""})
    unlink = os.unlink
    there: list[bool] = []

    def look(name: str, *, dir_fd: int | None = None) -> None:
        there.append(folder.exists() and name != "left")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", look)
    durable.remove_folder(folder, hidden)
    assert there == [False, False, False]
    assert everything(tmp_path) == []
    durable.remove_folder(folder, hidden)


def test_a_full_disk_leaves_nothing_and_says_so(small_disk: Path) -> None:
    """A file that does not fit: the old one stands, no scrap is left, the hint says what to do."""
    durable.write_file(small_disk / "record", b"old")
    for write in (
        lambda: durable.write_file(small_disk / "record", b"x" * 100_000),
        lambda: durable.write_folder(small_disk / "v1", {"a": b"1", "b": b"x" * 100_000}),
    ):
        with pytest.raises(LedgerError, match="no space left") as caught:
            write()
        assert "free some space" in str(caught.value.hint)
    assert everything(small_disk) == ["record"]
    assert (small_disk / "record").read_bytes() == b"old"


def test_a_folder_that_cannot_be_one_is_an_error_with_its_path(tmp_path: Path) -> None:
    """A file where a folder should be: one line that names the path."""
    (tmp_path / "runs").write_text("a file")
    for write in (
        lambda: durable.write_file(tmp_path / "runs/1.toml", b""),
        lambda: durable.write_folder(tmp_path / "runs/v1", {"a": b""}),
    ):
        with pytest.raises(LedgerError, match="cannot write") as caught:
            write()
        assert str(caught.value.where).startswith(str(tmp_path / "runs"))
    assert everything(tmp_path) == ["runs"]


def test_a_write_that_is_interrupted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two bytes: the temporary file goes, the old content stays."""
    durable.write_file(tmp_path / "record", b"old")

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        durable.write_file(tmp_path / "record", b"new")
    with pytest.raises(KeyboardInterrupt):
        durable.write_folder(tmp_path / "v1", {"a": b""})
    assert everything(tmp_path) == ["record"]
    assert (tmp_path / "record").read_bytes() == b"old"


def test_a_write_is_on_disk_before_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync of the content, then the rename, then fsync of the folder: in this order."""
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        calls.append("fsync folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "fsync")
        fsync(descriptor)

    def note_replace(path: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    durable.write_file(tmp_path / "record", b"new")
    assert calls == ["fsync", "rename", "fsync folder"]


def test_a_read_only_place_is_an_error(tmp_path: Path) -> None:
    """Where this user may not write, the hint speaks of owner and mode."""
    if os.geteuid() == 0:  # root may write everywhere: become nobody, in a process of its own
        tmp_path.chmod(0o755)
        code = _as_nobody(tmp_path / "record")
        assert code == 0
        return
    tmp_path.chmod(0o500)
    with suppress(OSError), pytest.raises(LedgerError, match="permission denied"):
        durable.write_file(tmp_path / "record", b"")


def _as_nobody(path: Path) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.seteuid(65534)
        try:
            durable.write_file(path, b"")
        except LedgerError as error:
            os._exit(0 if "change the owner" in str(error.hint) else 2)
        os._exit(3)
    finally:
        os._exit(4)


def lock_folder(path: Path) -> None:
    with locks.locked(path):
        pass


@pytest.mark.parametrize(("lock", "name"), [(lock_folder, "."), (locks.try_lock, "lock")])
def test_a_file_system_without_locks_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Callable[[Path], object], name: str
) -> None:
    """On NFS a folder, which cannot be opened for writing, is not to be locked."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LedgerError, match="cannot be locked: bad file descriptor") as caught:
        lock(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
    assert caught.value.hint == "keep it on a file system with locks"
