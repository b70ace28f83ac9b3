"""The Docker Engine by its API, through the docker SDK (the `stagekit.protocols.Engine`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from stagekit.cancel import Cancel
from stagekit.containers import CheckedBuild, Container, Volume
from stagekit.engine import containers, transfers
from stagekit.engine.client import Client
from stagekit.engine.container import COMPOSE_PROJECT
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.leasing import Leasing
from stagekit.engine.reference import split_reference
from stagekit.engine.streams import watched
from stagekit.events import Emit
from stagekit.images import ImageFacts, ImageSpec
from stagekit.records import EngineFacts, Standing

if TYPE_CHECKING:
    from stagekit.engine.lease import Lock

_BUILD_SILENCE = 3_600.0

_CONTAINERD = "io.containerd.snapshotter"

_PASSED_ON = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "SSH_AUTH_SOCK",
    "DOCKER_CONFIG",
)


class DockerEngine(Leasing):
    """One engine, reached on first use.

    Args:
        endpoint: where it is.
        environ: what Docker's own programs may see of the process's environment is picked from it.
    """

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._environ = environ
        self._client = Client(endpoint)

    @property
    def url(self) -> str:
        return self.endpoint.url

    @property
    def local(self) -> bool:
        return self.endpoint.socket is not None

    def environment(self) -> dict[str, str]:
        passed = {name: self._environ[name] for name in _PASSED_ON if name in self._environ}
        if (
            self.endpoint.context and not self.endpoint.tunnel
        ):  # Docker's own programs read it as it was written
            return {**passed, "DOCKER_CONTEXT": self.endpoint.context}
        passed["DOCKER_HOST"] = self.endpoint.dialled
        if self.endpoint.certificates:
            passed["DOCKER_CERT_PATH"] = str(self.endpoint.certificates)
            passed["DOCKER_TLS_VERIFY" if self.endpoint.verify else "DOCKER_TLS"] = "1"
        return passed

    def ping(self) -> None:
        """Raise EngineError unless the engine answers within a few seconds."""
        self._client.ping()

    def facts(self) -> EngineFacts:
        info, version = self._client.described()
        return EngineFacts(
            id=info.get("ID") or info.get("Name") or "unknown",
            url=self.url,
            version=version.get("Version", "unknown"),
            api=version.get("ApiVersion", "unknown"),
            platform=f"{version.get('Os', 'linux')}/{version.get('Arch', 'unknown')}",
            image_store="containerd" if _CONTAINERD in str(info.get("DriverStatus")) else "classic",
        )

    def image(self, reference: str) -> ImageFacts | None:
        found = self._client.image(reference)
        if found is None:
            return None
        return ImageFacts(
            id=found["Id"],
            size=found.get("Size") or 0,
            digests=tuple(found.get("RepoDigests") or ()),
        )

    def tag(self, image: str, reference: str) -> None:
        """Give an image on the engine one more name."""
        repository, tag = split_reference(reference)
        with self._client.asking(f"tag {reference}"):
            self._client.api.tag(image, repository, tag)

    def pull(self, reference: str, *, emit: Emit, cancel: Cancel) -> None:
        transfers.pull(self._client, reference, emit=emit, cancel=cancel)

    def push(self, reference: str, *, shared: bool = False, emit: Emit, cancel: Cancel) -> str:
        return transfers.push(self._client, reference, shared=shared, emit=emit, cancel=cancel)

    def registry_digest(self, reference: str) -> str:
        return transfers.registry_digest(self._client, reference)

    def build_context(
        self, context: BinaryIO, spec: ImageSpec, *, dockerfile: str, cancel: Cancel
    ) -> Iterator[dict[str, Any]]:
        """Build a context with the engine's own builder; yield what it says, entry by entry.

        Args:
            context: a tar archive.
            spec: what is built; the image gets the first of its references.
            dockerfile: the Dockerfile's name in the archive.
            cancel: stops it.
        """
        with self._client.asking("build"):
            stream = partial(
                self._client.api.build,
                fileobj=context,
                custom_context=True,
                dockerfile=dockerfile,
                tag=spec.references[0],
                buildargs=dict(spec.args),
                labels=dict(spec.labels),
                target=spec.target,
                platform=spec.platforms[0] if spec.platforms else None,
                cache_from=list(spec.cache_from),
                decode=True,
                rm=True,
                forcerm=True,
            )
            yield from watched(stream, silence=_BUILD_SILENCE, cancel=cancel)

    def check(
        self,
        image: str,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None,
        build: CheckedBuild,
        limit: float,
        on_line: Callable[[str], None],
        cancel: Cancel,
    ) -> int:
        from stagekit.engine.command import run_command

        return run_command(
            self._client,
            image,
            command,
            entrypoint=entrypoint,
            build=build,
            limit=limit,
            on_line=on_line,
            cancel=cancel,
        )

    def remove_checks(self, project: str, left: Callable[[str], bool]) -> None:
        from stagekit.engine.command import remove_left

        remove_left(self._client, project, left)

    def load(self, archive: Path, *, cancel: Cancel) -> None:
        transfers.load(self._client, archive, cancel=cancel)

    def save(self, image: str, archive: Path, *, cancel: Cancel) -> None:
        transfers.save(self._client, image, archive, cancel=cancel)

    def place(
        self, files: Mapping[str, bytes], *, executable: Collection[str], image: str
    ) -> PurePosixPath:
        from stagekit.engine.placing import place

        return place(self._client, files, executable=executable, image=image)

    def files_folder(self) -> PurePosixPath:
        from stagekit.engine.placing import files_folder

        return files_folder(self._client)

    def import_image(self, archive: BinaryIO, reference: str, changes: Iterable[str]) -> None:
        """Make an image of one layer from a tar archive of a root file system."""
        repository, tag = split_reference(reference)
        with self._client.asking(f"import {reference}"):
            self._client.api.import_image_from_data(
                archive, repository=repository, tag=tag, changes=list(changes)
            )

    def containers(self, project: str | None = None) -> tuple[Container, ...]:
        return containers.listed(self._client, project)

    def volumes(self, project: str) -> tuple[Volume, ...]:
        return tuple(
            Volume(
                name=found["Name"],
                driver=found.get("Driver") or "",
                options=found.get("Options") or {},
                labels=found.get("Labels") or {},
            )
            for found in self._client.volumes(f"{COMPOSE_PROJECT}={project}")
        )

    def run_container(
        self, image: str, name: str, *, port: str, published: str, folder: str
    ) -> None:
        """Do what `stagekit.engine.containers.start` says."""
        containers.start(self._client, image, name, port=port, published=published, folder=folder)

    def remove_container(self, name: str) -> bool:
        """Remove a container, not its named volumes; return whether there was one."""
        return containers.remove(self._client, name)

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        return containers.logs(self._client, container, lines)

    def execute(self, container: str, argv: Sequence[str], *, limit: float) -> tuple[int, bytes]:
        from stagekit.engine.command import execute

        return execute(self._client, container, argv, limit=limit)

    def remove_once(
        self, project: str, label: str, left: Callable[[str], bool] = lambda _: True
    ) -> None:
        from stagekit.engine.command import remove_once

        remove_once(self._client, project, label, left)

    def remove_compared(self, left: Callable[[str], bool]) -> tuple[str, ...]:
        from stagekit.engine.compared import remove_compared

        return remove_compared(self._client, left)

    def keep_standing(self, standing: Standing) -> None:
        from stagekit.engine.standing import keep

        keep(self._client, standing)

    def standing(self, name: str) -> Standing | None:
        from stagekit.engine.standing import standing

        return standing(self._client, name)

    def free_disk(self) -> int | None:
        if not self.local:
            return None
        info, _ = self._client.described()
        try:
            return shutil.disk_usage(info["DockerRootDir"]).free
        except OSError:  # the engine's folder is another user's, or in a namespace of its own
            return None

    def _lock(self, name: str) -> Lock:
        from stagekit.engine.volume_lock import VolumeLock

        return VolumeLock(self._client, name)
