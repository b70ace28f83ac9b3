"""One connection to a host over ssh, which everything that speaks to its engine shares.

OpenSSH's own multiplexing (ControlMaster, ssh_config(5)): one TCP connection and one login a host.
In front of it stands a socket on this machine. Whoever connects there gets a session of that
connection, in which the host's docker command passes bytes on to its engine (``docker system
dial-stdio``, as Docker's own ssh:// transport has it): the docker SDK, the docker command and
Compose all take it for an engine of this machine.

sshd allows ten sessions a connection unless it is told otherwise (MaxSessions, sshd_config(5)); how
many there are at a time is limited here, and who comes later waits.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.errors import EngineError, LimitExceeded

SSH = "STAGEKIT_SSH"
"""The ssh program with options of one's own, as GIT_SSH_COMMAND is for git."""

_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR")
_CONNECT_LIMIT = 10
_LOGIN_LIMIT = 30.0
_WITHOUT_US = 120
"""Seconds that a connection outlives a process that was killed."""

_OPTIONS = (
    *("-o", "BatchMode=yes"),
    *("-o", f"ConnectTimeout={_CONNECT_LIMIT}"),
    *("-o", "ServerAliveInterval=5"),
    *("-o", "ServerAliveCountMax=3"),
    *("-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "ClearAllForwardings=yes"),
)
_SHARING_ONLY = ("-o", "ControlMaster=no", "-o", "ProxyCommand=false")
"""Where the connection is gone, a session must not quietly make one of its own."""

_BACKLOG = 64
_SAID = 5


class Connection:
    """The connection to one host.

    Args:
        url: ``ssh://[user@]host[:port][/path/of/its/socket]``.
        path: where its sockets are put, with ``.sock`` and ``.ctl`` behind it: in a folder that
            nobody else can enter.
        sessions: how many there may be at a time.
        environ: what ssh may see of the process's environment is picked from it.
    """

    def __init__(self, url: str, path: Path, sessions: int, environ: Mapping[str, str]) -> None:
        self._url = url
        self._control = path.with_suffix(".ctl")
        self.socket = path.with_suffix(".sock")
        self._ssh = tuple(shlex.split(environ.get(SSH) or "ssh"))
        self._environ = {name: environ[name] for name in _PASSED_ON if name in environ}
        self._target, self._remote = _words(url)
        self._sessions = threading.BoundedSemaphore(sessions)
        self._connecting = threading.Lock()
        self._closed = Cancel()
        self._listening: socket.socket | None = None
        self._said: tuple[str, ...] = ()

    def open(self, cancel: Cancel) -> None:
        """Log in, and listen.

        Raises:
            EngineError: the host is not there, or does not let us in; in ssh's own words.
        """
        self._connect(cancel)
        if self._listening is None:
            self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listening.bind(str(self.socket))
            self._listening.listen(_BACKLOG)
            threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def close(self) -> None:
        """End all sessions, and the connection."""
        self._closed.request()
        if self._listening:
            with suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)  # or accept() would go on waiting
            self._listening.close()
        if self._control.exists():
            with suppress(EngineError):
                self._run(("-O", "exit"), Cancel())

    @property
    def said(self) -> tuple[str, ...]:
        """The last lines that ssh or the docker command of the host complained with."""
        return self._said

    def _run(self, words: Sequence[str], cancel: Cancel) -> process.Result:
        argv = (*self._ssh, "-S", str(self._control), *_OPTIONS, *words, *self._target)
        return process.run(argv, env=self._environ, limit=_LOGIN_LIMIT, cancel=cancel)

    def _connect(self, cancel: Cancel) -> None:
        with self._connecting:
            if self._closed.requested or self._is_connected(cancel):
                return
            self._control.unlink(missing_ok=True)
            persist = ("-o", f"ControlPersist={_WITHOUT_US}")
            try:
                result = self._run(("-f", "-N", "-T", "-o", "ControlMaster=yes", *persist), cancel)
            except LimitExceeded as error:
                raise EngineError(
                    "ssh does not log in in time", where=self._url, hint=f"try {self._typed}"
                ) from error
            if not result.ok:
                raise self._refused(result.tail())

    def _is_connected(self, cancel: Cancel) -> bool:
        return self._control.exists() and self._run(("-O", "check"), cancel).ok

    def _is_listened_at(self) -> bool:
        """Tell whether an ssh listens at its socket: one that was killed leaves that behind."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(str(self._control)) == 0

    @property
    def _typed(self) -> str:
        return " ".join(("ssh", *self._target)).replace(" -- ", " ")

    def _refused(self, lines: tuple[str, ...]) -> EngineError:
        text = " ".join(lines[-1:]) or "it ended without a word"
        hint = f"try {self._typed}"
        if "Host key verification failed" in text:
            hint = f"{self._typed} once, and compare the key that it shows"
        elif "Permission denied" in text:
            hint = f"{self._typed} has to work without a question: a key in ssh-agent, or "
            hint += "IdentityFile in ~/.ssh/config, that the host's authorized_keys has"
        return EngineError(
            f"ssh does not get in: {text}", where=self._url, hint=hint, output=lines[-_SAID:]
        )

    def _accept(self, listening: socket.socket) -> None:
        while not self._closed.requested:
            try:
                caller, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        """Give a caller a session of its own: ssh reads and writes the very socket."""
        with self._sessions:
            with caller:
                if self._closed.requested or not self._reconnected():
                    return
                argv = (*self._ssh, "-S", str(self._control), "-T", *_OPTIONS, *_SHARING_ONLY)
                session = subprocess.Popen(
                    (*argv, *self._target, *self._remote),
                    env=self._environ,
                    stdin=caller.fileno(),
                    stdout=caller.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,  # a terminal's Ctrl-C is for us to deal with
                )
            assert session.stderr
            with session.stderr:
                said = session.stderr.read().decode("utf-8", "replace").splitlines()
            if session.wait() != 0 and said:
                self._said = tuple(said[-_SAID:])

    def _reconnected(self) -> bool:
        """Make the connection anew where it broke; tell whether there is one."""
        if self._is_listened_at():
            return True
        try:
            self._connect(self._closed)
        except EngineError as error:
            self._said = error.output or (error.what,)
            return False
        return True


def alone(url: str) -> tuple[str, ...]:
    """Return how to reach the engine at an address by a connection of one's own: bytes go in and
    out as at the engine's socket, and what ssh has to say goes to stderr."""
    target, remote = _words(url)
    return ("ssh", "-T", *_OPTIONS, *target, *remote)


def _words(url: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what an address is to ssh, and the command that reaches the engine there."""
    parts = urlsplit(url)
    user = ("-l", parts.username) if parts.username else ()
    port = ("-p", str(parts.port)) if parts.port else ()
    elsewhere = ("--host", f"unix://{parts.path}") if parts.path.strip("/") else ()
    target = (*user, *port, "--", parts.hostname or "")
    return target, tuple(map(shlex.quote, ("docker", *elsewhere, "system", "dial-stdio")))
