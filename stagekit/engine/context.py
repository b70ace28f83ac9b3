"""What of an image's folder travels to a builder.

`.dockerignore` says what stays behind; the project's own records, environments and templates of
releases always do: a build knows no environment.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from warnings import catch_warnings, simplefilter

from msgspec.structs import replace

from stagekit.engine.sdk import sdk
from stagekit.errors import InputError
from stagekit.images import ImageSpec

if TYPE_CHECKING:
    from docker.utils.build import Pattern

_IGNORE = ".dockerignore"
_ANY = "[^/]"
_STAR = f"{_ANY}*"
_APART = ".dockerfile.stagekit"
"""The name in the archive of a Dockerfile that does not travel as part of the context."""


def ignore_patterns(spec: ImageSpec) -> tuple[str, ...]:
    """Return the patterns of files that stay behind, in `.dockerignore`'s form.

    ``<Dockerfile>.dockerignore`` goes before ``.dockerignore``, as BuildKit has it.
    """
    own = spec.dockerfile.with_name(f"{spec.dockerfile.name}.dockerignore")
    file = own if own.is_file() else spec.context / _IGNORE
    lines = file.read_text("utf-8-sig", "surrogateescape").splitlines() if file.is_file() else []
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


class Ignoring:
    """Says which entries of a context stay behind. Of the patterns that match an entry or a folder
    above it, the last one decides.

    The SDK's own walk leaves out what ``!*/**`` brings back; its reading of one pattern is used.

    Args:
        patterns: in `.dockerignore`'s form.
        known: what an earlier one with these patterns said of entries: path → travels. Those are
            not asked about again, and where all are known the SDK is not even imported.
    """

    def __init__(self, patterns: Sequence[str], known: dict[str, bool] | None = None) -> None:
        self._texts = tuple(patterns)
        self._matches: dict[str, tuple[tuple[bool, ...], bool]] = {}
        self.excepting = any(text.startswith("!") for text in patterns)
        self.verdicts = {} if known is None else known

    def travels(self, path: str) -> bool:
        """Tell whether an entry travels; ``path`` is relative to the context, with slashes."""
        verdict = self.verdicts.get(path)
        if verdict is None:
            verdict = self.verdicts[path] = not self._texts or self._decide(path)
        return verdict

    def walk(self, folder: Path, prefix: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield the files and folders below ``folder`` that travel, with their paths."""
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            name = prefix + entry.name
            travels = self.travels(name)
            if travels:
                yield name, entry
            if (travels or self.excepting) and entry.is_dir(follow_symlinks=False):
                yield from self.walk(Path(entry.path), f"{name}/")

    def _decide(self, path: str) -> bool:
        with catch_warnings():
            simplefilter("ignore", FutureWarning)  # the SDK's expression for `[[]` has one
            return not self._found(path)[1]

    def _found(self, path: str) -> tuple[tuple[bool, ...], bool]:
        """Tell of each pattern whether it matches ``path`` or a folder above it, and whether in
        the end ``path`` stays behind.

        A pattern that would change nothing is not looked at, and so does not count for what is
        below: so does Docker (MatchesUsingParentResults of github.com/moby/patternmatcher).
        """
        if path not in self._matches:
            above, slash, _ = path.rpartition("/")
            inherited = self._found(above)[0] if slash else (False,) * len(self._patterns)
            behind, matches = False, []
            for was, (exclusion, expression) in zip(inherited, self._patterns, strict=True):
                matters = exclusion == behind
                match = was or (matters and expression.match(path) is not None)
                behind = not exclusion if match else behind
                matches.append(match)
            self._matches[path] = tuple(matches), behind
        return self._matches[path]

    @cached_property
    def _patterns(self) -> tuple[tuple[bool, re.Pattern[str]], ...]:
        """For each pattern, whether it brings back, and what it matches."""
        read = sdk().utils.build.Pattern
        patterns = (item for item in map(read, self._texts) if item.dirs)
        return tuple((item.exclusion, _expression(item)) for item in patterns)


def _is_plain(part: str) -> bool:
    return not set("/[") & set(part.replace(_ANY, ""))


def _expression(pattern: Pattern) -> re.Pattern[str]:
    """Return the SDK's expression for a pattern (its own `match` folds case).

    Of a name with several stars, each takes as little as it can and gives nothing back: the first
    place where what follows it fits is as good as any other, and trying them all has no end. That
    is so for letters and ``?``; ``[…]`` may fit a slash.
    """
    text = pattern.cleaned_pattern
    first, *others = sdk().utils.fnmatch.translate(text).split(_STAR)
    *between, last = others or [""]
    swift = (f"(?>{_STAR}?{part})" if _is_plain(part) else _STAR + part for part in between)
    try:
        return re.compile("".join([first, *swift, *([_STAR + last] if others else [])]))
    except re.error as error:
        raise InputError(f"{text!r} is no pattern: {error.msg}", where=_IGNORE) from error


@contextmanager
def archive(spec: ImageSpec) -> Iterator[tuple[BinaryIO, str]]:
    """Pack the context as a tar archive for the engine's own builder.

    Yields:
        The archive, and the name the Dockerfile has in it.
    """
    create_archive = sdk().utils.build.create_archive

    files = [path for path, _ in Ignoring(ignore_patterns(spec)).walk(spec.context)]
    name, apart = os.path.relpath(spec.dockerfile, spec.context), dict[str, bytes]()
    if name not in files:  # the engine drops what .dockerignore names, once it has read it
        kept = (spec.context / _IGNORE).read_bytes() if _IGNORE in files else _IGNORE.encode()
        name = _APART
        apart = {name: spec.dockerfile.read_bytes(), _IGNORE: kept + f"\n{name}\n".encode()}
    travelling = [path for path in files if path not in apart]
    with cast("BinaryIO", create_archive(str(spec.context), travelling)) as packed:
        _append(apart, packed)  # the SDK takes such as text alone
        yield packed, name


def _append(files: Mapping[str, bytes], packed: BinaryIO) -> None:
    with tarfile.open(fileobj=packed, mode="a") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, BytesIO(data))
    packed.seek(0)


@contextmanager
def ignoring_dockerfile(spec: ImageSpec) -> Iterator[Path]:
    """Lay a copy of the Dockerfile where BuildKit finds our patterns next to it.

    BuildKit reads ``<Dockerfile>.dockerignore`` from wherever the Dockerfile lies, and the context
    itself is still sent incrementally.
    """
    with tempfile.TemporaryDirectory(prefix="stagekit-") as folder:
        copy = Path(folder) / spec.dockerfile.name
        shutil.copyfile(spec.dockerfile, copy)
        # A line that starts with `#` is a comment, unless there is a blank before it.
        lines = (f" {line}" if line.startswith("#") else line for line in ignore_patterns(spec))
        patterns = "".join(f"{line}\n" for line in lines)
        copy.with_name(f"{copy.name}.dockerignore").write_bytes(os.fsencode(patterns))
        yield copy


@contextmanager
def of_its_commit(spec: ImageSpec) -> Iterator[ImageSpec]:
    """Lay a copy of what travels beside, with the times of its commit and the modes that git keeps,
    where an image is to be the same of every clone.

    BuildKit rewrites times that are newer than ``SOURCE_DATE_EPOCH`` and leaves older ones
    (https://docs.docker.com/build/ci/github-actions/reproducible-builds/), and a clone's modes are
    its umask's. The copy has a name of its own each time: of a folder that it knows, BuildKit sends
    only files of another time or size.

    Yields:
        What to build: ``spec`` itself where it asks for no such image.
    """
    if spec.epoch is None:
        yield spec
        return
    with tempfile.TemporaryDirectory(prefix="stagekit-") as place:
        folder = Path(place, Path(place).name)
        folder.mkdir()
        for name, entry in Ignoring(ignore_patterns(spec)).walk(spec.context):
            _copy(entry, folder / name)
        for path, _, names in os.walk(folder, topdown=False):
            for name in names:
                os.utime(Path(path, name), (spec.epoch,) * 2, follow_symlinks=False)
            Path(path).chmod(0o755)
            os.utime(path, (spec.epoch,) * 2)
        yield replace(spec, context=folder)


def _copy(entry: os.DirEntry[str], path: Path) -> None:
    """Copy a file, folder or link; what else there is has no place in an image."""
    if entry.is_dir(follow_symlinks=False):
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.is_symlink():
        path.symlink_to(Path(entry.path).readlink())
    elif entry.is_file():
        shutil.copyfile(entry.path, path)
        path.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)
