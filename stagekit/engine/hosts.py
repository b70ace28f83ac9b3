"""The engines of several hosts, each reached over one connection."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore

from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.engine.discovery import certificates_folder, context_endpoint
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.ssh import Connection
from stagekit.errors import EngineError
from stagekit.records import EngineFacts

_LOGINS_AT_ONCE = 8
"""sshd refuses some of more than ten that have not logged in yet (MaxStartups, sshd_config(5)):
hosts may be behind one."""

_AT_ONCE = 16
_SHORT = Path("/tmp")  # noqa: S108  # nosec B108  # mkdtemp makes a folder of our own in it
_ROOM = 107 - len("/stagekit-ssh-12345678/1000.ctl.1234567890123456")
"""Characters that the path of a folder for sockets may have: a socket's is limited to 107
(unix(7)), and ssh puts 17 behind that of its own while it makes it."""


class Hosts:
    """The engines of a fleet's hosts. Nothing is asked of one before it is opened.

    Args:
        sessions: how much is asked at a time over the one connection to a host.
        environ: the process's environment.
    """

    def __init__(self, sessions: int, environ: Mapping[str, str]) -> None:
        self._sessions = sessions
        self._environ = environ
        self._logins = BoundedSemaphore(_LOGINS_AT_ONCE)
        self._folder: Path | None = None
        self._engines: dict[str, DockerEngine] = {}
        self._connections: dict[str, Connection] = {}
        self._nowhere: dict[str, EngineError] = {}

    def engine(self, name: str, url: str) -> DockerEngine:
        """Return the engine of a host, whether it can be reached or not.

        Args:
            name: the host's.
            url: ``ssh://``, ``tcp://``, ``unix://`` or ``context://``.
        """
        if name not in self._engines:
            try:
                endpoint = self._endpoint(name, url)
            except EngineError as error:
                self._nowhere[name] = error
                endpoint = Endpoint(url, f"host {name}", named=True)
            self._engines[name] = DockerEngine(endpoint, self._environ)
        return self._engines[name]

    def open(self, name: str, url: str, cancel: Cancel) -> EngineFacts:
        """Connect to a host, and return what its engine says of itself.

        Args:
            name: as `engine` takes it.
            url: as `engine` takes it.
            cancel: stops it.

        Raises:
            EngineError: it does not answer, or there is no such docker context; says what would
                help.
        """
        engine, connection = self.engine(name, url), self._connections.get(name)
        if name in self._nowhere:
            raise self._nowhere[name]
        if connection:
            with self._logins:
                connection.open(cancel)
        try:
            return engine.facts()
        except EngineError as error:
            if connection and connection.said:
                error.output = connection.said
                error.what = f"the engine of the host does not answer: {connection.said[-1]}"
                error.hint = "docker system dial-stdio has to work there for this user"
            raise

    def close(self) -> None:
        """End every connection, side by side: each is an ssh that is asked to."""
        if self._connections:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                tuple(pool.map(Connection.close, self._connections.values()))
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        self._engines, self._connections = {}, {}

    def _endpoint(self, name: str, url: str) -> Endpoint:
        if url.startswith("context://"):
            endpoint = context_endpoint(url.removeprefix("context://"), self._environ)
        else:
            endpoint = Endpoint(url, f"host {name}", named=True)
        if endpoint.url.startswith("ssh://"):
            connection = self._connections[name] = self._connection(endpoint.url)
            return replace(endpoint, tunnel=connection.socket)
        if endpoint.url.startswith("tcp://") and not endpoint.context:
            folder = certificates_folder(self._environ)
            own = folder / name if folder else None
            return replace(
                endpoint,
                certificates=own if own and own.is_dir() else folder,
                verify=bool(self._environ.get("DOCKER_TLS_VERIFY")),
            )
        return endpoint

    def _connection(self, url: str) -> Connection:
        if self._folder is None:
            usual = Path(tempfile.gettempdir())
            place = usual if len(str(usual)) <= _ROOM else _SHORT
            self._folder = Path(tempfile.mkdtemp(prefix="stagekit-ssh-", dir=place))  # 0700
        path = self._folder / str(len(self._connections))
        return Connection(url, path, self._sessions, self._environ)
