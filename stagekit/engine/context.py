"""What of an image's folder travels to a builder.

`.dockerignore` says what stays behind; the project's own records and environments always do: a
build knows no environment.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from stagekit.errors import InputError
from stagekit.protocols import ImageSpec

if TYPE_CHECKING:
    from docker.utils.build import Pattern

_IGNORE = ".dockerignore"
_APART = ".dockerfile.stagekit"
"""The name in the archive of a Dockerfile that does not travel as part of the context."""


def ignore_patterns(spec: ImageSpec) -> tuple[str, ...]:
    """Return the patterns of files that stay behind, in `.dockerignore`'s form.

    ``<Dockerfile>.dockerignore`` goes before ``.dockerignore``, as BuildKit has it.
    """
    own = spec.dockerfile.with_name(f"{spec.dockerfile.name}.dockerignore")
    file = own if own.is_file() else spec.context / _IGNORE
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    written = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    # After `*` and `!*/**`, BuildKit takes a folder's name alone for the folder, not what is in it.
    hidden = (pattern for folder in spec.hidden for pattern in (folder, f"{folder}/**"))
    return (*written, *hidden)


def check_dockerfile(spec: ImageSpec) -> None:
    """Raise InputError unless the Dockerfile is there and has something in it."""
    if not spec.dockerfile.is_file():
        raise InputError(
            f"there is no {spec.dockerfile.name}",
            where=f"image {spec.name}",
            hint="set dockerfile, relative to the image's context",
        )
    if not spec.dockerfile.read_text("utf-8", "replace").strip():
        raise InputError("the Dockerfile is empty", where=f"image {spec.name}")


@contextmanager
def archive(spec: ImageSpec) -> Iterator[tuple[BinaryIO, str]]:
    """Pack the context as a tar archive for the engine's own builder.

    Yields:
        The archive, and the name the Dockerfile has in it.
    """
    from docker.utils.build import Pattern, create_archive

    patterns = [Pattern(text) for text in ignore_patterns(spec)]
    files = list(_travelling(spec.context, "", [item for item in patterns if item.dirs]))
    name, extra = os.path.relpath(spec.dockerfile, spec.context), []
    if name not in files:  # the engine drops what .dockerignore names, once it has read it
        kept = (spec.context / _IGNORE).read_text("utf-8") if _IGNORE in files else _IGNORE
        name = _APART
        extra = [(name, spec.dockerfile.read_text("utf-8")), (_IGNORE, f"{kept}\n{name}\n")]
    with cast("BinaryIO", create_archive(str(spec.context), files, extra_files=extra)) as packed:
        yield packed, name


def _travelling(
    folder: Path, prefix: str, patterns: Sequence[Pattern], above: Sequence[bool] | None = None
) -> Iterator[str]:
    """Yield the files and folders that no pattern keeps behind. Of the patterns that match an
    entry or a folder above it, the last one decides.

    The SDK's own walk leaves out what ``!*/**`` brings back.
    """
    excepting = any(pattern.exclusion for pattern in patterns)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = prefix + entry.name
        known = above or [False] * len(patterns)
        matched = [was or item.match(name) for was, item in zip(known, patterns, strict=True)]
        behind = False
        for pattern, match in zip(patterns, matched, strict=True):
            behind = not pattern.exclusion if match else behind
        if not behind:
            yield name
        if entry.is_dir(follow_symlinks=False) and (excepting or not behind):
            yield from _travelling(Path(entry.path), f"{name}/", patterns, matched)


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
