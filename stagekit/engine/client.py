"""A connection to an engine, and what its failures mean.

Every call has a time limit, and every way in which it can fail becomes one line that says which
engine was asked for what.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
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
from stagekit.errors import EngineError, EngineRefused, LimitExceeded, RegistryError, StagekitError

_ANSWER_LIMIT = 60
"""Seconds an engine may take to answer."""

_PROBE_LIMIT = 5


class Client:
    """One engine's API, reached on first use; the SDK is imported for what needs it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    @property
    def api(self) -> Any:
        """The SDK's low-level client."""
        return self.docker.api

    @cached_property
    def docker(self) -> Any:
        """The SDK's client."""
        with self.asking("answer"):
            return self._connect(_ANSWER_LIMIT)

    def ping(self) -> None:
        """Raise EngineError unless the engine answers within a few seconds."""
        with self.asking("answer"):
            if self.endpoint.socket:
                status, _ = ask(self.endpoint.socket, "/_ping", limit=_PROBE_LIMIT)
                if status != HTTPStatus.OK:
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
                status, found = ask(self.endpoint.socket, question, limit=_ANSWER_LIMIT)
                if status == HTTPStatus.NOT_FOUND:
                    return None
                if status != HTTPStatus.OK or not isinstance(found, dict):
                    said = found.get("message") if isinstance(found, dict) else f"status {status}"
                    raise EngineRefused(
                        f"cannot look for image {reference}: {first_line(said)}",
                        where=self.endpoint.url,
                    )
                return found
            return self._inspected(reference)

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

    def _inspected(self, reference: str) -> dict[str, Any] | None:
        from docker.errors import ImageNotFound, NotFound

        try:
            found: dict[str, Any] = self.api.inspect_image(reference)
        except (ImageNotFound, NotFound):
            return None
        return found

    def _meaning(
        self, error: Exception, what: str, failure: type[EngineError]
    ) -> EngineError | None:
        import requests
        from docker.errors import APIError, DockerException

        if isinstance(error, APIError):
            text = first_line(error.explanation or error)
            if failure is RegistryError:
                return RegistryError(
                    f"cannot {what}: {text}",
                    where=self.endpoint.url,
                    hint=registry_hint(text),
                    transient=is_transient(text),
                )
            return failure(f"cannot {what}: {text}", where=self.endpoint.url)
        if not isinstance(error, requests.RequestException | DockerException | OSError):
            return None
        late = timed_out(error)
        kind = LimitExceeded if late else EngineError
        cause = "nothing was heard in time" if late else reason(error)
        return kind(
            f"the engine does not {what}: {cause}",
            where=self.endpoint.url,
            hint=self.endpoint.hint,
        )

    def _connect(self, limit: int) -> Any:
        import docker

        from stagekit.engine.tls import tls_config

        url = self.endpoint.url
        return docker.DockerClient(
            base_url=url,
            tls=tls_config(self.endpoint) or False,
            timeout=limit,
            use_ssh_client=url.startswith("ssh://"),
        )
