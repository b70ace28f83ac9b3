"""A connection to an engine, and what its failures mean.

Every call has a time limit, and every way in which it can fail becomes one line that says which
engine was asked for what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import quote

from stagekit.engine.endpoint import Endpoint
from stagekit.engine.glance import ask
from stagekit.engine.refusals import (
    first_line,
    is_transient,
    reason,
    registry_hint,
    timed_out,
)
from stagekit.engine.sdk import sdk
from stagekit.errors import EngineError, EngineRefused, LimitExceeded, RegistryError, StagekitError

_OK, _CREATED, _NO_CONTENT, _NOT_FOUND = 200, 201, 204, 404

_ANSWER_LIMIT = 60
"""Seconds an engine may take to answer."""

_PROBE_LIMIT = 5
_BROKEN = "Remote end closed connection"


class Client:
    """One engine's API, reached on first use; the SDK is imported for what needs it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connected: Any = None
        self._connecting = Lock()

    @property
    def api(self) -> Any:
        """The SDK's low-level client."""
        return self.docker.api

    @property
    def unhurried(self) -> Any:
        """The same without a limit for each answer, for streams that have one of their own
        (`stagekit.engine.streams`): the SDK leaves it out of pulls and builds alone."""
        twin = object.__new__(type(self.api))
        twin.__dict__.update(vars(self.api), timeout=None)
        return twin

    @property
    def docker(self) -> Any:
        """The SDK's client. Who waits for it waits for this engine alone: `cached_property` has,
        up to Python 3.11, one lock for all engines (https://docs.python.org/3/library/functools.html)."""
        with self._connecting:
            if self._connected is None:
                with self.asking("answer"):
                    self._connected = self._connect(_ANSWER_LIMIT)
            return self._connected

    def ping(self) -> None:
        """Raise EngineError unless the engine answers within a few seconds."""
        with self.asking("answer"):
            if self.endpoint.socket:
                status, _ = ask(self.endpoint.socket, "/_ping", limit=_PROBE_LIMIT)
                if status != _OK:
                    raise EngineRefused(f"cannot answer: status {status}", where=self.endpoint.url)
                return
            client = self._connect(_PROBE_LIMIT)
            client.ping()
            client.close()

    def image(self, reference: str) -> dict[str, Any] | None:
        """Return the engine's description of an image, or None where it has none."""
        with self.asking(f"look for image {reference}"):
            if self.endpoint.socket:
                question = f"/images/{quote(reference, safe='/:@')}/json"
                found: dict[str, Any] | None = self.glance(f"look for image {reference}", question)
                return found
            return self._inspected(reference)

    def described(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the engine says of itself: ``/info`` and ``/version``."""
        what = "say what it is"
        with self.asking(what):
            if self.endpoint.socket:
                info, version = (self.glance(what, at) for at in ("/info", "/version"))
                return info or {}, version or {}
            return self.docker.info(), self.docker.version()

    def now(self) -> datetime:
        """Tell the time by the engine's clock, which dates what it makes."""
        info, _ = self.described()
        return datetime.fromisoformat(info["SystemTime"])

    def create_volume(self, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """Create a volume, or return the one of that name as it is."""
        what = f"create volume {name}"
        with self.asking(what):
            if self.endpoint.socket:
                said = {"Name": name, "Labels": dict(labels)}
                answer = self.glance(what, "/volumes/create", method="POST", said=said)
                return answer or {}
            created: dict[str, Any] = self.api.create_volume(name, labels=dict(labels))
            return created

    def volumes(self, label: str) -> list[dict[str, Any]]:
        """Return the volumes that have a label, ``key=value``."""
        what = "list its volumes"
        with self.asking(what):
            filters = {"label": [label]}
            if self.endpoint.socket:
                found = self.glance(what, f"/volumes?filters={quote(json.dumps(filters))}")
            else:
                found = self.api.volumes(filters=filters)
            return (found or {}).get("Volumes") or []

    def remove_volume(self, name: str) -> None:
        """Remove a volume, if it is there."""
        what = f"remove volume {name}"
        with self.asking(what):
            if self.endpoint.socket:
                self.glance(what, f"/volumes/{quote(name)}", method="DELETE")
                return

            with suppress(sdk().errors.NotFound):
                self.api.remove_volume(name)

    @contextmanager
    def asking(self, what: str, *, failure: type[EngineError] = EngineRefused) -> Iterator[None]:
        """Turn what goes wrong while the engine is asked to do ``what`` into an EngineError."""
        try:
            yield
        except StagekitError:
            raise
        except Exception as error:
            meant = self._meaning(error, what, failure)
            if meant is None:
                raise
            raise meant from error

    def glance(self, what: str, question: str, *, method: str = "GET", said: Any = None) -> Any:
        """Ask at the engine's socket, without the SDK, which takes long to import.

        Args:
            what: what it is asked to do, for errors.
            question: path of its API, percent-encoded.
            method: HTTP's.
            said: goes along as JSON.

        Returns:
            The answer; None for what the engine does not have, or has nothing to say of.

        Raises:
            EngineRefused: in the engine's own words.
        """
        assert self.endpoint.socket
        socket, limit = self.endpoint.socket, _ANSWER_LIMIT
        status, found = ask(socket, question, limit=limit, method=method, said=said)
        if status in (_NOT_FOUND, _NO_CONTENT):
            return None
        if status not in (_OK, _CREATED) or not isinstance(found, dict | list):
            message = found.get("message") if isinstance(found, dict) else f"status {status}"
            raise EngineRefused(f"cannot {what}: {first_line(message)}", where=self.endpoint.url)
        return found

    def _inspected(self, reference: str) -> dict[str, Any] | None:

        try:
            found: dict[str, Any] = self.api.inspect_image(reference)
        except sdk().errors.NotFound:  # an image that is not there is one, too
            return None
        return found

    def _meaning(
        self, error: Exception, what: str, failure: type[EngineError]
    ) -> EngineError | None:
        from http.client import HTTPException

        import requests
        import urllib3

        errors = sdk().errors

        if isinstance(error, errors.APIError):
            text = first_line(error.explanation or error)
            if failure is RegistryError:
                return RegistryError(
                    f"cannot {what}: {text}",
                    where=self.endpoint.url,
                    hint=registry_hint(text),
                    transient=is_transient(text),
                    missing=isinstance(error, errors.NotFound),
                )
            return failure(f"cannot {what}: {text}", where=self.endpoint.url)
        cut_off = (urllib3.exceptions.HTTPError, HTTPException, json.JSONDecodeError)
        if not isinstance(
            error, (requests.RequestException, errors.DockerException, OSError, *cut_off)
        ):
            return None
        late = timed_out(error)
        kind = LimitExceeded if late else EngineError
        cause = "nothing was heard in time" if late else reason(error)
        if self.endpoint.tunnel and _BROKEN in cause:
            cause = "the connection to its host ended"
        return kind(
            f"the engine does not {what}: {cause}",
            where=self.endpoint.url,
            hint=self.endpoint.hint,
        )

    def _connect(self, limit: int) -> Any:
        docker = sdk()  # before what imports parts of it
        from stagekit.engine.tls import tls_config

        if self.endpoint.tunnel:
            from stagekit.engine.pooled import pooled_client

            return pooled_client(self.endpoint.tunnel, limit)
        url = self.endpoint.url
        if url.startswith("ssh://"):
            from stagekit.engine.over_ssh import ssh_client

            return ssh_client(url, limit)
        return docker.DockerClient(
            base_url=url, tls=tls_config(self.endpoint) or False, timeout=limit
        )
