"""Running a program: bounded in time and memory, its output captured, nothing left behind."""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import IO

from msgspec import Struct

from stagekit.cancel import Cancel
from stagekit.child import GRACE, kill_group, start
from stagekit.errors import LimitExceeded
from stagekit.forms import written_forms

OUTPUT_LIMIT = 256 * 2**20
"""Bytes kept of one stream; a program that prints more is stopped."""

_POLL = 0.1
_DRAIN = 2.0
_TELLING = 4


class Result(Struct, frozen=True):
    """How a program ended: its exit code (negative for a signal) and what it printed. ``data`` is
    its output as bytes, where that was asked for."""

    code: int
    stdout: str
    stderr: str
    data: bytes = b""

    @property
    def ok(self) -> bool:
        return self.code == 0

    def tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return the last lines of stderr, or of stdout where stderr is empty."""
        text = self.stderr.strip() or self.stdout.strip()
        return tuple(text.splitlines()[-lines:])


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    limit: float,
    cancel: Cancel,
    cwd: Path | None = None,
    stdin: bytes = b"",
    memory: int | None = None,
    on_line: Callable[[str], None] | None = None,
    mask: Sequence[str] = (),
    binary: bool = False,
) -> Result:
    """Run ``argv`` in a process group of its own and wait for its end.

    Args:
        argv: the program and its arguments; no shell is involved.
        env: the whole environment of the program; nothing is inherited.
        limit: seconds after which the group is killed.
        cancel: asks for the same at any time.
        cwd: the folder to run in.
        stdin: what the program reads; closed after it.
        memory: bytes of address space the program may use (Linux). Go programs need 2 GiB.
        on_line: called with each line of stderr as it comes, masked.
        mask: secret values that are replaced by ``***`` in all that is returned or passed on.
        binary: return the output as it is, in ``data``, and no text of it.

    Returns:
        The exit code and the output, decoded as UTF-8 with replacement characters.

    Raises:
        EngineError: the program is not there or cannot be started.
        LimitExceeded: it ran over ``limit`` seconds or printed more than OUTPUT_LIMIT.
        Cancelled: ``cancel`` was requested.
    """
    child = start(argv, env=env, cwd=cwd)
    try:
        if memory is not None:
            _limit_memory(child.pid, memory)
        exchange = _Exchange(child, Path(argv[0]).name, stdin, on_line, mask)
        exchange.until_closed(deadline=monotonic() + limit, limit=limit, cancel=cancel)
        code = child.wait(timeout=GRACE)
    finally:
        kill_group(child)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
    return Result(
        code=code,
        stdout="" if binary else exchange.text("stdout"),
        stderr=exchange.text("stderr"),
        data=exchange.data if binary else b"",
    )


def hide(text: str, mask: Sequence[str]) -> str:
    """Replace each secret value in ``text`` by ``***``, and each line of one that has several:
    programs' output is passed on by the line. The longest goes first.

    So are the forms in which programs print what they were told: as a text of JSON, as part of an
    address, and in Base64, also behind a user's name (RFC 7617).

    A line as short as a brace of JSON is left: it tells nothing, and is everywhere.
    """
    for part in _hidden(tuple(mask)):
        text = text.replace(part, "***")
    return text


@lru_cache(maxsize=16)
def _hidden(mask: tuple[str, ...]) -> Sequence[str]:
    """Return what is hidden of secrets, the longest first."""
    parts = {part for secret in mask for part in (secret, secret.strip()) if part.strip()}
    for secret in mask:
        lines = [line.strip() for line in secret.strip().splitlines()]
        parts |= {line for line in lines if len(line) >= _TELLING}
    parts |= {form for part in parts if len(part) >= _TELLING for form in written_forms(part)}
    return sorted(parts, key=len, reverse=True)


def _limit_memory(pid: int, size: int) -> None:
    import resource

    if hasattr(resource, "prlimit"):  # Linux only; elsewhere the time limit has to do
        with suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_AS, (size, size))


class _Exchange:
    """Feeds stdin and drains both outputs at once, so that no pipe fills up."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        name: str,
        stdin: bytes,
        on_line: Callable[[str], None] | None,
        mask: Sequence[str],
    ) -> None:
        self._child = child
        self._name = name
        self._pending = memoryview(stdin)
        self._on_line = on_line
        self._mask = mask
        self._output = {"stdout": bytearray(), "stderr": bytearray()}
        self._reported = 0

    def until_closed(self, *, deadline: float, limit: float, cancel: Cancel) -> None:
        with selectors.DefaultSelector() as selector:
            self._register(selector)
            ended = None
            while selector.get_map() or self._child.poll() is None:
                cancel.check()
                if ended is None and self._child.poll() is not None:
                    ended = monotonic()
                if ended is not None and monotonic() - ended > _DRAIN:
                    return  # something it started, and left behind, keeps its output open
                if monotonic() > deadline:
                    raise LimitExceeded(
                        f"{self._name} did not end within {limit:g} s and was stopped",
                        output=tuple(self.text("stderr").splitlines()[-20:]),
                    )
                if selector.get_map():
                    self._exchange_once(selector)
                else:  # an empty selector would sleep through the child's end
                    self._await_end()

    @property
    def data(self) -> bytes:
        return bytes(self._output["stdout"])

    def text(self, stream: str) -> str:
        return hide(self._output[stream].decode("utf-8", "replace"), self._mask)

    def _register(self, selector: selectors.BaseSelector) -> None:
        assert self._child.stdin
        assert self._child.stdout
        assert self._child.stderr
        selector.register(self._child.stdout, selectors.EVENT_READ, "stdout")
        selector.register(self._child.stderr, selectors.EVENT_READ, "stderr")
        if self._pending:
            os.set_blocking(self._child.stdin.fileno(), False)
            selector.register(self._child.stdin, selectors.EVENT_WRITE, "stdin")
        else:
            self._child.stdin.close()

    def _exchange_once(self, selector: selectors.BaseSelector) -> None:
        for key, _ in selector.select(_POLL):
            stream = key.fileobj
            assert not isinstance(stream, int)
            finished = self._feed(key.fd) if key.data == "stdin" else self._drain(key.fd, key.data)
            if finished:
                selector.unregister(stream)
                with suppress(OSError):
                    _close(stream)

    def _await_end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=_POLL)

    def _feed(self, descriptor: int) -> bool:
        try:
            self._pending = self._pending[os.write(descriptor, self._pending) :]
        except BrokenPipeError:
            return True  # it stopped reading: its exit code and output tell why
        return not self._pending

    def _drain(self, descriptor: int, name: str) -> bool:
        chunk = os.read(descriptor, 65536)
        kept = self._output[name]
        kept += chunk
        if len(kept) > OUTPUT_LIMIT:
            raise LimitExceeded(f"{self._name} printed over {OUTPUT_LIMIT} bytes and was stopped")
        if name == "stderr" and self._on_line:
            self._report(kept, final=not chunk)
        return not chunk

    def _report(self, kept: bytearray, *, final: bool) -> None:
        assert self._on_line
        end = len(kept) if final else kept.rfind(b"\n") + 1
        for line in kept[self._reported : end].decode("utf-8", "replace").splitlines():
            self._on_line(hide(line, self._mask))
        self._reported = max(self._reported, end)


def _close(stream: object) -> None:
    closing: IO[bytes] = stream  # type: ignore[assignment]  # selectors know it as HasFileno
    closing.close()
