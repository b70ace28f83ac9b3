"""Running a program: bounded, its output captured and masked, nothing of it left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from stagekit import child, process
from stagekit.alive import start_time
from stagekit.cancel import Cancel
from stagekit.errors import Cancelled, EngineError, LimitExceeded
from stagekit.process import Result, hide

PATH = {"PATH": os.environ["PATH"]}


def run(*argv: str, limit: float = 20.0, **settings: Any) -> Result:
    return process.run(
        argv,
        **{"env": PATH, "cancel": Cancel(), "limit": limit, **settings},  # type: ignore[arg-type]
    )


def python(code: str, **settings: Any) -> Result:
    return run(sys.executable, "-c", code, **settings)


def gone(pid: int) -> bool:
    """Whether a process ends within two seconds; a zombie nobody waits for has ended."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False


def pid_in(path: Path) -> int:
    """The process id that a script wrote, once it has."""
    deadline = time.monotonic() + 5
    while not (path.exists() and path.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return int(path.read_text())


def test_what_a_program_prints_and_its_code_come_back() -> None:
    """Both streams apart, and the exit code as it was."""
    result = run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.code, result.ok) == ("out\n", "err\n", 3, False)
    assert run("true").ok


def test_a_program_ended_by_a_signal_has_its_negative_number() -> None:
    """Killed is told from failed."""
    assert run("sh", "-c", "kill -9 $$").code == -9


def test_nothing_of_our_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program sees the variables it is given and no others."""
    monkeypatch.setenv("STAGEKIT_SECRET_X", "hunter2")
    assert run("/usr/bin/env", env={"A": "1"}).stdout == "A=1\n"


def test_it_runs_in_the_folder_it_is_told(tmp_path: Path) -> None:
    """The working folder is an argument, never the process's own."""
    assert run("pwd", cwd=tmp_path).stdout.strip() == str(tmp_path)


def test_without_stdin_a_program_reads_nothing() -> None:
    """Nobody's terminal is waited for."""
    assert run("cat", limit=5).stdout == ""


def test_no_pipe_fills_up() -> None:
    """Megabytes in and out on all three streams at once arrive whole."""
    data = os.urandom(1_500_000).hex().encode()
    result = run("sh", "-c", "tee /dev/stderr", stdin=data)
    assert result.stdout.encode() == data
    assert result.stderr.encode() == data


def test_a_program_may_stop_reading() -> None:
    """One that ends before its input does is judged by its exit code."""
    result = run("head", "-c", "3", stdin=b"abc" * 1_000_000)
    assert (result.stdout, result.ok) == ("abc", True)


def test_output_that_is_not_text_is_replaced() -> None:
    """Bytes that are no UTF-8 do not end in a traceback."""
    assert run("printf", "a\\377b").stdout == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("name", "why"), [("no-such-program", "no such file"), ("/etc/passwd", "permission denied")]
)
def test_a_program_that_cannot_start_is_an_engine_error(name: str, why: str) -> None:
    """It says which one, why, and where to look."""
    with pytest.raises(EngineError, match=f"cannot start {name}: {why}") as caught:
        run(name)
    assert "inv doctor" in str(caught.value.hint)


def test_a_time_limit_ends_a_program() -> None:
    """It is stopped soon after its limit; the error has its name and its last words, masked."""
    begun = time.monotonic()
    with pytest.raises(LimitExceeded, match=r"sh did not end within 0\.3 s") as caught:
        run("sh", "-c", "echo at hunter2 >&2; sleep 60", limit=0.3, mask=["hunter2"])
    assert time.monotonic() - begun < 5
    assert caught.value.output == ("at ***",)


def test_an_output_limit_ends_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that prints for ever does not fill our memory."""
    monkeypatch.setattr(process, "OUTPUT_LIMIT", 100_000)
    with pytest.raises(LimitExceeded, match="yes printed over 100000 bytes"):
        run("yes")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process's memory")
def test_a_memory_limit_holds() -> None:
    """A program gets the address space it is given, and no more."""
    code = "import time; time.sleep(0.1); x = bytearray({}); print('fits')"
    assert python(code.format(2**20), memory=2**30).stdout == "fits\n"
    result = python(code.format(2**31), memory=2**30)
    assert "MemoryError" in result.stderr
    assert not result.ok


def test_a_cancel_ends_a_program() -> None:
    """A request from elsewhere stops what is under way at once."""
    cancel = Cancel()
    threading.Timer(0.3, cancel.request).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run("sleep", "60", cancel=cancel)
    assert time.monotonic() - begun < 3


def test_a_cancel_is_looked_at_between_steps() -> None:
    """The token says whether a stop was asked for, and raises once it was."""
    cancel = Cancel()
    cancel.check()
    assert not cancel.requested
    cancel.request()
    assert cancel.requested
    with pytest.raises(Cancelled):
        cancel.check()


def test_a_limit_ends_grandchildren_too(tmp_path: Path) -> None:
    """What a program has started goes with it."""
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(LimitExceeded):
        run("sh", "-c", script, limit=0.5)
    assert gone(pid_in(tmp_path / "pid"))


def test_a_grandchild_that_ignores_term_is_killed(tmp_path: Path) -> None:
    """The child ends by TERM at once; what ignores it is killed, not left behind."""
    script = f"sh -c 'trap \"\" TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.2; done' & wait"
    with pytest.raises(LimitExceeded):
        run("sh", "-c", script, limit=0.7)
    assert gone(pid_in(tmp_path / "pid"))


def test_a_child_that_ignores_term_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a moment of grace it is not asked again."""
    monkeypatch.setattr(child, "GRACE", 0.3)
    begun = time.monotonic()
    with pytest.raises(LimitExceeded):
        run("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done", limit=0.3)
    assert time.monotonic() - begun < 4


def test_a_program_that_ends_well_leaves_nothing_behind(tmp_path: Path) -> None:
    """A helper that a program has put into the background does not outlive it."""
    script = f"sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid"
    assert run("sh", "-c", script).ok
    assert gone(pid_in(tmp_path / "pid"))


def test_a_grandchild_that_keeps_the_output_open_is_bounded(tmp_path: Path) -> None:
    """A program that has ended while its child still may print is waited for, up to the limit."""
    with pytest.raises(LimitExceeded):
        run("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid", limit=0.5)
    assert gone(pid_in(tmp_path / "pid"))


def test_each_line_of_stderr_is_told_as_it_comes() -> None:
    """Progress is heard while the program runs, whole lines only, the last one even without end."""
    heard: list[tuple[str, float]] = []
    begun = time.monotonic()
    result = run(
        "sh",
        "-c",
        "printf 'on' >&2; sleep 0.1; echo e >&2; sleep 0.5; printf two >&2; echo out",
        on_line=lambda line: heard.append((line, time.monotonic() - begun)),
    )
    assert [line for line, _ in heard] == ["one", "two"]
    assert heard[1][1] - heard[0][1] > 0.3
    assert result.stderr == "one\ntwo"


def test_secrets_are_masked_wherever_they_come_out() -> None:
    """On both streams and in every line that is passed on; also one that is part of another."""
    heard: list[str] = []
    result = run(
        "sh",
        "-c",
        "echo pass password; echo password pass x >&2",
        mask=["pass", "password", ""],
        on_line=heard.append,
    )
    assert result.stdout == "*** ***\n"
    assert result.stderr == "*** *** x\n"
    assert heard == ["*** *** x"]


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    """A private key is not told line after line."""
    key = "-----BEGIN KEY-----\nAAAA\nBBBB\n-----END KEY-----\n"
    heard: list[str] = []
    result = run("sh", "-c", "cat >&2", stdin=key.encode(), mask=[key], on_line=heard.append)
    told = "\n".join([*heard, result.stderr])
    assert not any(line in told for line in key.splitlines())


@pytest.mark.parametrize(
    ("text", "mask", "hidden"),
    [
        ("a b", [], "a b"),
        ("abcabcd", ["abc", "abcd"], "******"),
        ("abcd", ["bc", "abcd"], "***"),
        ("x\ny", ["x\ny"], "***"),
        ("word - other", ["word\n\nother"], "*** - ***"),
        ("{ } line 1", ["{\n  line 1\n}"], "{ } ***"),
        ("val hunter2 pass.", [" hunter2 pass  "], "val ***."),
        ("a b", ["", " "], "a b"),
    ],
)
def test_the_longest_secret_is_hidden_first(text: str, mask: list[str], hidden: str) -> None:
    """No part of a longer secret is left because a shorter one was found in it."""
    assert hide(text, mask) == hidden


def test_what_it_left_behind_does_not_keep_us(tmp_path: Path) -> None:
    """A program that has ended has ended, whoever still holds its output."""
    begun = time.monotonic()
    script = f"setsid sleep 30 & echo $! > {tmp_path}/pid; echo done; exit 3"
    result = run("sh", "-c", script)
    os.kill(pid_in(tmp_path / "pid"), signal.SIGKILL)
    assert (result.code, result.stdout) == (3, "done\n")
    assert time.monotonic() - begun < 10


def test_the_tail_is_the_last_lines_of_what_tells_most() -> None:
    """stderr if it says anything, else stdout."""
    assert Result(1, "out\n", "a\nb\nc\n").tail(2) == ("b", "c")
    assert Result(1, "out\n", " \n").tail() == ("out",)
    assert Result(1, "", "").tail() == ()


def test_what_a_killed_process_ran_ends_with_it(tmp_path: Path) -> None:
    """``kill -9`` leaves nobody behind who goes on with what was begun."""
    script = tmp_path / "work"
    script.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    script.chmod(0o755)
    code = (
        "import sys; from stagekit import process; from stagekit.cancel import Cancel\n"
        "process.run((sys.argv[1],), env={'PATH': '/bin:/usr/bin'}, limit=60, cancel=Cancel())"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(script)])
    deadline = time.monotonic() + 20
    pid_file = tmp_path / "pid"
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    child = int(pid_file.read_text())
    parent.kill()
    parent.wait(10)
    while start_time(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert start_time(child) is None
