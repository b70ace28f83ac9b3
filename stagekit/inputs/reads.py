"""Which files a release is made of, as they were read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from stagekit.records import Part


class Read(Part, frozen=True):
    """A file that went into a release.

    Attributes:
        path: the file, as it was asked for: links are not followed.
        by: who read it, and so what it may ask for: ``{{ NAME }}`` and ``${NAME}`` where Jinja did
            and then Compose, ``${NAME}`` where Compose did, nothing where it was taken in as it is.
        env_of: the service whose ``env_file`` it is.
    """

    path: Path
    by: Literal["jinja", "compose", "content"]
    env_of: str | None = None


def text_of(path: Path) -> str:
    """Return the text of a file; nothing where there is none, or it cannot be read, which is for
    those to say who cannot do without."""
    try:
        return path.read_text("utf-8", "replace") if path.is_file() else ""
    except OSError:
        return ""
