"""Files put on an engine's host, wherever that is, so that containers can mount them.

They go through a container that is made for that and never started: the engine itself unpacks what
it is handed into the folder that the container would mount. So a remote engine gets them as a
local one does, and so does one that is reached through its socket from within a container.
"""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import PurePosixPath

from stagekit.engine.client import Client
from stagekit.engine.sdk import sdk
from stagekit.errors import EngineError

_LABEL = "stagekit.placing"
_MOUNTED = "/stagekit"
_LEFT_BEHIND = 600
"""Seconds after which such a container is one whose process was killed."""

_PLAIN, _RUNNABLE = 0o644, 0o755
_MODE = 0o7777  # Docker writes the kind of file along with it

Placed = dict[str, tuple[bytes, bool]]
"""Content of each file, and whether it may be run."""


def place(
    client: Client, files: Mapping[str, bytes], *, executable: Collection[str], image: str
) -> PurePosixPath:
    """Do what `stagekit.protocols.Engine.place` says."""
    folder = files_folder(client)
    wanted = {path: (data, path in executable) for path, data in files.items()}
    with client.asking("take up files"), _container(client, folder, image) as container:
        for name, content in _by_folder(wanted).items():
            if _placed(client, container, name) == content:
                continue  # what a running container mounts is not written again
            client.api.put_archive(container, _MOUNTED, _packed(content))
            if _placed(client, container, name) != content:
                raise EngineError(
                    "files on the engine's host are not what was put there",
                    where=str(folder / name),
                    hint="remove that folder there, and run again",
                )
    return folder


def files_folder(client: Client) -> PurePosixPath:
    """Do what `stagekit.protocols.Engine.files_folder` says."""
    info, _ = client.described()
    return PurePosixPath(info["DockerRootDir"]) / "stagekit"


@contextmanager
def _container(client: Client, folder: PurePosixPath, image: str) -> Iterator[str]:
    settings = client.api.create_host_config(binds=[f"{folder}:{_MOUNTED}"])
    made: str = client.api.create_container(
        image, ["never started"], host_config=settings, labels={_LABEL: ""}
    )["Id"]
    try:
        _remove_left_behind(client, made)
        yield made
    finally:
        with suppress(EngineError), client.asking("remove a container"):
            client.api.remove_container(made, force=True)


def _remove_left_behind(client: Client, ours: str) -> None:
    found = client.api.containers(all=True, filters={"label": _LABEL})
    now = next((item["Created"] for item in found if item["Id"] == ours), 0)
    for item in found:
        if now - item["Created"] > _LEFT_BEHIND:
            client.api.remove_container(item["Id"], force=True)


def _by_folder(files: Placed) -> dict[str, Placed]:
    """Group files by the content-addressed folder that they are in: ``files/<sha256>``."""
    folders: dict[str, Placed] = {}
    for path, content in files.items():
        name = str(PurePosixPath(*PurePosixPath(path).parts[:2]))
        folders.setdefault(name, {})[path] = content
    return folders


def _packed(files: Placed) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, (data, runnable) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            entry.mode = _RUNNABLE if runnable else _PLAIN
            tar.addfile(entry, BytesIO(data))
    return packed.getvalue()


def _placed(client: Client, container: str, name: str) -> Placed:
    """Return what is in a folder on the engine's host; nothing where there is none."""
    try:
        chunks, _ = client.api.get_archive(container, f"{_MOUNTED}/{name}")
    except sdk().errors.NotFound:
        return {}
    above = PurePosixPath(name).parent
    with tarfile.open(fileobj=BytesIO(b"".join(chunks))) as tar:
        return {
            str(above / entry.name): (content.read(), entry.mode & _MODE == _RUNNABLE)
            for entry in tar.getmembers()
            if (content := tar.extractfile(entry))
        }
