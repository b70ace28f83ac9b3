"""Records where they are kept, and what goes wrong there."""

from __future__ import annotations

from pathlib import Path


def damage(path: Path) -> None:
    """Change one letter of a record, which stays readable TOML."""
    path.write_text(path.read_text().replace("ann@laptop", "bob@laptop", 1))
