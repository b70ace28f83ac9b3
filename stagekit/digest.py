"""Digests, written as OCI writes them: ``sha256:<64 hex digits>``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def of_bytes(data: bytes) -> str:
    """Return the digest of ``data``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def is_digest(text: str) -> bool:
    """Tell whether ``text`` is exactly one well-formed SHA-256 digest."""
    return _DIGEST.fullmatch(text) is not None


def of_files(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the digest of each of several files."""
    return {path: of_bytes(data) for path, data in files.items()}


def of_tree(files: Mapping[str, bytes]) -> str:
    """Return one digest for several files, by their content."""
    return of_listing(of_files(files))


def of_listing(digests: Mapping[str, str]) -> str:
    """Return one digest for several files, by their digests.

    It is the digest of what ``sha256sum`` prints for them in the order of their paths, so that
    ``sha256sum compose.yaml variables.toml | sha256sum`` checks a release without stagekit.
    """
    listing = "".join(_line(path, digests[path]) for path in sorted(digests, key=str.encode))
    return of_bytes(listing.encode())


def _line(path: str, digest: str) -> str:
    """Write a line of ``sha256sum``: one with a backslash or a line's end in its name is marked."""
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n")
    mark = "\\" if escaped != path else ""
    return f"{mark}{digest.removeprefix('sha256:')}  {escaped}\n"
