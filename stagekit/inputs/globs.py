"""The files that patterns mean: ``app/**/*.ts``, ``dist/``, ``!**/*.test.ts``.

``*``, ``?`` and ``[a-z]`` stand for parts of one name, ``**`` for any number of folders. A folder
means all below it: one that is written out, or ends with ``/``. A pattern with ``!`` before it
takes away, wherever it stands. Names that begin with a dot are names like others.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs.fileindex import FileIndex, text_of

_NEVER = frozenset({".git", "__pycache__"})
"""What is no source wherever it lies: git's own, and what Python makes of a source it reads."""

_DEPTH = "**"
_LINK = "12"
_WILD = re.compile(r"[*?[]")

_Segment = str | re.Pattern[str]
_Places = frozenset[int]


class _Pattern:
    """One pattern, matched name by name on the way down: `places` are the segments that could
    come next, and one past the last is a match."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        plain = text.removeprefix("!")
        names = [name for name in plain.split("/") if name not in ("", ".")]
        if plain.startswith("/") or ".." in names:
            raise InputError(
                f"{text!r} lies outside the project", where=where, hint="write it from its folder"
            )
        if not plain.strip():
            raise InputError("a pattern is empty", where=where, hint='"." is the whole project')
        self._segments: tuple[_Segment, ...] = tuple(map(_segment, names))
        whole = not names or names[-1] == _DEPTH or not _WILD.search(names[-1])
        self.takes_folders = whole or plain.endswith("/")
        self.takes_files = not plain.endswith("/")
        self.end = len(names)
        self.start = self._with_none({0})

    def after(self, places: _Places, name: str) -> tuple[_Places, bool]:
        """Return the places below ``name``, and whether it was met by more than a ``**``."""
        found: set[int] = set()
        named = False
        for place in places:
            if place == self.end:
                continue
            segment = self._segments[place]
            if segment == _DEPTH:
                found.add(place)
            elif segment == name if isinstance(segment, str) else segment.match(name):
                found.add(place + 1)
                named = True
        return self._with_none(found), named

    def last(self, places: _Places) -> list[_Segment]:
        """Return what the name of a file in a folder of these places may be; ``**`` is any."""
        if not self.takes_files:
            return []
        found = [(place, self._segments[place]) for place in places if place < self.end]
        return [
            segment
            for place, segment in found
            if self.end in self._with_none({place if segment == _DEPTH else place + 1})
        ]

    def _with_none(self, places: set[int]) -> _Places:
        """Add the places behind a ``**`` that stands for no folder."""
        for place in sorted(places):
            following = place
            while following < self.end and self._segments[following] == _DEPTH:
                following += 1
                places.add(following)
        return frozenset(places)


class _LedTo:
    """What a link leads to, as an entry of a folder."""

    def __init__(self, link: str) -> None:
        self.path = link

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002  # it is followed
        return Path(self.path).stat()


class Globs:
    """Patterns below one folder.

    Args:
        root: the folder they start from.
        patterns: in the form above.
        where: what they belong to, for errors.
        leaving_out: further patterns, of what is not meant.
        hidden: names directly below the folder that no pattern reaches.

    Raises:
        InputError: a pattern is empty or leaves the folder.
    """

    def __init__(
        self,
        root: Path,
        patterns: Sequence[str],
        *,
        where: str,
        leaving_out: Sequence[str] = (),
        hidden: Sequence[str] = (),
    ) -> None:
        self._root = root
        self._hidden = frozenset(hidden)
        self._where = where
        self._wanted = [_Pattern(text, where) for text in patterns if not text.startswith("!")]
        excluding = [text for text in patterns if text.startswith("!")]
        excluded = (*excluding, *(text for text in leaving_out if not text.startswith("!")))
        self._unwanted = [_Pattern(text, where) for text in excluded]
        self._all = (*self._wanted, *self._unwanted)
        self._met: set[int] = set()
        self._found: list[tuple[str, os.DirEntry[str]]] = []
        if excluding and not self._wanted:
            raise InputError(
                f"{excluding[0]!r} takes away from nothing",
                where=where,
                hint='name what it is taken from, or "." for all',
            )

    @property
    def unmet(self) -> tuple[str, ...]:
        """The patterns for which nothing was there when they were last looked for."""
        return tuple(pattern.text for at, pattern in enumerate(self._wanted) if at not in self._met)

    def describe(self, index: FileIndex) -> dict[str, str]:
        """Return what each file that is meant holds now, by its path from the folder.

        A link is where it leads; one to a file is what that holds, too. ``**``, and a folder that
        is meant whole, do not go through links to folders.

        Raises:
            InputError: a file or folder cannot be read.
        """
        self._met.clear()
        self._found.clear()
        start = tuple(pattern.start for pattern in self._all)
        self._walk(self._root, "", start, self._is_whole(start))
        found: dict[str, str] = {}
        for path, entry in self._found:
            name = text_of(path)
            text = index.describe(name, entry)
            if text.startswith(_LINK) and _leads_to(stat.S_ISREG, entry):
                text = f"{text} {index.describe(f'{name}/', _LedTo(entry.path))}"
            found[name] = text
        return found

    def _walk(self, folder: Path, prefix: str, places: tuple[_Places, ...], whole: bool) -> None:
        """Find the files below ``folder`` that are meant: all that no pattern takes away where it
        lies in one that is meant ``whole``."""
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:  # gone since it was listed
            return
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"cannot be read: {reason}", where=str(folder)) from error
        taken = [pattern.last(place) for pattern, place in zip(self._all, places, strict=True)]
        for entry in listed:
            name = entry.name
            if name in _NEVER or (not prefix and name in self._hidden):
                continue
            if _is_folder(entry) and self._enter(entry, prefix, places, whole):
                continue
            if self._is_meant(name, taken, whole):
                self._found.append((prefix + name, entry))

    def _enter(
        self, entry: os.DirEntry[str], prefix: str, places: tuple[_Places, ...], whole: bool
    ) -> bool:
        """Look into a folder; return False for a link to one that is not gone through."""
        count = len(self._wanted)
        steps = [
            pattern.after(place, entry.name)
            for pattern, place in zip(self._all, places, strict=True)
        ]
        inside = tuple(step for step, _ in steps)
        for pattern, place in zip(self._unwanted, inside[count:], strict=True):
            if pattern.takes_folders and pattern.end in place:
                return True
        if entry.is_symlink() and not any(named for _, named in steps[:count]):
            return False
        whole = self._is_whole(inside) or whole
        if whole or any(
            place - {pattern.end}
            for pattern, place in zip(self._wanted, inside[:count], strict=True)
        ):
            self._walk(Path(entry.path), f"{prefix}{entry.name}/", inside, whole)
        return True

    def _is_whole(self, places: tuple[_Places, ...]) -> bool:
        """Tell whether a folder is meant as it is, and note by which patterns."""
        met = {
            at
            for at, (pattern, place) in enumerate(zip(self._wanted, places, strict=False))
            if pattern.takes_folders and pattern.end in place
        }
        self._met |= met
        return bool(met)

    def _is_meant(self, name: str, taken: Sequence[list[_Segment]], whole: bool) -> bool:
        """Tell whether a file is meant, of which patterns take names as in ``taken``."""
        count = len(self._wanted)
        for segments in taken[count:]:
            if _fits(name, segments):
                return False
        meant = whole
        for at, segments in enumerate(taken[:count]):
            if (not meant or at not in self._met) and _fits(name, segments):
                self._met.add(at)
                meant = True
        return meant


def check_met(globs: Globs, where: str) -> None:
    """Raise InputError, naming it, if there is nothing for one of the patterns."""
    if globs.unmet:
        raise InputError(
            f"nothing is there for {', '.join(map(repr, globs.unmet))}",
            where=where,
            hint="patterns start at the folder of tasks.py; artifacts/ and .git are no inputs",
        )


def _fits(name: str, segments: Sequence[_Segment]) -> bool:
    for segment in segments:  # `any` of a generator would be half of what looking at a file takes
        if segment in (name, _DEPTH) if isinstance(segment, str) else segment.match(name):
            return True
    return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether it is a folder, or a link to one; of most entries, which are files, at once."""
    if entry.is_file(follow_symlinks=False):
        return False
    return entry.is_dir(follow_symlinks=False) or _leads_to(stat.S_ISDIR, entry)


def _leads_to(kind: Callable[[int], bool], entry: os.DirEntry[str]) -> bool:
    """Tell whether a link leads to a file of that kind."""
    try:
        return entry.is_symlink() and kind(entry.stat().st_mode)
    except OSError:  # to nothing, or to itself
        return False


def _segment(name: str) -> _Segment:
    if name == _DEPTH or not _WILD.search(name):
        return name
    return re.compile(fnmatch.translate(name))
