"""Signatures of releases as files: ``<env>/<id>.<first digits of its own digest>.json``.

A release has as many as were made of it. Its own files stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stagekit import digest, durable
from stagekit.ledger.names import checked_name, names_in

_ENDING = ".json"
_DIGITS = 12


class Signatures:
    """The signatures below one folder."""

    def __init__(self, folder: Path) -> None:
        self._root = folder

    def add(self, env: str, id: str, signature: bytes) -> Path:
        own = digest.of_bytes(signature).removeprefix("sha256:")[:_DIGITS]
        path = self._root / checked_name(env) / f"{_stem(id)}.{own}{_ENDING}"
        durable.write_new_file(path, signature)
        return path

    def of(self, env: str, id: str) -> Sequence[Path]:
        folder = self._root / checked_name(env)
        names = sorted(name for name in names_in(folder)[1] if name.endswith(_ENDING))
        return [folder / name for name in names if name.rsplit(".", 2)[0] == _stem(id)]


def _stem(id: str) -> str:
    return checked_name(id.replace(":", ""))
