"""Image references: ``repository``, ``repository:tag``, ``repository@digest``."""

from __future__ import annotations

_HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/")


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
