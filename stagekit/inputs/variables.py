"""``variables.toml`` of a release: what each variable is, and where it was set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stagekit import toml
from stagekit.inputs.merge import Merged, Setting, dotted, leaves

VARIABLES = "variables.toml"


def variables_file(variables: Merged) -> bytes:
    """Write merged variables, each a table of its own: its ``value`` and its ``origin``."""
    import tomli_w

    table: dict[str, Any] = {
        dotted(key): {"value": value, "origin": variables.origins[key]}
        for key, value in sorted(leaves(variables.values))
    }
    return tomli_w.dumps(table).encode()


def variables_of(files: Mapping[str, bytes]) -> dict[str, Setting]:
    """Read the variables of a release by their dotted names."""
    tables = toml.loads(files.get(VARIABLES, b"").decode())
    return {name: Setting(entry["value"], entry["origin"]) for name, entry in tables.items()}


def without_origins(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what a release says: its files, with the values of its variables for their file."""
    values = {name: exact(setting.value) for name, setting in variables_of(files).items()}
    return {**files, VARIABLES: values}


def exact(value: Any) -> tuple[str, Any]:
    """Return what tells ``1`` from ``true`` and from ``1.0``, which are equal to Python, and does
    not tell ``nan`` from itself."""
    if isinstance(value, list):
        return "list", [exact(item) for item in value]
    return type(value).__name__, value if isinstance(value, str) else repr(value)
