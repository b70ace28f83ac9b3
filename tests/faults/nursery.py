"""Commands without the time that a Python needs to start: each is a fork of a process that has
imported all of it, and has done nothing."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stagekit import retry
from stagekit.engine import client, transfers
from tests.faults.sabotage import SABOTAGE
from tests.faults.saboteur import Fault, Point, Saboteur

_LIMIT = 240.0
_GRACE = 6.0
_OF_SSH = ("[mux]", "ControlMaster=yes")
"""Of a connection of ssh's, which ends by itself two minutes after whoever made it."""
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, negative for a signal; what it printed, the points that
    it came by, and which of its programs went on without it."""

    code: int
    text: str
    points: tuple[Point, ...]
    orphans: tuple[str, ...]


class Nursery:
    """Asks the process for commands.

    Args:
        process: runs `main`.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        root: Path,
        *words: str,
        environ: Mapping[str, str],
        fault: Fault | None = None,
        stdin: str = "",
        sabotage: str = "",
        limit: float = 0,
    ) -> Ended:
        """Run a command in a project's folder to its end.

        Args:
            root: the folder.
            words: what is typed after the program's name.
            environ: the whole environment.
            fault: what is to happen on its way.
            stdin: what it reads.
            sabotage: what of stagekit is broken on purpose, by its name in `SABOTAGE`.
            limit: seconds in which an engine has to answer; 0 for stagekit's own limits, which a
                test that lets one hang would not want to wait for.
        """
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory(prefix="fault-") as folder:
            asked = {
                "root": str(root),
                "words": ["inv", *words],
                "environ": dict(environ),
                "fault": asdict(fault) if fault else None,
                "folder": folder,
                "sabotage": sabotage,
                "limit": limit,
            }
            Path(folder, "input").write_text(stdin)
            print(json.dumps(asked), file=self._process.stdin, flush=True)
            told = json.loads(self._process.stdout.readline())
            printed = Path(folder, "output").read_text("utf-8", "replace")
            log = Path(folder, "points")
            lines = log.read_text().splitlines() if log.exists() else []
        points = tuple(Point(**json.loads(line)) for line in lines)
        return Ended(told["code"], printed, points, tuple(told["orphans"]))


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Start one; its children end with it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.nursery"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Nursery(process)
        finally:
            process.kill()


def main() -> None:
    """Answer each line on stdin by a command that was run, until there is none."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans of commands become ours
    _load()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be(asked)
        code = _end_of(child)
        sys.stdout.write(json.dumps({"code": code, "orphans": _orphans()}) + "\n")
        sys.stdout.flush()


def _load() -> None:
    import docker
    import invoke.main
    import jinja2.sandbox
    import tomli_w
    import yaml

    import stagekit.pipeline.release
    import stagekit.pipeline.run.flow
    from stagekit.cli import collection

    assert all((docker, invoke.main, jinja2, tomli_w, yaml, stagekit.pipeline, collection))


def _orphans() -> list[str]:
    """Wait for what a command has left behind, which is ours now; return what does not end."""
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                if all(map(_is_of_ssh, _children())):
                    break
                time.sleep(0.02)
        except ChildProcessError:
            return []
    left = _children()
    unexpected = [_line_of(child) for child in left if not _is_of_ssh(child)]
    for child in left:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return unexpected


def _children() -> list[int]:
    own = os.getpid()
    return [int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()]


def _line_of(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_bytes()
    return line.replace(b"\0", b" ").decode("utf-8", "replace").strip()


def _is_of_ssh(pid: int) -> bool:
    return any(part in _line_of(pid) for part in _OF_SSH)


def _end_of(child: int) -> int:
    deadline = time.monotonic() + _LIMIT
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1000


def _be(asked: dict[str, Any]) -> None:
    """Become the command."""
    code: object = 70
    try:
        os.setsid()
        folder = Path(asked["folder"])
        output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        given = os.open(folder / "input", os.O_RDONLY)
        for ours, theirs in ((given, 0), (output, 1), (output, 2)):
            os.dup2(ours, theirs)
        sys.stdin = os.fdopen(0)
        sys.stdout = os.fdopen(1, "w", buffering=1)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        os.environ.clear()
        os.environ.update(asked["environ"])
        tempfile.tempdir = None
        root = Path(asked["root"])
        os.chdir(root)
        sys.path[0] = str(root)
        if limit := asked["limit"]:
            client._ANSWER_LIMIT = client._PROBE_LIMIT = transfers._SILENCE = limit
            retry._FIRST_WAIT = limit / 100
        if asked["sabotage"]:
            SABOTAGE[asked["sabotage"]]()
        fault = Fault(**asked["fault"]) if asked["fault"] else None
        watched = (root, *(Path(asked["environ"][name]) for name in ("TMPDIR", "HOME")))
        Saboteur(watched, folder / "points", fault).begin()
        _call(asked["words"])
        code = 0
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else int(bool(code)))


def _call(words: list[str]) -> None:
    from invoke.main import program

    sys.argv = words
    program.run(words)


if __name__ == "__main__":
    main()
