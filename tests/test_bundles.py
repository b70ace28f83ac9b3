"""A packed release: the same parts make the same file, and what was changed on the way is found."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stagekit import digest
from stagekit.cancel import Cancel
from stagekit.errors import InputError, LedgerError, RunFailed, StagekitError
from stagekit.events import ignore
from stagekit.images import ImageFacts
from stagekit.ledger.bundles import Bundles, opened
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.bundling import pack, take_up
from stagekit.pipeline.run.bundled import knowing
from stagekit.records import Pin
from stagekit.testing.engine import FakeEngine
from stagekit.testing.records import a_build, a_release

PIN = f"r.test/web@sha256:{'1' * 64}"
IMAGE = f"sha256:{'2' * 64}"
COMPOSE = f'services:\n  web:\n    image: "{PIN}"\n'.encode()


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """Has prod/v1, of build b1."""
    ledger = FileLedger(tmp_path / "there")
    build = ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    files = {"compose.yaml": COMPOSE, "variables.toml": b"", "files/ab/logo": b"\x89PNG"}
    release = a_release(
        "prod",
        build=build.link,
        pins={"web": Pin(asked="web", pinned=PIN, kind="digest")},
        content_digest=digest.of_tree(files),
        files=digest.of_files(files),
    )
    ledger.add_release(release, files)
    return ledger


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.images[PIN] = engine.images[IMAGE] = ImageFacts(id=IMAGE, size=7, digests=(PIN,))
    return engine


def packed(ledger: FileLedger, path: Path, engine: FakeEngine | None = None) -> Path:
    parts = {"engine": engine, "actor": "ann", "emit": ignore, "cancel": Cancel()}
    pack(ledger, "prod", "v1", path, **parts)  # type: ignore[arg-type]
    return path


def test_a_bundle_goes_into_a_folder_that_is_not_there_yet(
    ledger: FileLedger, tmp_path: Path
) -> None:
    """It is made, as for everything that is written."""
    assert packed(ledger, tmp_path / "new/v1.tar").is_file()


def test_what_a_killed_packing_left_goes_with_a_later_one(
    ledger: FileLedger, tmp_path: Path
) -> None:
    """Whole images lie in it."""
    left = tmp_path / f".tmp-v1.tar-{'a' * 8}-1-1-00000000"
    left.mkdir()
    (left / "0.tar").write_bytes(b"half an image")
    os.utime(left, times=(0, 0))
    packed(ledger, tmp_path / "v1.tar")
    assert not left.exists()


def taken_up(path: Path, ledger: FileLedger, engine: FakeEngine) -> None:
    take_up(path, ledger, engine=engine, emit=ignore, cancel=Cancel())


def test_what_is_packed_is_taken_up_byte_for_byte(ledger: FileLedger, tmp_path: Path) -> None:
    """Release and build are among the records of the other machine; a second time changes
    nothing."""
    path, here = packed(ledger, tmp_path / "v1.tar"), FileLedger(tmp_path / "here")
    for _ in range(2):
        taken_up(path, here, FakeEngine())
    assert here.release("prod", "v1") == ledger.release("prod", "v1")
    assert here.release_files("prod", "v1") == ledger.release_files("prod", "v1")
    assert here.build("b1") == ledger.build("b1")
    assert Bundles(here).images() == {}


def test_images_travel_by_their_ids(ledger: FileLedger, engine: FakeEngine, tmp_path: Path) -> None:
    """One that the engine has is not loaded again; its name keeps it from being pruned."""
    path, here = packed(ledger, tmp_path / "v1.tar", engine), FileLedger(tmp_path / "here")
    taken_up(path, here, engine)
    assert Bundles(here).images() == {PIN: IMAGE}
    assert ("tag", "stagekit/bundled:222222222222") in engine.calls
    assert not [call for call in engine.calls if call[0] == "load"]


def test_an_image_of_another_id_is_refused(
    ledger: FileLedger, engine: FakeEngine, tmp_path: Path
) -> None:
    """Nothing would prove that it is the one: nothing is taken up."""

    class Renaming(FakeEngine):
        def load(self, archive: Path, *, cancel: Cancel) -> None: ...

    path, here = packed(ledger, tmp_path / "v1.tar", engine), FileLedger(tmp_path / "here")
    with pytest.raises(RunFailed, match="has another id on this engine"):
        taken_up(path, here, Renaming())
    assert here.environments() == []


def test_an_engine_that_loaded_an_image_knows_its_pin(engine: FakeEngine) -> None:
    """By the id, and only by that: a pin of something else stays unknown."""
    del engine.images[PIN]
    engine.images[IMAGE] = ImageFacts(id=IMAGE, size=7)
    known = knowing(engine, {PIN: IMAGE})
    assert known.image(PIN) == ImageFacts(id=IMAGE, size=7, digests=(PIN,))
    assert known.image(PIN.replace("web", "api")) is None
    assert knowing(engine, {}) is engine


def test_another_release_of_that_id_is_not_replaced(ledger: FileLedger, tmp_path: Path) -> None:
    """Whatever was run there from it can still be told."""
    path, here = packed(ledger, tmp_path / "v1.tar"), FileLedger(tmp_path / "here")
    here.add_release(a_release("prod", message="another"), {"compose.yaml": COMPOSE})
    with pytest.raises(InputError, match="another release prod/v1 here"):
        taken_up(path, here, FakeEngine())


def rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    """A copy of a bundle, each member changed."""
    target = path.with_name("changed.tar")
    with tarfile.open(path) as old, tarfile.open(target, "w") as new:
        for member in old:
            file = old.extractfile(member)
            assert file
            name, data = change(member.name, file.read())
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return target


@pytest.mark.parametrize(
    "change",
    [
        lambda name, data: (name, data.replace(b"web", b"wab") if "compose" in name else data),
        lambda name, data: (name, data.replace(b"ann", b"bob") if "release.toml" in name else data),
        lambda name, data: (name, data.replace(b"ann", b"bob")),
        lambda name, data: (name.replace("release/compose", "release/../../compose"), data),
        lambda name, data: (name.replace("build.toml", "release/more"), data),
        lambda name, data: (name.replace("build.toml", "/etc/passwd"), data),
        lambda name, data: (name.replace("bundle.toml", "images/x.tar"), data),
    ],
)
def test_a_bundle_that_was_changed_is_refused(
    ledger: FileLedger, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes]]
) -> None:
    """A file of the release, a record, a path that leads elsewhere: nothing is taken up."""
    path, here = packed(ledger, tmp_path / "v1.tar"), FileLedger(tmp_path / "here")
    with pytest.raises(StagekitError):
        taken_up(rewritten(path, change), here, FakeEngine())
    assert not (tmp_path / "here").exists()
    assert not list(tmp_path.glob("*compose*"))


def test_a_link_in_a_bundle_is_refused(ledger: FileLedger, tmp_path: Path) -> None:
    """What it leads to could be anything."""
    path = packed(ledger, tmp_path / "v1.tar")
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("release/files")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    with pytest.raises(LedgerError, match="has no place in a bundle"), opened(path):
        pass


@pytest.mark.parametrize("data", [b"", b"no tar", b"\x1f\x8b" + b"\0" * 600])
def test_what_is_no_bundle_is_refused(tmp_path: Path, data: bytes) -> None:
    """In a line, with what makes one."""
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    with pytest.raises(StagekitError), opened(path):
        pass


def test_a_bundle_that_was_cut_is_refused(ledger: FileLedger, tmp_path: Path) -> None:
    """As a copy that did not end."""
    path = packed(ledger, tmp_path / "v1.tar")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(StagekitError), opened(path):
        pass
