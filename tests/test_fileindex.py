"""The index of files: what it knows is true, and what it does not know it reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs import fileindex
from stagekit.inputs.fileindex import FileIndex, text_of

LONG_AGO = 1_000_000_000


class Folder:
    """A folder with an index, and the files that were read for it."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root / "source"
        self.root.mkdir()
        self.index = root / "cache/web.index"
        self.read: list[str] = []
        original = Path.open

        def noted(path: Path, *args: object, **more: object) -> object:
            if path.is_relative_to(self.root):
                self.read.append(path.name)
            return original(path, *args, **more)  # type: ignore[call-overload]

        patch.setattr(Path, "open", noted)

    def write(self, name: str, text: str, *, age: float = LONG_AGO) -> Path:
        path = self.root / name
        path.write_text(text)
        self.made(path, age)
        return path

    def made(self, path: Path, age: float = LONG_AGO) -> None:
        """Say that it was last written ``age`` seconds ago."""
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))

    def look(self, rules: str = "") -> dict[str, str]:
        """Describe every file and say which were read for that."""
        self.read.clear()
        index = FileIndex(self.index, rules)
        with os.scandir(self.root) as entries:
            found = {entry.name: index.describe(entry.name, entry) for entry in entries}
        index.save()
        return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(fileindex, "_MARGIN", -10_000_000_000)  # whatever is written is old
    return Folder(tmp_path, monkeypatch)


def test_what_did_not_change_is_not_read_again(folder: Folder) -> None:
    """The second look opens no file and says the same."""
    folder.write("a", "1")
    folder.write("b", "2")
    first = folder.look()
    assert sorted(folder.read) == ["a", "b"]
    assert folder.look() == first
    assert folder.read == []


@pytest.mark.parametrize("change", ["content", "size", "mtime", "inode", "ctime"])
def test_any_trace_of_a_change_is_followed(folder: Folder, change: str) -> None:
    """One of its times, its size, its inode: it is read."""
    path = folder.write("a", "1")
    folder.write("b", "2")
    first, seen = folder.look(), path.stat()
    if change == "inode":
        folder.write("new", "3").replace(path)
    elif change == "mtime":
        os.utime(path, (1, 1))
    elif change == "ctime":  # written, and its mtime put back
        path.write_text("3")
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    else:
        path.write_text("3" if change == "content" else "333")
    second = folder.look()
    assert folder.read == ["a"]
    assert (second["a"] == first["a"]) == (change == "mtime")
    assert second["b"] == first["b"]


def test_what_was_written_a_moment_before_is_read_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been written again within the same tick of the clock (git's racy entries)."""
    monkeypatch.setattr(fileindex, "_MARGIN", 2_000_000_000)
    folder.write("a", "1")
    folder.look()
    folder.look()
    assert folder.read == ["a"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", "cut", "flipped"])
def test_a_damaged_index_means_reading_again(folder: Folder, damage: bytes | str) -> None:
    """Never a wrong answer, and never an error."""
    folder.write("a", "1")
    first = folder.look()
    data = bytearray(folder.index.read_bytes())
    if damage == "flipped":
        data[-3] ^= 0xFF
    folder.index.write_bytes(
        damage if isinstance(damage, bytes) else bytes(data[:-2] if damage == "cut" else data)
    )
    assert folder.look() == first
    assert folder.read == ["a"]


def test_an_index_of_another_format_is_not_read(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later stagekit's is none of ours."""
    folder.write("a", "1")
    folder.look()
    monkeypatch.setattr(fileindex, "_FORMAT", 99)
    folder.look()
    assert folder.read == ["a"]


def test_an_index_that_cannot_be_kept_is_no_failure(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next look reads again."""
    folder.write("a", "1")
    folder.index.parent.write_text("a file where the folder should be")
    first = folder.look()
    assert folder.look() == first
    assert folder.read == ["a"]


def test_an_index_is_only_written_when_there_is_something_new(folder: Folder) -> None:
    """A look that found nothing writes nothing."""
    folder.write("a", "1")
    folder.look()
    before = folder.index.stat().st_ino
    folder.look()
    assert folder.index.stat().st_ino == before


def test_verdicts_hold_for_the_rules_they_were_made_by(tmp_path: Path) -> None:
    """Another .dockerignore asks again."""
    path = tmp_path / "x.index"
    index = FileIndex(path, "one")
    index.verdicts["a"] = True
    index.save()
    assert FileIndex(path, "one").verdicts == {"a": True}
    assert FileIndex(path, "two").verdicts == {}


def test_a_file_is_its_type_its_mode_and_its_content(folder: Folder) -> None:
    """A link is where it points, a folder its mode."""
    folder.write("a", "1").chmod(0o755)
    (folder.root / "link").symlink_to("a")
    (folder.root / "folder").mkdir(mode=0o700)
    os.mkfifo(folder.root / "pipe", 0o600)
    found = folder.look()
    assert found["a"].startswith(f"{stat.S_IFREG | 0o755:o} ")
    assert len(found["a"]) == len("100755 ") + 64
    assert found["link"] == "120777 a"
    assert found["folder"] == "40700"
    assert found["pipe"] == "10600"


def test_a_file_that_cannot_be_read_is_named(folder: Folder) -> None:
    """With its path and the reason."""
    path = folder.write("a", "1")
    index = FileIndex(folder.index, "")
    with os.scandir(folder.root) as entries:
        [entry] = entries
        path.unlink()
        with pytest.raises(InputError, match="cannot be read: no such file") as caught:
            index.describe("a", entry)
    assert caught.value.where == str(path)


def test_a_name_that_is_no_text_is_still_a_name() -> None:
    """Names are bytes: two of them stay two."""
    names = [os.fsdecode(b"a\xff"), os.fsdecode(b"a\xfe"), "a"]
    assert len({text_of(name) for name in names}) == 3
    for name in names:
        text_of(name).encode()


def test_the_clock_is_the_file_systems(tmp_path: Path) -> None:
    """And leaves no file behind."""
    FileIndex(tmp_path / "cache/x.index", "")
    assert list((tmp_path / "cache").iterdir()) == []
