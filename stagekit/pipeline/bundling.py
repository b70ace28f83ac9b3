"""A release, packed for a machine that has neither source nor network, and taken up there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stagekit import durable, temporary
from stagekit.cancel import Cancel
from stagekit.envelope import encode
from stagekit.errors import InputError, RunFailed
from stagekit.events import Emit, step
from stagekit.ledger.bundles import Bundles, Packed, opened, unpack_image, write_bundle
from stagekit.ledger.files import FileLedger
from stagekit.ledger.releases import RELEASE_RECORD
from stagekit.ledger.sealed import file_problems
from stagekit.pipeline.cancel_release import refuse_cancelled
from stagekit.pipeline.verify import verified
from stagekit.protocols import Engine, Ledger
from stagekit.records import Bundle, Release, Stored

_KEPT_AS = "stagekit/bundled"
"""Repository under which loaded images get a name: what has none is taken for rubbish."""


def pack(
    ledger: Ledger,
    env: str,
    id: str,
    path: Path,
    *,
    engine: Engine | None,
    actor: str,
    emit: Emit,
    cancel: Cancel,
) -> Stored[Bundle]:
    """Write a release to a file, with all that a run of it needs but secrets' keys.

    Args:
        ledger: where it is.
        env: its environment.
        id: its id.
        path: the file.
        engine: where its images are taken from, pulled if they are not there; None for none.
        actor: who packs it.
        emit: told of each image.
        cancel: stops it.

    Raises:
        InputError, LedgerError: there is none, it is not what was sealed, or it was cancelled.
        RegistryError: an image is neither on the engine nor in its registry.
    """
    checked = verified(ledger, env, id)
    release = checked.release.record
    refuse_cancelled(ledger, env, release.id)
    record = (ledger.release_folder(env, release.id) / RELEASE_RECORD).read_bytes()
    with _folder_beside(path) as folder:
        pins = sorted({pin.pinned for pin in release.pins.values()}) if engine else []
        images = {pin: _image_of(pin, engine, emit, cancel) for pin in pins if engine}
        archives: dict[str, Path] = {}
        for image in sorted(set(images.values())):
            assert engine
            archives[image] = folder / f"{len(archives)}.tar"
            with step(emit, "save", image):
                engine.save(image, archives[image], cancel=cancel)
        bundle = Bundle(
            env=env,
            release=checked.release.link,
            created=datetime.now(UTC),
            actor=actor,
            images=images,
        )
        packed = Packed(
            files={**checked.files, RELEASE_RECORD: record},
            build=encode(ledger.build(release.build.id).record),
            signature=ledger.signature(env, release.id),
        )
        return write_bundle(path, bundle, packed, archives)


def take_up(
    path: Path, ledger: FileLedger, *, engine: Engine, emit: Emit, cancel: Cancel
) -> Stored[Release]:
    """Put a packed release among the records of this machine, and its images on the engine.

    Args:
        path: the bundle.
        ledger: where the records go.
        engine: where the images go.
        emit: told of each image.
        cancel: stops it.

    Raises:
        InputError: it is no bundle, or another release has its id here.
        LedgerError: it is not what was packed.
        RunFailed: an image is another one on this engine than where it was packed.
    """
    with opened(path) as (bundle, packed, tar), tempfile.TemporaryDirectory() as folder:
        release = packed.release
        files = {name: data for name, data in packed.files.items() if name != RELEASE_RECORD}
        if problems := file_problems(release.record, files):
            raise InputError(f"not what was packed: {problems[0]}", where=str(path))
        for image in sorted(set(bundle.images.values())):
            if engine.image(image) is None:
                with step(emit, "load", image):
                    archive = unpack_image(tar, image, Path(folder))
                    engine.load(archive, cancel=cancel)
                    archive.unlink()
            if engine.image(image) is None:
                raise RunFailed(
                    f"image {image} has another id on this engine, so that nothing proves that it "
                    "is the one that was released",
                    where=f"{path} on {engine.url}",
                    hint="pack it where the engine keeps images as this one does (docker info, "
                    "Storage Driver), or give this one a registry that it reaches",
                )
            engine.tag(image, f"{_KEPT_AS}:{image.removeprefix('sha256:')[:12]}")
        Bundles(ledger).take_up(bundle, packed)
        return release


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Make a folder where images have as much room as the bundle, and remove it in the end, or the
    next time where this process is killed."""
    folder = temporary.beside(path.absolute())
    with durable.writing(path):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _image_of(pin: str, engine: Engine, emit: Emit, cancel: Cancel) -> str:
    found = engine.image(pin)
    if found is None:
        with step(emit, "pull", pin):
            engine.pull(pin, emit=emit, cancel=cancel)
        found = engine.image(pin)
    if found is None:
        raise RunFailed(f"image {pin} is not on this engine", where=engine.url)
    return found.id
