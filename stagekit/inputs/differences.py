"""What changed between two looks at the same things, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

_FOLDER = "4"
_SHOWN = 3


def compared(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each name that differs, with ``changed``, ``added`` or ``removed``."""
    yield from ((name, "changed") for name in new if name in old and old[name] != new[name])
    yield from ((name, "added") for name in new if name not in old)
    yield from ((name, "removed") for name in old if name not in new)


def in_words(differences: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Write each as ``app.py changed``."""
    return (f"{name} {verb}" for name, verb in differences)


def files_in_words(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Write what became of files, as `FileIndex.describe` has them. A folder that came or went
    with what is in it is left out."""
    listed = list(compared(old, new))
    for name, verb in listed:
        folder = (new.get(name) or old[name]).startswith(_FOLDER)
        within = f"{name}/"
        if not (folder and any(other.startswith(within) for other, _ in listed)):
            yield f"{name} {verb}"


def reasons(why: Sequence[str]) -> str:
    """Write the first few reasons, and how many more there are."""
    shown = ", ".join(why[:_SHOWN])
    more = len(why) - _SHOWN
    return f"{shown}, and {more} more" if more > 0 else shown
