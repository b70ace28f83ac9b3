"""Image references: ``repository``, ``repository:tag``, ``repository@digest``."""

from __future__ import annotations


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split off the tag or the digest; a port belongs to the repository."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return split_reference(name)[0], digest
    head, slash, last = reference.rpartition("/")
    name, colon, tag = last.partition(":")
    return f"{head}{slash}{name}", tag if colon else None
