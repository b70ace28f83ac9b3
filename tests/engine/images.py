"""What is in an image, looked at from outside stagekit."""

from __future__ import annotations

import tarfile
from contextlib import closing
from io import BytesIO
from typing import Any

from tests.conftest import Machine


def files(machine: Machine, image: dict[str, Any], folder: str = "src") -> dict[str, bytes]:
    """Return what lies below a folder of an image."""
    with closing(machine.client()) as client:
        container = client.containers.create(image["image_id"], command=["true"])
        try:
            packed = b"".join(container.export())
        finally:
            container.remove()
    with tarfile.open(fileobj=BytesIO(packed)) as tar:
        return {
            entry.name.removeprefix(f"{folder}/"): content.read()
            for entry in tar.getmembers()
            if entry.name.startswith(f"{folder}/") and (content := tar.extractfile(entry))
        }
