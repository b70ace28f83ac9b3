"""What of an image's folder travels to a builder.

`.dockerignore` says what stays behind; the project's own records and environments always do: a
build knows no environment.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from stagekit.errors import InputError
from stagekit.protocols import ImageSpec

_OUTSIDE = ".dockerfile.stagekit"
"""The name a Dockerfile from outside the context has in the archive."""


def ignore_patterns(spec: ImageSpec) -> tuple[str, ...]:
    """Return the patterns of files that stay behind, in `.dockerignore`'s form.

    ``<Dockerfile>.dockerignore`` goes before ``.dockerignore``, as BuildKit has it.
    """
    own = spec.dockerfile.with_name(f"{spec.dockerfile.name}.dockerignore")
    file = own if own.is_file() else spec.context / ".dockerignore"
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    written = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return (*written, *spec.hidden)


def check_dockerfile(spec: ImageSpec, where: str) -> None:
    """Raise InputError unless the Dockerfile is there and has something in it."""
    if not spec.dockerfile.is_file():
        raise InputError(
            f"there is no {spec.dockerfile.name}",
            where=where,
            hint="set dockerfile, relative to the image's context",
        )
    if not spec.dockerfile.read_text("utf-8", "replace").strip():
        raise InputError("the Dockerfile is empty", where=where)


@contextmanager
def archive(spec: ImageSpec) -> Iterator[tuple[BinaryIO, str]]:
    """Pack the context as a tar archive for the engine's own builder.

    Yields:
        The archive, and the name the Dockerfile has in it.
    """
    from docker.utils.build import tar

    if spec.dockerfile.is_relative_to(spec.context):
        name, text = str(spec.dockerfile.relative_to(spec.context)), None
    else:
        name, text = _OUTSIDE, spec.dockerfile.read_text("utf-8")
    # types-docker asks for a PathLike, the SDK for a str.
    folder: Any = str(spec.context)
    packed = cast(
        "BinaryIO", tar(folder, exclude=list(ignore_patterns(spec)), dockerfile=(name, text))
    )
    with packed:
        yield packed, name


@contextmanager
def ignoring_dockerfile(spec: ImageSpec) -> Iterator[Path]:
    """Lay a copy of the Dockerfile where BuildKit finds our patterns next to it.

    BuildKit reads ``<Dockerfile>.dockerignore`` from wherever the Dockerfile lies, and the context
    itself is still sent incrementally.
    """
    with tempfile.TemporaryDirectory(prefix="stagekit-") as folder:
        copy = Path(folder) / spec.dockerfile.name
        shutil.copyfile(spec.dockerfile, copy)
        patterns = "\n".join(ignore_patterns(spec)) + "\n"
        copy.with_name(f"{copy.name}.dockerignore").write_text(patterns, "utf-8")
        yield copy
