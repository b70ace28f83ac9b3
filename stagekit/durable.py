"""Writing files so that a reader sees all of a file or none of it, also after a power cut.

A temporary file in the same folder, fsync, rename, fsync of the folder. A failed write leaves
nothing behind and says what to do.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from stagekit.errors import LedgerError

_HINTS = {
    errno.ENOSPC: "free some space there and run the command again; nothing was recorded",
    errno.EDQUOT: "the quota is used up: free some space and run the command again",
    errno.EACCES: "this user may not write there: change the owner or the mode of that folder",
    errno.EROFS: "that file system is mounted read-only",
}
_TEMPORARY = ".tmp-"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` while ``path`` is written into a LedgerError that says what to do."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "mend that and run the command again")
        reason = (error.strerror or str(error)).lower()
        raise LedgerError(f"cannot write: {reason}", where=str(path), hint=hint) from error


def temporary_name(path: Path) -> Path:
    """Return an unused name next to ``path`` that listings pass over."""
    return path.with_name(f"{_TEMPORARY}{path.name}-{secrets.token_hex(4)}")


def is_temporary(path: Path) -> bool:
    """Tell whether ``path`` is what an interrupted write left."""
    return path.name.startswith(_TEMPORARY)


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
    temporary = temporary_name(path)
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(temporary, data, mode)
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Put a folder of ``files`` (relative path → content) at ``folder``, whole or not at all.

    Returns:
        False, with nothing changed, where ``folder`` exists already (rename(2) does not replace
        a folder that has entries).

    Raises:
        LedgerError: it cannot be written; nothing is left behind.
    """
    temporary = temporary_name(folder)
    with writing(folder):
        try:
            for name, data in files.items():
                target = temporary / name
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(target, data, 0o644)
            for parent, _, _ in os.walk(temporary):
                sync_folder(Path(parent))
            try:
                temporary.rename(folder)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return True


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
