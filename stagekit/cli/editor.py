"""Has a person edit a text that must not stay on any disk."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from stagekit import temporary
from stagekit.errors import InputError

Checked = TypeVar("Checked")

_HINT = "export EDITOR=nano"
_MEMORY = Path("/dev/shm")  # noqa: S108  # nosec B108  # a folder of one's own is made in it


def edit(
    text: str,
    *,
    name: str,
    environ: Mapping[str, str],
    check: Callable[[str], Checked],
    again: Callable[[InputError], bool],
) -> Checked:
    """Open ``text`` in the person's editor and return what ``check`` makes of what it became.

    The file is in a folder that only its owner may enter, in memory where there is such a file
    system, and overwritten after. Until then it stays there: what is wrong with it can be mended.

    Args:
        text: what stands in the file.
        name: the file's, for the editor to know its kind.
        environ: has ``VISUAL`` or ``EDITOR``.
        check: reads the edited text, and raises InputError where it will not do.
        again: told what is wrong with it, says whether the editor is opened on it once more.

    Raises:
        InputError: there is no editor, it ended badly, or what it left will not do.
    """
    command = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    argv = _words(command)
    with _private_folder() as folder:
        path = folder / name
        path.touch(0o600)
        path.write_text(text, "utf-8", newline="")
        while True:
            _open(argv, path, environ)
            try:
                return check(_read(path))
            except InputError as error:
                if not again(error):
                    raise


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:  # a quote that is not closed
        raise InputError(f"{command}: {str(error).lower()}", where="EDITOR", hint=_HINT) from None


def _open(argv: Sequence[str], path: Path, environ: Mapping[str, str]) -> None:
    try:
        done = subprocess.run([*argv, str(path)], env=environ, check=False)
    except OSError as error:
        command = shlex.join(argv)
        raise InputError(f"{command}: {error.strerror}", where="EDITOR", hint=_HINT) from None
    if done.returncode:
        command = shlex.join(argv)
        raise InputError(f"{command} ended with {done.returncode}: nothing changed", where="EDITOR")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("not UTF-8, nothing changed", where=path.name) from None
    except OSError as error:
        raise InputError(f"{error.strerror}: nothing changed", where=path.name) from None


@contextmanager
def _private_folder() -> Iterator[Path]:
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    # A name that tells whose it is: what was left by one that was killed goes with the next.
    folder = temporary.beside((memory or Path(tempfile.gettempdir())) / "stagekit")
    folder.mkdir(0o700)
    try:
        yield folder
    finally:
        for path in folder.rglob("*"):  # editors leave copies next to the file
            if path.is_file() and not path.is_symlink():
                path.write_bytes(bytes(path.stat().st_size))
        shutil.rmtree(folder)
