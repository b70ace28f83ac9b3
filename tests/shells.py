"""Real shells at a terminal, to press TAB in."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")

_LIMIT = 60.0
_READY = "READY>"
_BEGINNING, _END = "\x01", "\x05"
_ARGUMENTS = r"(?:<[^<>%\r\n]*>)+"
_RC = {
    "bash": f"PS1='{_READY} '\nbind 'set bell-style none'\n",
    "zsh": f"PS1='{_READY} '\nbindkey -e\nunsetopt beep\nautoload -Uz compinit && compinit -u\n",
    "fish": f"function fish_prompt; printf '{_READY} '; end\nset -g fish_greeting\n"
    "set -g fish_autosuggestion_enabled 0\n",
}


class Shell:
    """One that somebody types in."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._until(_READY)

    def line(self, typed: str) -> list[str]:
        """Return the words that a program would be given, were ``typed`` entered as it is after
        TAB and an ``X``, which shows whether a blank was put before it."""
        self._type(f"{typed}\tX{_BEGINNING}printf '<%s>' {_END}\r")
        shown = self._until(f"{_ARGUMENTS}.*{_READY}")
        return re.findall(_ARGUMENTS, shown)[-1][1:-1].split("><")

    def enter(self, command: str) -> None:
        """Run a command that prints nothing."""
        self._type(f"{command}; printf '<%s>' done\r")
        self._until(f"<done>.*{_READY}")

    def listed(self, typed: str, last: str) -> str:
        """Return what is shown after ``typed`` and TAB, twice, as far as ``last``. The shell is of
        no more use then: it waits for a choice."""
        self._type(f"{typed}\t\t")
        return self._until(last)

    def _type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _until(self, pattern: str) -> str:
        shown, deadline = "", time.monotonic() + _LIMIT
        while not re.search(pattern, shown, re.DOTALL):
            assert time.monotonic() < deadline, f"no {pattern} in {_LIMIT:g} s, but:\n{shown}"
            if select.select([self._terminal], [], [], 1.0)[0]:
                shown += os.read(self._terminal, 65536).decode("utf-8", "replace")
        return shown


@contextmanager
def shell(
    name: str, script: str, folder: Path, environ: Mapping[str, str], home: Path
) -> Iterator[Shell]:
    """Start a shell that has read ``script``, in ``folder``."""
    home.mkdir(parents=True, exist_ok=True)
    rc = home / (".zshrc" if name == "zsh" else "rc")
    rc.write_text(f"{_RC[name]}\n{script}\n")
    argv = {
        "bash": ["bash", "--noprofile", "--rcfile", str(rc), "-i"],
        "zsh": ["zsh", "-i"],
        "fish": ["fish", "--no-config", "-i", "-C", f"source {rc}"],
    }[name]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 100, 200, 0, 0))
    process = subprocess.Popen(
        ["setsid", "--ctty", *argv],
        cwd=folder,
        env={
            **environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "ZDOTDIR": str(home),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Shell(ours)
    finally:
        process.kill()
        process.wait()
        with suppress(OSError):
            os.close(ours)
