"""Packed releases, taken up among the files of a ledger.

A bundle is a tar of regular files: ``bundle.toml``, the release as it was sealed in ``release/``,
the record of its build in ``build.toml``, its signature in ``signature.json`` where it has one, and
``images/<id>.tar`` where images were packed.

bundles/<env>/<id>.toml     what was taken up: whose images are known by which ids
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

from stagekit import durable, temporary
from stagekit.envelope import decode, encode
from stagekit.errors import InputError, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.ledger.names import checked_name, names_in, read_record
from stagekit.ledger.releases import RELEASE_RECORD
from stagekit.records import Build, Bundle, Part, Release, Stored

_RECORD, _BUILD, _SIGNATURE = "bundle.toml", "build.toml", "signature.json"
_RELEASE = "release/"
_IMAGE = re.compile(r"images/([0-9a-f]{64})\.tar")
_LIMIT = 256 * 2**20
"""Bytes of all that is in a bundle besides images: a release's files are at most 32 MiB."""

_MOST = 10_000
"""Files in a bundle: those of a release are at most 2,000."""

_UNREADABLE = (
    *(OSError, tarfile.TarError, EOFError),
    *(ValueError, OverflowError, MemoryError, RecursionError),  # numbers that no file could have
)
_LONGEST_REASON = 200


class Packed(Part, frozen=True):
    """What a bundle holds besides images: the release's files with their record among them, its
    build's record as it was written, and its signature."""

    files: dict[str, bytes]
    build: bytes
    signature: bytes | None = None

    @property
    def release(self) -> Stored[Release]:
        return decode(Release, self.files[RELEASE_RECORD], where=f"{_RELEASE}{RELEASE_RECORD}")


def write_bundle(
    path: Path, bundle: Bundle, packed: Packed, images: Mapping[str, Path]
) -> Stored[Bundle]:
    """Write a bundle, whole or not at all; the same parts make the same bytes.

    Args:
        path: where to.
        bundle: its record.
        packed: what is in it besides.
        images: archives, by the ids of what is in them.
    """
    record = encode(bundle)
    parts = {
        _RECORD: record,
        _BUILD: packed.build,
        **({_SIGNATURE: packed.signature} if packed.signature else {}),
        **{f"{_RELEASE}{name}": data for name, data in sorted(packed.files.items())},
    }
    unfinished = temporary.beside(path)
    with durable.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                os.fdopen(_owners_alone(unfinished), "wb") as packing,
                tarfile.open(fileobj=packing, mode="w", format=tarfile.PAX_FORMAT) as tar,
            ):
                for name, data in parts.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, BytesIO(data))
                for id, archive in sorted(images.items()):
                    member = tarfile.TarInfo(f"images/{_hex(id)}.tar")
                    member.size = archive.stat().st_size
                    with archive.open("rb") as file:
                        tar.addfile(member, file)
            unfinished.rename(path)
            durable.sync_folder(path.parent)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
    return decode(Bundle, record, where=str(path))


@contextmanager
def opened(path: Path) -> Iterator[tuple[Bundle, Packed, tarfile.TarFile]]:
    """Read a bundle: its record, and what is in it; its images can be unpacked while this is open.

    Raises:
        InputError: it is none.
        LedgerError: it, or the release in it, is not what was packed.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            yield (*_read(tar, path), tar)
    except FileNotFoundError as error:
        raise InputError("there is no such file", where=str(path)) from error
    except _UNREADABLE as error:
        raise InputError(
            f"not a bundle that can be read: {str(error)[:_LONGEST_REASON]}",
            where=str(path),
            hint="inv release.export ENV/ID --out FILE makes one; copy it again",
        ) from error


def unpack_image(tar: tarfile.TarFile, id: str, folder: Path) -> Path:
    """Write the archive of one image to a folder.

    Raises:
        LedgerError: the bundle does not have it.
    """
    try:
        packed = tar.extractfile(f"images/{_hex(id)}.tar")
    except KeyError:
        packed = None
    if packed is None:
        raise LedgerError(f"image {id} is not in the bundle", where=str(tar.name))
    target = folder / f"{_hex(id)}.tar"
    with durable.writing(target), target.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return target


class Bundles:
    """What was taken up among the files of a ledger.

    Args:
        ledger: where.
    """

    def __init__(self, ledger: FileLedger) -> None:
        self._ledger = ledger
        self._root = ledger.root / "bundles"

    def take_up(self, bundle: Bundle, packed: Packed) -> None:
        """Put a release and its build's record among the others.

        Raises:
            InputError: another one has its id here.
        """
        env, id = bundle.env, bundle.id
        folder = self._ledger.release_folder(env, id)
        if not durable.write_folder(folder, packed.files):
            there = self._ledger.release(env, id)
            if there.digest != bundle.release.digest:
                raise InputError(
                    f"there is another release {env}/{id} here",
                    where=str(folder),
                    hint="unpack it in an empty folder",
                )
        build = packed.release.record.build
        durable.write_new_file(
            self._ledger.root / "builds" / f"{checked_name(build.id)}.toml", packed.build
        )
        if packed.signature:
            self._ledger.keep_signature(env, id, packed.signature)
        durable.write_file(self._root / env / f"{folder.name}.toml", encode(bundle))

    def images(self) -> dict[str, str]:
        """Return which image each pin means, of all that was taken up."""
        found: dict[str, str] = {}
        for env in names_in(self._root)[0]:
            for name in sorted(names_in(self._root / env)[1]):
                if name.endswith(".toml"):
                    found |= read_record(Bundle, self._root / env / name).record.images
        return found


def _read(tar: tarfile.TarFile, path: Path) -> tuple[Bundle, Packed]:
    parts: dict[str, tarfile.TarInfo] = {}
    size = 0
    for number, member in enumerate(tar):
        if _is_wanted(member, path):
            parts[member.name] = member
            size += member.size
        if number > _MOST or size > _LIMIT:
            raise LedgerError("there is more in it than in any bundle", where=str(path))
    bundle = decode(Bundle, _data(tar, parts, _RECORD, path), where=f"{path}: {_RECORD}").record
    names = [name for name in parts if name.startswith(_RELEASE)]
    packed = Packed(
        files={name.removeprefix(_RELEASE): _data(tar, parts, name, path) for name in names},
        build=_data(tar, parts, _BUILD, path),
        signature=_data(tar, parts, _SIGNATURE, path) if _SIGNATURE in parts else None,
    )
    if RELEASE_RECORD not in packed.files:
        raise LedgerError("there is no release in it", where=str(path))
    where = f"{path}: {_RELEASE}{RELEASE_RECORD}"
    release = decode(Release, packed.files[RELEASE_RECORD], where=where)
    if release.link != bundle.release or release.record.env != bundle.env:
        raise LedgerError("the release in it is another one than it says", where=str(path))
    build = decode(Build, packed.build, where=f"{path}: {_BUILD}")
    if build.link != release.record.build:
        raise LedgerError("the build in it is another one than the release's", where=str(path))
    return bundle, packed


def _is_wanted(member: tarfile.TarInfo, path: Path) -> bool:
    """Refuse what no bundle has: a link, a folder, a path that leads elsewhere."""
    words = member.name.split("/")
    known = member.name in (_RECORD, _BUILD, _SIGNATURE) or member.name.startswith(_RELEASE)
    strange = not member.isreg() or member.issparse() or member.size < 0 or "\0" in member.name
    if strange or ".." in words or "" in words or "." in words:
        raise LedgerError(f"{member.name!r} has no place in a bundle", where=str(path))
    if not known and not _IMAGE.fullmatch(member.name):
        raise LedgerError(f"{member.name!r} has no place in a bundle", where=str(path))
    return known


def _data(
    tar: tarfile.TarFile, parts: Mapping[str, tarfile.TarInfo], name: str, path: Path
) -> bytes:
    if name not in parts:
        raise LedgerError(f"{name} is not in it", where=str(path))
    file = tar.extractfile(parts[name])
    assert file
    return file.read()


def _owners_alone(path: Path) -> int:
    """Make a file that only its owner may read, as ``docker save`` does: an image may hold what is
    nobody else's business."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _hex(id: str) -> str:
    return id.removeprefix("sha256:")
