"""Compose's ``include``: what is included brings its folder's ``.env`` along, whatever the
environment says (Compose Specification, section "Include"), so that must not be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stagekit.errors import InputError

_DEPTH = 20


def refuse_env_files(text: str, folder: Path, *, where: str) -> None:
    """Look for a ``.env`` that Compose would read for an included file.

    Args:
        text: a Compose document, known to be YAML.
        folder: what its paths start from.
        where: its path, for errors.

    Raises:
        InputError: there is one; names it, and what to write.
    """
    for path, found in _read_for(text, folder, _DEPTH):
        raise InputError(
            f"Compose would read {found} for what it includes, past environments/",
            where=f"{where}, include {path}",
            hint="write the include with env_file: /dev/null, or move the values to environments/",
        )


def _read_for(text: str, folder: Path, depth: int) -> Iterator[tuple[str, Path]]:
    for entry in _entries(text):
        paths = entry.get("path") or []
        for path in [paths] if isinstance(paths, str) else paths:
            file = folder / str(path)
            base = folder / str(entry.get("project_directory") or file.parent)
            if "env_file" not in entry and (base / ".env").exists():
                yield path, base / ".env"
            if depth and file.is_file():
                yield from _read_for(file.read_text("utf-8", "replace"), file.parent, depth - 1)


def _entries(text: str) -> list[dict[str, Any]]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe one, blind to tags
    except yaml.YAMLError:
        return []  # Compose will say what is wrong with it
    included = document.get("include") if isinstance(document, dict) else None
    entries = included if isinstance(included, list) else []
    return [entry if isinstance(entry, dict) else {"path": str(entry)} for entry in entries]


class _Loader(yaml.SafeLoader):
    """Reads a document whatever tags Compose gives a meaning (``!reset``, ``!override``)."""


def _untagged(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


_Loader.add_multi_constructor("!", _untagged)
