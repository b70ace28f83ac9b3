"""Digests agree with sha256sum, so that a release can be checked without stagekit."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from stagekit.digest import is_digest, of_bytes, of_tree


def sha256sum(root: Path, names: list[str]) -> str:
    """``sha256sum NAMES | sha256sum`` as the real program prints it."""
    listing = subprocess.run(
        ["sha256sum", "--", *names], cwd=root, capture_output=True, check=True
    ).stdout
    total = subprocess.run(["sha256sum"], input=listing, capture_output=True, check=True).stdout
    return "sha256:" + total.decode().split()[0]


@pytest.mark.parametrize(
    "names",
    [
        ["compose.yaml", "variables.toml"],
        ["b", "a", "B", "a.b", "a-b", "d/b", "ä", "a b", "z\N{GRINNING FACE}", "\uffee"],
        ["back\\slash", "line\nend", "plain"],
        [" leading", "*star", "\\n"],
    ],
)
def test_a_tree_has_the_digest_that_sha256sum_gives(tmp_path: Path, names: list[str]) -> None:
    """``sha256sum FILES | sha256sum``, in the byte order of the names, is the content digest."""
    files = {name: f"content of {name}".encode() for name in names}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert of_tree(files) == sha256sum(tmp_path, sorted(names, key=str.encode))


def test_a_tree_tells_every_change_apart() -> None:
    """Another byte, another name, one file more or less: another digest."""
    trees = [
        {"a": b"1"},
        {"a": b"2"},
        {"b": b"1"},
        {"a": b"1", "b": b""},
        {},
        {"a": b"1\n"},
        {"a/b": b"1"},
    ]
    assert len({of_tree(tree) for tree in trees}) == len(trees)


def test_the_order_of_the_files_does_not_matter() -> None:
    """A tree is a set of files."""
    assert of_tree({"a": b"1", "b": b"2"}) == of_tree({"b": b"2", "a": b"1"})


def test_a_digest_is_written_as_oci_writes_it() -> None:
    """``sha256:`` and 64 hex digits."""
    assert of_bytes(b"x") == "sha256:" + hashlib.sha256(b"x").hexdigest()
    assert is_digest(of_bytes(b"x"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 65,
        "sha256:" + "A" * 64,
        "sha512:" + "0" * 64,
        "0" * 64,
        "sha256:" + "0" * 64 + "\n",
        "x@sha256:" + "0" * 64,
    ],
)
def test_anything_else_is_no_digest(text: str) -> None:
    """Malformed ones that Compose would accept are told apart, not even a line's end passes."""
    assert not is_digest(text)
