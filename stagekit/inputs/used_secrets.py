"""Which secrets a Compose model uses: as files, by Compose's ``secrets.<name>.environment``, and as
``${STAGEKIT_SECRET_NAME}`` in environment variables and configs. The model is not sealed yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stagekit import digest
from stagekit.errors import ReleaseFailed
from stagekit.inputs.interpolation import names_in
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import SECRET_PREFIX


def secret_names(model: Tree) -> tuple[str, ...]:
    """Return the names of all secrets that a model needs values for."""
    return tuple(sorted({*_files(model).values(), *_open_in(model)}))


def in_variables(model: Tree) -> tuple[str, ...]:
    """Return the names of the secrets that are handed to containers as environment variables."""
    given = [service.get("environment") for service in model["services"].values()]
    return tuple(sorted(set(_open_in(given))))


def used_by(model: Tree, service: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the secrets that one of a model's services gets, whichever way."""
    files, configs = _files(model), model.get("configs") or {}
    given = [files.get(item["source"]) for item in service.get("secrets") or []]
    taken = [configs.get(item["source"]) for item in service.get("configs") or []]
    return tuple(sorted({name for name in given if name} | set(_open_in([service, taken]))))


def fingerprint_of(names: tuple[str, ...], fingerprints: Mapping[str, str]) -> str | None:
    """Return one digest for the secrets of a service: another one where a value has changed.

    Without fingerprints, as of a provider that knows values only when it is run, there is none.
    """
    known = {name: fingerprints[name] for name in names if name in fingerprints}
    return digest.of_bytes(json.dumps(known, sort_keys=True).encode()) if known else None


def refuse_read_only(model: Tree) -> None:
    """Refuse a service that Compose could not give its file secrets.

    Raises:
        ReleaseFailed: says which service, and the ways out.
    """
    for name, service in model["services"].items():
        if service.get("read_only") and service.get("secrets"):
            raise ReleaseFailed(
                "Compose copies file secrets into the container, which read_only forbids",
                where=f"services.{name}.secrets",
                hint="take it as an environment variable, ${SECRET_NAME}, or leave out read_only",
            )


def _files(model: Tree) -> dict[str, str]:
    """Return the names of the file secrets, by their keys in the model."""
    found = (model.get("secrets") or {}).items()
    return {key: item["environment"] for key, item in found if item.get("environment")}


def open_names(node: Any) -> Iterator[str]:
    """Yield the variables that Compose would look up in a tree: in values, not in keys."""
    if isinstance(node, str):
        yield from names_in(node) if "$" in node else ()
    elif isinstance(node, Mapping | list):
        for item in node.values() if isinstance(node, Mapping) else node:
            yield from open_names(item)


def _open_in(node: Any) -> Iterator[str]:
    names = (name for name in open_names(node) if name.startswith(SECRET_PREFIX))
    return (name.removeprefix(SECRET_PREFIX) for name in names)
