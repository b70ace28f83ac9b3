"""A process that outlives its command is known by pid and start time, and can be stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from stagekit.engine import daemon as module
from stagekit.engine.daemon import Daemon, launch
from stagekit.errors import EngineError

SH = "/bin/sh"


def start(tmp_path: Path, script: str, limit: float = 5.0) -> Daemon:
    """Start a script that says it is ready by making the file ``ready``."""
    flag = tmp_path / "ready"
    return launch([SH, "-c", script], log=tmp_path / "log", ready=flag.exists, limit=limit)


def test_a_daemon_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """It is alive once it is ready, in a session of its own, and gone after stop."""
    daemon = start(tmp_path, f"echo hello; touch {tmp_path}/ready; exec sleep 60")
    assert daemon.alive
    assert os.getsid(daemon.pid) == daemon.pid
    assert (tmp_path / "log").read_text() == "hello\n"
    assert daemon.stop()
    assert not daemon.alive
    assert not daemon.stop()


def test_one_that_ends_instead_of_starting_says_why(tmp_path: Path) -> None:
    """Its last lines are the error's output, without waiting for the limit."""
    begun = time.monotonic()
    with pytest.raises(EngineError, match="sh ended instead of starting") as caught:
        start(tmp_path, "echo address in use >&2; exit 1", limit=30)
    assert time.monotonic() - begun < 5
    assert caught.value.output == ("address in use",)
    assert caught.value.where == str(tmp_path / "log")


def test_one_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    """A failed start leaves no process behind."""
    with pytest.raises(EngineError, match=r"sh was not ready within 0\.4 s"):
        start(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60", limit=0.4)
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_one_that_ignores_term_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time to end in peace it is made to."""
    monkeypatch.setattr(module, "_STOP_LIMIT", 0.3)
    daemon = start(tmp_path, f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 0.1; done")
    assert daemon.stop()
    assert not daemon.alive


def test_another_process_with_its_pid_is_not_it() -> None:
    """A pid is used again some day: with another start time it is left alone."""
    with subprocess.Popen(["sleep", "60"]) as other:
        stranger = Daemon(pid=other.pid, started="1")
        assert not stranger.alive
        assert not stranger.stop()
        assert other.poll() is None
        other.send_signal(signal.SIGKILL)


def test_a_dead_process_nobody_waited_for_is_not_alive() -> None:
    """A zombie does not count."""
    child = subprocess.Popen(["sleep", "60"])
    alive = Daemon(pid=child.pid, started=_started(child.pid))
    assert alive.alive
    child.kill()
    deadline = time.monotonic() + 5
    while alive.alive and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive.alive
    child.wait()


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """One line with its path."""
    with pytest.raises(EngineError, match="cannot start /no/such/program: No such file"):
        launch(["/no/such/program"], log=tmp_path / "log", ready=lambda: True, limit=1)


def _started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
