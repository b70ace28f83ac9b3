"""A repository for a test to work in, used as a person would: from a shell and at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass

from stagekit.testing.project import Outcome, TemporaryProject

_LIMIT = 180

_PROGRAM = """
import sys
from pathlib import Path
from invoke import Collection, Program
from stagekit.cli.app import App
from stagekit.cli.init import init
Program(namespace=Collection(init.bound(App(Path.cwd())))).run(["stagekit", *sys.argv[1:]])
"""


@dataclass
class Repository(TemporaryProject):
    """A project's folder, the environment its commands run in, and what stands before each."""

    def stagekit(self, *arguments: str, code: int = 0, **environ: str) -> Outcome:
        """Run the program that needs no tasks.py, and fail unless it ends with ``code``."""
        done = subprocess.run(
            [*self.through, sys.executable, "-c", _PROGRAM, *arguments],
            cwd=self.root,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_LIMIT,
            check=False,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        assert outcome.code == code, outcome.text
        return outcome

    def on_a_terminal(self, typed: str, *arguments: str, **environ: str) -> Outcome:
        """Run ``inv`` for somebody who sits at a terminal and types; all that is shown there is
        its stdout."""
        ours, theirs = pty.openpty()
        os.write(ours, typed.encode())
        with subprocess.Popen(
            [*self.through, sys.executable, "-m", "invoke", *arguments],
            cwd=self.root,
            env={**self.environ, "TERM": "xterm", **environ},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # how Linux says that a terminal's other end is closed
                while chunk := os.read(ours, 65536):
                    shown += chunk
            os.close(ours)
        return Outcome(process.returncode, shown.decode(), "")
