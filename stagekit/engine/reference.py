"""Image references: ``repository``, ``repository:tag``, ``repository@digest``."""

from __future__ import annotations

import re

_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?)"
_REFERENCE = (
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?P<digest>@sha256:[0-9a-f]{64})?"
)
_HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


def is_reference(text: str) -> bool:
    """Tell whether Docker takes ``text`` for an image's reference (distribution's grammar): of
    what Compose accepts, not every tag and digest is one."""
    return re.fullmatch(_REFERENCE, text) is not None


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split off the tag or the digest; a port belongs to the repository."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return split_reference(name)[0], digest
    head, slash, last = reference.rpartition("/")
    name, colon, tag = last.partition(":")
    return f"{head}{slash}{name}", tag if colon else None


def familiar(repository: str) -> str:
    """Write a repository as the engine names it: Docker Hub's host, and ``library/``, left out."""
    for host in _HUB:
        repository = repository.removeprefix(host)
    return repository.removeprefix("library/")
