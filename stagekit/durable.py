"""Writing files so that a reader sees all of a file or none of it, also after a power cut.

A temporary file in the same folder, fsync, rename, fsync of the folder. A failed write leaves
nothing behind and says what to do.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from stagekit import temporary
from stagekit.errors import DiskRefused, LedgerError

_HINTS = {
    errno.ENOSPC: "free some space there and run the command again; nothing was recorded",
    errno.EDQUOT: "the quota is used up: free some space and run the command again",
    errno.EACCES: "this user may not write there: change the owner or the mode of that folder",
    errno.EROFS: "that file system is mounted read-only",
}
_REFUSALS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.ENOMEM),
}
# A link in the place of a file that is written to would lead the writing elsewhere.
_APPEND_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_NAMELESS = getattr(os, "O_TMPFILE", 0)
_NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` while ``path`` is written into a LedgerError that says what to do."""
    try:
        yield
    except OSError as error:
        reason, hint = _said(error)
        raise LedgerError(f"cannot write: {reason}", where=str(path), hint=hint) from error


def refusal(error: OSError) -> DiskRefused | None:
    """Return what to tell of an error of the system's that is none of ours: the disk is full or
    broken, or may not be written; None for any other."""
    if error.errno not in _REFUSALS:
        return None
    reason, hint = _said(error)
    return DiskRefused(reason, where=str(error.filename) if error.filename else None, hint=hint)


def _said(error: OSError) -> tuple[str, str]:
    hint = _HINTS.get(error.errno or 0, "mend that and run the command again")
    return (error.strerror or str(error)).lower(), hint


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put ``data`` at ``path`` whole, replacing what is there.

    Raises:
        LedgerError: it cannot be written; what stood there still does.
    """
    unfinished = temporary.beside(path)
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(unfinished, data, mode)
            unfinished.replace(path)
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)


def append_line(path: Path, text: str) -> None:
    """Append one line to a file, which others append to at the same time.

    Raises:
        LedgerError: it cannot be written.
    """
    line = " ".join(text.splitlines()).encode("utf-8", "replace") + b"\n"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _APPEND_FLAGS, 0o644)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def append_dated(path: Path, text: str) -> None:
    """Append one line with the time before it, as `append_line` does."""
    append_line(path, f"{datetime.now(UTC).isoformat()} {text}")


def write_new_file(path: Path, data: bytes, *, mode: int = 0o644) -> bool:
    """Put ``data`` at ``path`` whole, unless something stands there. Where the file system has
    files without a name, there is at no moment anything else than the whole.

    Returns:
        False, with nothing changed, where there is something.

    Raises:
        LedgerError: it cannot be written; nothing is left behind.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not _link_nameless(path, data, mode):
                _link_named(path, data, mode)
        except FileExistsError:
            return False
        sync_folder(path.parent)
    return True


def _link_nameless(path: Path, data: bytes, mode: int) -> bool:
    """Write a file that has no name until it is whole; False where that cannot be done here."""
    try:
        descriptor = os.open(path.parent, os.O_WRONLY | os.O_CLOEXEC | _NAMELESS, mode)
    except OSError as error:
        if error.errno in _NO_NAMELESS:
            return False
        raise
    with os.fdopen(descriptor, "wb") as file:
        _write_out(file, data)
        try:  # with a folder's descriptor, which is not looked at, links of /proc are followed
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
        except FileNotFoundError:  # no /proc
            return False
    return True


def _link_named(path: Path, data: bytes, mode: int) -> None:
    unfinished = temporary.beside(path)
    try:
        _write(unfinished, data, mode)
        os.link(unfinished, path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Put a folder of ``files`` (relative path → content) at ``folder``, whole or not at all.

    Returns:
        False, with nothing changed, where ``folder`` exists already (rename(2) does not replace
        a folder that has entries).

    Raises:
        LedgerError: it cannot be written; nothing is left behind.
    """
    unfinished = temporary.beside(folder)
    with writing(folder):
        try:
            for name, data in files.items():
                target = unfinished / name
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(target, data, 0o644)
            for parent, _, _ in os.walk(unfinished):
                sync_folder(Path(parent))
            try:
                unfinished.rename(folder)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return True


def remove_folder(folder: Path, hidden: Path) -> None:
    """Take ``folder`` away: at once under its name, then file by file under a ``hidden`` one.

    What an earlier attempt left at ``hidden`` goes too; nothing at either is no error.

    Raises:
        LedgerError: it cannot be removed.
    """
    with writing(folder):
        if hidden.exists():
            shutil.rmtree(hidden)
        try:
            folder.rename(hidden)
        except FileNotFoundError:
            return
        sync_folder(folder.parent)
        shutil.rmtree(hidden)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        _write_out(file, data)


def _write_out(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
