"""What killed writers leave: nothing, or what the next write in that folder takes away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stagekit import alive, durable, temporary

_WRITER = """
import os, signal, sys, time
from pathlib import Path
from stagekit import durable
from stagekit.ledger.journal import Journal

folder, what, then = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def reached(*_):
    print("here", flush=True)
    os.kill(os.getpid(), signal.SIGKILL) if then == "dies" else time.sleep(600)

os.fsync = reached
if what == "named":
    durable._NAMELESS = 0
match what:
    case "file": durable.write_file(folder / "record", b"half", mode=0o600)
    case "new" | "named": durable.write_new_file(folder / "key", b"half", mode=0o600)
    case "folder": durable.write_folder(folder / "v1", {"a/b": b"half"})
    case "journal": Journal.claim(folder / "b1.journal", {"id": "b1"})
"""


@contextmanager
def writer(folder: Path, what: str, then: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has written, and is just about to make that durable."""
    argv = [sys.executable, "-c", _WRITER, str(folder), what, then]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        yield process
        process.kill()


def write_elsewhere(folder: Path) -> None:
    """Write something else there, as the next command does."""
    code = "import sys; from pathlib import Path; from stagekit import durable; "
    code += "durable.write_file(Path(sys.argv[1]) / 'other', b'')"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if temporary.is_temporary(path)]


@pytest.mark.parametrize("what", ["file", "named", "folder", "journal"])
def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path, what: str) -> None:
    """Whatever it was about to write, and whatever is written then."""
    with writer(tmp_path, what, "dies") as process:
        process.wait()
    assert len(left_in(tmp_path)) == 1
    write_elsewhere(tmp_path)
    assert left_in(tmp_path) == []


def test_a_new_file_that_is_not_whole_has_no_name(tmp_path: Path) -> None:
    """So that no half private key is left beside the place where it was to be."""
    with writer(tmp_path, "new", "dies") as process:
        process.wait()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_a_living_writer_works_on_stays(tmp_path: Path, what: str) -> None:
    """Until that one is gone, however long it takes."""
    with writer(tmp_path, what, "waits") as process:
        [left] = left_in(tmp_path)
        os.utime(tmp_path / left, times=(0, 0))
        write_elsewhere(tmp_path)
        assert left_in(tmp_path) == [left]
        process.kill()
        process.wait()
    write_elsewhere(tmp_path)
    assert left_in(tmp_path) == []


def test_a_number_that_another_process_has_now_is_no_life(tmp_path: Path) -> None:
    """A writer is its number and when it started."""
    name = temporary.beside(tmp_path / "record").name
    started = alive.start_time(os.getpid())
    (tmp_path / name.replace(f"-{started}-", "-1-")).touch()
    (tmp_path / name).touch()
    temporary.sweep(tmp_path)
    assert left_in(tmp_path) == [name]


def test_what_another_machine_left_goes_after_a_day(tmp_path: Path) -> None:
    """Whether its writer lives cannot be told from here. What is another program's is left."""
    young, old = (tmp_path / f".tmp-record-{'a' * 8}-1-1-0000000{n}" for n in (0, 1))
    others = [tmp_path / name for name in (".tmp-record", ".tmp-0a1b2c3d", "tmp-1-1-1")]
    for path in (young, old, *others):
        path.touch()
        os.utime(path, times=(time.time() - 90_000,) * 2)
    os.utime(young)
    temporary.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([young, *others])


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    """What stands in such a place leads nowhere else."""
    kept = durable.write_folder(tmp_path / "kept", {"file": b""})
    left = tmp_path / f".tmp-record-{'a' * 8}-1-1-00000000"
    left.symlink_to(tmp_path / "kept")
    os.utime(left, times=(0, 0), follow_symlinks=False)
    temporary.sweep(tmp_path)
    assert kept
    assert (tmp_path / "kept/file").exists()
    assert not left.is_symlink()


def test_a_name_is_never_too_long(tmp_path: Path) -> None:
    """A file may have the longest name that there is; letters of several bytes included."""
    for name in ("x" * 255, "ä" * 127):
        durable.write_file(tmp_path / name, b"")
        assert (tmp_path / name).exists()
        assert temporary.beside(tmp_path / name) != temporary.beside(tmp_path / name)
