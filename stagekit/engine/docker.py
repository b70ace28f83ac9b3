"""The Docker Engine by its API, through the docker SDK (the `stagekit.protocols.Engine`).

Every call has a time limit, and every way in which it can fail becomes one line that says which
engine was asked for what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, BinaryIO

from stagekit.engine.container import COMPOSE_PROJECT, describe
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.reference import split_reference
from stagekit.engine.refusals import (
    first_line,
    raise_registry_error,
    reason,
    registry_hint,
    timed_out,
)
from stagekit.engine.streams import watched
from stagekit.errors import EngineError, EngineRefused, LimitExceeded, RegistryError, StagekitError
from stagekit.events import Emit, Progress
from stagekit.process import Cancel
from stagekit.protocols import Container, ImageFacts
from stagekit.records import EngineFacts

_ANSWER_LIMIT = 60
"""Seconds an engine may take to answer."""

_TRANSFER_SILENCE = 300.0
_BUILD_SILENCE = 3_600.0

_PROBE_LIMIT = 5
_PASSED_ON = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "SSH_AUTH_SOCK",
    "DOCKER_CONFIG",
)


class DockerEngine:
    """One engine, reached on first use.

    Args:
        endpoint: where it is.
        environ: what Docker's own programs may see of the process's environment is picked from it.
    """

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._environ = environ

    @property
    def url(self) -> str:
        return self.endpoint.url

    @property
    def local(self) -> bool:
        return self.endpoint.socket is not None

    def environment(self) -> dict[str, str]:
        passed = {name: self._environ[name] for name in _PASSED_ON if name in self._environ}
        if self.endpoint.context:  # Docker's own programs read it as it was written
            return {**passed, "DOCKER_CONTEXT": self.endpoint.context}
        passed["DOCKER_HOST"] = self.url
        if self.endpoint.certificates:
            passed["DOCKER_CERT_PATH"] = str(self.endpoint.certificates)
            passed["DOCKER_TLS_VERIFY" if self.endpoint.verify else "DOCKER_TLS"] = "1"
        return passed

    def ping(self) -> None:
        """Raise EngineError unless the engine answers within a few seconds."""
        with self._asking("answer"):
            client = self._connect(_PROBE_LIMIT)
            client.ping()
            client.close()

    def facts(self) -> EngineFacts:
        with self._asking("say what it is"):
            info, version = self._client.info(), self._client.version()
        return EngineFacts(
            id=info.get("ID") or info.get("Name") or "unknown",
            url=self.url,
            version=version.get("Version", "unknown"),
            api=version.get("ApiVersion", "unknown"),
            platform=f"{version.get('Os', 'linux')}/{version.get('Arch', 'unknown')}",
        )

    def image(self, reference: str) -> ImageFacts | None:
        from docker.errors import ImageNotFound, NotFound

        with self._asking(f"look for image {reference}"):
            try:
                found = self._client.api.inspect_image(reference)
            except (ImageNotFound, NotFound):
                return None
        return ImageFacts(
            id=found["Id"],
            size=found.get("Size") or 0,
            digests=tuple(found.get("RepoDigests") or ()),
        )

    def tag(self, image: str, reference: str) -> None:
        """Give an image on the engine one more name."""
        repository, tag = split_reference(reference)
        with self._asking(f"tag {reference}"):
            self._client.api.tag(image, repository, tag)

    def pull(self, reference: str, *, emit: Emit, cancel: Cancel) -> None:
        repository, tag = split_reference(reference)
        with self._asking(f"pull {reference}", failure=RegistryError):
            api = self._client.api
            stream = partial(api.pull, repository, tag=tag, stream=True, decode=True)
            for entry in self._follow(stream, "pull", reference, emit, cancel):
                raise_registry_error(entry, reference)

    def push(self, reference: str, *, emit: Emit, cancel: Cancel) -> str:
        repository, tag = split_reference(reference)
        stated = None
        with self._asking(f"push {reference}", failure=RegistryError):
            api = self._client.api
            stream = partial(api.push, repository, tag=tag, stream=True, decode=True)
            for entry in self._follow(stream, "push", reference, emit, cancel):
                raise_registry_error(entry, reference)
                stated = (entry.get("aux") or {}).get("Digest") or stated
        answered = self.registry_digest(reference)
        if stated and stated != answered:
            raise RegistryError(
                f"took {stated}, and now answers {answered}: somebody else pushed the same tag",
                where=reference,
                hint="inv build again; a build's own tag must be pushed by that build alone",
            )
        return answered

    def registry_digest(self, reference: str) -> str:
        with self._asking(f"ask for the digest of {reference}", failure=RegistryError):
            answer = self._client.api.inspect_distribution(reference)
        return str(answer["Descriptor"]["digest"])

    def build_context(
        self,
        context: BinaryIO,
        *,
        dockerfile: str,
        tag: str,
        args: Mapping[str, str],
        target: str | None,
        cancel: Cancel,
    ) -> Iterator[dict[str, Any]]:
        """Build a context with the engine's own builder; yield what it says, entry by entry.

        Args:
            context: a tar archive.
            dockerfile: the Dockerfile's name in it.
            tag: the reference the image gets.
            args: build arguments.
            target: stage to stop at.
            cancel: stops it.
        """
        with self._asking("build"):
            stream = partial(
                self._client.api.build,
                fileobj=context,
                custom_context=True,
                dockerfile=dockerfile,
                tag=tag,
                buildargs=dict(args),
                target=target,
                decode=True,
                rm=True,
                forcerm=True,
            )
            yield from watched(stream, silence=_BUILD_SILENCE, cancel=cancel)

    def import_image(self, archive: BinaryIO, reference: str, changes: Iterable[str]) -> None:
        """Make an image of one layer from a tar archive of a root file system."""
        repository, tag = split_reference(reference)
        with self._asking(f"import {reference}"):
            self._client.api.import_image_from_data(
                archive, repository=repository, tag=tag, changes=list(changes)
            )

    def containers(self, project: str | None = None) -> tuple[Container, ...]:
        label = f"{COMPOSE_PROJECT}={project}" if project else None
        with self._asking("list its containers"):
            listed = self._client.api.containers(
                all=project is not None, filters={"label": label} if label else None
            )
            return tuple(
                container
                for entry in listed
                if (container := self._container(entry["Id"])) is not None
            )

    def run_container(
        self, image: str, name: str, *, port: str, published: str, folder: str
    ) -> None:
        """Start a container that starts again with the engine.

        Args:
            image: what it runs.
            name: its name, and that of the volume that it keeps its data in.
            port: the port it listens at, as ``5000/tcp``.
            published: where that is reached, as ``127.0.0.1:5005``.
            folder: where the volume is mounted.
        """
        host, _, number = published.rpartition(":")
        with self._asking(f"start {name}"):
            self._client.containers.run(
                image,
                name=name,
                detach=True,
                ports={port: (host, int(number))},
                restart_policy={"Name": "unless-stopped"},
                volumes={name: {"bind": folder}},
            )

    def remove_container(self, name: str) -> bool:
        """Remove a container, not its named volumes; return whether there was one."""
        from docker.errors import NotFound

        with self._asking(f"remove {name}"):
            try:
                self._client.api.remove_container(name, v=True, force=True)
            except NotFound:
                return False
        return True

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        with self._asking(f"give the logs of {container[:12]}"):
            text = self._client.api.logs(container, tail=lines, stdout=True, stderr=True)
        return tuple(text.decode("utf-8", "replace").splitlines()[-lines:])

    @cached_property
    def _client(self) -> Any:
        with self._asking("answer"):
            return self._connect(_ANSWER_LIMIT)

    def _connect(self, limit: int) -> Any:
        import docker

        from stagekit.engine.tls import tls_config

        return docker.DockerClient(
            base_url=self.url,
            tls=tls_config(self.endpoint) or False,
            timeout=limit,
            use_ssh_client=self.url.startswith("ssh://"),
        )

    @contextmanager
    def _asking(self, what: str, *, failure: type[EngineError] = EngineRefused) -> Iterator[None]:
        """Turn what goes wrong while the engine is asked to do ``what`` into an EngineError."""
        import requests
        from docker.errors import APIError, DockerException

        try:
            yield
        except StagekitError:
            raise
        except APIError as error:
            text = first_line(error.explanation or error)
            hint = registry_hint(text) if failure is RegistryError else None
            raise failure(f"cannot {what}: {text}", where=self.url, hint=hint) from error
        except (requests.RequestException, DockerException, OSError) as error:
            kind = LimitExceeded if timed_out(error) else EngineError
            cause = "nothing was heard in time" if timed_out(error) else reason(error)
            raise kind(
                f"the engine does not {what}: {cause}",
                where=self.url,
                hint=self.endpoint.hint,
            ) from error

    def _follow(
        self,
        stream: Callable[[], Iterable[dict[str, Any]]],
        step: str,
        subject: str,
        emit: Emit,
        cancel: Cancel,
    ) -> Iterator[dict[str, Any]]:
        for entry in watched(stream, silence=_TRANSFER_SILENCE, cancel=cancel):
            if entry.get("id") and entry.get("status"):
                text = f"{entry['id']}: {entry['status']} {entry.get('progress', '')}"
                emit(Progress(step, subject, text.strip()))
            yield entry

    def _container(self, id: str) -> Container | None:
        from docker.errors import NotFound

        try:
            found = self._client.api.inspect_container(id)
        except NotFound:  # gone since it was listed
            return None
        return describe(found)
