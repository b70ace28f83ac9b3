"""What a misspelt name may have been meant for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that ``name`` may be a misspelling of, whatever its case."""
    folded = {known.lower(): known for known in sorted(names) if known != name}
    found = get_close_matches(name.lower(), list(folded), n=1, cutoff=0.7)
    return folded[found[0]] if found else None


def known_names(name: str, names: Iterable[str]) -> str:
    """Say which of ``names`` may have been meant, or which there are."""
    there = sorted(names)
    if meant := near(name, there):
        return f"did you mean {meant}?"
    return f"there are: {', '.join(there)}" if there else "there is none yet"
