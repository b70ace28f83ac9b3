"""What the engine's own builder is sent: a context as an archive."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from stagekit.engine.context import archive
from stagekit.images import ImageSpec

LATIN = b"# caf\xe9\nFROM scratch\n"


def sent(root: Path, files: dict[str, bytes], dockerfile: str = "Dockerfile") -> dict[str, bytes]:
    """What travels of a context: content by name, the Dockerfile's as ``dockerfile``."""
    for name, data in files.items():
        (root / name).write_bytes(data)
    spec = ImageSpec(
        name="web", context=root, dockerfile=root / dockerfile, repositories=("web",), tags=("1",)
    )
    with archive(spec) as (packed, named), tarfile.open(fileobj=packed) as tar:
        assert len(tar.getnames()) == len(set(tar.getnames()))
        content = {item.name: tar.extractfile(item) for item in tar}
        found = {name: data.read() for name, data in content.items() if data}
    return {**found, "dockerfile": found[named]}


@pytest.mark.parametrize("ignore", [b"Dockerfile\n", b"# \xe9\nDockerfile\n", b"*\n"])
def test_a_dockerfile_that_does_not_travel_is_sent_apart(tmp_path: Path, ignore: bytes) -> None:
    """Byte for byte, in whichever encoding, beside what stays behind; the engine drops it again."""
    found = sent(tmp_path, {"Dockerfile": LATIN, ".dockerignore": ignore, "app": b"1"})
    apart = ".dockerfile.stagekit"
    assert found["dockerfile"] == found[apart] == LATIN
    assert "Dockerfile" not in found
    assert found[".dockerignore"].split(b"\n")[-2:] == [apart.encode(), b""]
    assert (ignore in found[".dockerignore"], "app" in found) == ((ignore != b"*\n"),) * 2


def test_a_dockerfile_that_travels_is_part_of_it(tmp_path: Path) -> None:
    """Nothing else is added."""
    found = sent(tmp_path, {"Dockerfile": LATIN, "app": b"1"})
    assert found == {"Dockerfile": LATIN, "app": b"1", "dockerfile": LATIN}
