"""A bundle is a file from elsewhere: what no bundle has is refused before anything is written."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import StagekitError
from stagekit.events import ignore
from stagekit.ledger import bundles
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.bundling import take_up
from stagekit.testing.engine import FakeEngine
from tests.fuzz.targets import targets

Change = Callable[[tarfile.TarFile], None]


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """One that is as it should be."""
    return targets(tmp_path)["bundle"].seeds[0]


def member(name: str, data: bytes = b"x", **facts: object) -> Change:
    """Add one."""

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for key, value in facts.items():
            setattr(info, key, value)
        tar.addfile(info, io.BytesIO(data))

    return add


def sized(name: str, size: str, **headers: str) -> Change:
    """Add one that says another size than it has."""
    return member(name, b"", pax_headers={"size": size, **headers})


STRANGE: dict[str, Change] = {
    "a link": member("release/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a link out": member("release/x", type=tarfile.SYMTYPE, linkname="../../x"),
    "a hard link": member("release/x", type=tarfile.LNKTYPE, linkname="bundle.toml"),
    "a device": member("release/x", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
    "a pipe": member("release/x", type=tarfile.FIFOTYPE),
    "a folder": member("release/x", b"", type=tarfile.DIRTYPE),
    "dots": member("release/../../evil"),
    "dots in an image's place": member("images/../evil.tar"),
    "absolute": member("/evil"),
    "absolute below": member("release//evil"),
    "a dot": member("release/./evil"),
    "NUL": member("x", pax_headers={"path": "release/a\0b"}),
    "another name": member("evil"),
    "an image that is none": member("images/evil.tar"),
    "a negative size": sized("release/x", "-1"),
    "a size that leads back": sized("release/x", "-1536"),
    "more than there is": sized("release/x", "99999"),
    "more than anybody has": sized("release/x", "9" * 30),
    "no number": sized("release/x", "many"),
    "a hole": sized(
        "release/x",
        "0",
        **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 12},
    ),
    "an old hole": member("release/x", b"", type=tarfile.GNUTYPE_SPARSE),
    "a file in a file": member("release/compose.yaml/x"),
    "a second record": member("bundle.toml"),
    "a second release": member("release/release.toml"),
    "a long name": member("release/" + "y" * 300),
    "a path without end": member("release/" + "y/" * 3000 + "y"),
    "many": lambda tar: [member(f"release/{n}", b"")(tar) for n in range(10_100)] and None,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_no_bundle_has(whole: bytes, tmp_path: Path, kind: str) -> None:
    """Refused, and nothing of the bundle is anywhere."""
    path = tmp_path / "bundle.tar"
    path.write_bytes(whole)
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as tar:
        STRANGE[kind](tar)
    here, engine = FileLedger(tmp_path / "here"), FakeEngine()
    with pytest.raises(StagekitError) as caught:
        take_up(path, here, engine=engine, emit=ignore, cancel=Cancel())
    assert str(path) in str(caught.value.where)
    assert not here.root.exists() or not any(here.root.rglob("*.toml"))
    assert not list(tmp_path.rglob("evil*"))
    assert not engine.calls


def test_more_than_fits(whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is read into memory is counted together."""
    monkeypatch.setattr(bundles, "_LIMIT", 10_000)
    path = tmp_path / "bundle.tar"
    path.write_bytes(whole)
    with tarfile.open(path, "a") as tar:
        for number in range(20):
            member(f"release/{number}", bytes(1000))(tar)
    with pytest.raises(StagekitError, match="more in it than in any bundle"):
        take_up(
            path, FileLedger(tmp_path / "here"), engine=FakeEngine(), emit=ignore, cancel=Cancel()
        )


def test_only_its_owner_reads_a_bundle(whole: bytes, tmp_path: Path) -> None:
    """Images may hold what is nobody else's business; `docker save` does the same."""
    before = os.umask(0)
    try:
        targets(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "seed.tar").stat().st_mode) == 0o600
