"""How git is called: nothing asks on a terminal, nothing is taken from the repository around, and
everything ends."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.errors import LedgerError, LimitExceeded
from stagekit.process import Result

LOCAL_LIMIT = 600.0
"""Seconds for what needs no network; a ledger that is moved in has many records."""

_REMOTE_LIMIT = 600.0
"""Seconds for one exchange with the remote. One that says nothing for long is given up before."""

_CONNECT_LIMIT = 10
_SILENCE_LIMIT = 30
_OF_ANOTHER_REPOSITORY = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_QUARANTINE_PATH"),
    *("GIT_SHALLOW_FILE", "GIT_CEILING_DIRECTORIES", "LANGUAGE"),
)
"""Set where a hook of git's calls us, or somebody who works on another repository."""

_PROTOCOLS = "file:git:http:https:ssh"
"""Those of `stagekit.ledger.git.address`; whatever git's settings allow, no program is a remote."""

_SETTINGS = (
    *("core.hooksPath=/dev/null", "gc.autoDetach=false", "protocol.version=2"),
    *("i18n.logOutputEncoding=UTF-8", "log.showSignature=false"),
    *("http.lowSpeedLimit=1", f"http.lowSpeedTime={_SILENCE_LIMIT}"),
    *("transfer.fsckObjects=true", "push.gpgSign=false", "fetch.writeCommitGraph=false"),
    "log.showSignature=false",
)


class Git:
    """Calls git on one repository of our own.

    Args:
        folder: the repository; bare.
        environ: the process's environment; credentials and proxies are taken from it.
        cancel: ends a call.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], cancel: Cancel) -> None:
        self.folder = folder
        self._environ = _environment(environ)
        self._cancel = cancel

    def call(
        self,
        *arguments: str,
        stdin: bytes = b"",
        limit: float = LOCAL_LIMIT,
        binary: bool = False,
    ) -> Result:
        """Call git, whatever comes of it.

        Args:
            arguments: what it is asked to do.
            stdin: what it reads.
            limit: seconds that it may take.
            binary: return its output as bytes.

        Raises:
            LedgerError: there is no git.
            LimitExceeded: it took too long.
            Cancelled: that was asked for meanwhile.
        """
        return process.run(
            self._argv(arguments),
            env=self._environ,
            limit=limit,
            cancel=self._cancel,
            stdin=stdin,
            binary=binary,
        )

    def exchange(self, *arguments: str) -> Result:
        """Call git for what it has to do with the remote, as `call` does."""
        return process.run(
            self._argv(arguments), env=self._reaching, limit=_REMOTE_LIMIT, cancel=self._cancel
        )

    def said(self, *arguments: str, stdin: bytes = b"", binary: bool = False) -> Result:
        """Call git for what cannot go wrong unless the repository or the machine is broken.

        Raises:
            LedgerError: it did; with what git says of it.
        """
        try:
            done = self.call(*arguments, stdin=stdin, binary=binary)
        except LimitExceeded as error:
            raise LedgerError(error.what, where=str(self.folder)) from error
        if not done.ok:
            raise LedgerError(
                f"git {arguments[0]} failed in this machine's copy of the ledger",
                where=str(self.folder),
                hint="remove that folder, and it is fetched anew",
                output=done.tail(5),
            )
        return done

    @cached_property
    def _reaching(self) -> Mapping[str, str]:
        """The environment of a call that may reach another machine: by the ssh that git itself
        would take, which must not ask."""
        ssh = (
            self._environ.get("GIT_SSH_COMMAND")
            or self.call("config", "--get", "core.sshCommand").stdout.strip()
            or shlex.quote(self._environ.get("GIT_SSH") or "ssh")
        )
        return {**self._environ, "GIT_SSH_COMMAND": " ".join([ssh, *_never_asking()])}

    def _argv(self, arguments: Sequence[str]) -> list[str]:
        settings = (part for setting in _SETTINGS for part in ("-c", setting))
        return [self._program(), *settings, "--git-dir", str(self.folder), *arguments]

    def _program(self) -> str:
        found = shutil.which("git", path=self._environ.get("PATH"))
        if found is None:
            raise LedgerError(
                "the ledger is in git, and git is not installed", hint="apt-get install git"
            )
        return found


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": environ.get("GIT_ALLOW_PROTOCOL") or _PROTOCOLS,
    }


def _never_asking() -> Sequence[str]:
    settings = (
        "BatchMode=yes",
        f"ConnectTimeout={_CONNECT_LIMIT}",
        f"ServerAliveInterval={_SILENCE_LIMIT // 3}",
        "ServerAliveCountMax=3",
    )
    return [word for setting in settings for word in ("-o", setting)]
