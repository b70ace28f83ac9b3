"""What is in force in an environment, written on its engine: a labelled volume."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stagekit.engine.client import Client
from stagekit.errors import EngineError
from stagekit.records import Standing, compose_project

_STATE = "stagekit.state"
_SAYS = "stagekit.standing"


def keep(client: Client, standing: Standing) -> None:
    """Do what `stagekit.protocols.Engine.keep_standing` says.

    A request that breaks, or has no answer in time, may have been heard all the same, and what was
    in force before would stay there: so all of it is done again.
    """
    try:
        _keep(client, standing)
    except EngineError:
        _keep(client, standing)


def _keep(client: Client, standing: Standing) -> None:
    name = compose_project(standing.project, standing.env)
    volume = f"stagekit-state-{name}-{standing.run}"
    labels = {_STATE: name, _SAYS: msgspec.json.encode(standing).decode()}
    if client.create_volume(volume, labels).get("Labels") != labels:
        client.remove_volume(volume)  # of a ledger that began to count again
        client.create_volume(volume, labels)
    for found in client.volumes(f"{_STATE}={name}"):
        if found["Name"] != volume:
            client.remove_volume(found["Name"])


def standing(client: Client, name: str) -> Standing | None:
    """Do what `stagekit.protocols.Engine.standing` says."""
    known = [read for found in client.volumes(f"{_STATE}={name}") if (read := _read(found))]
    return max(known, key=lambda item: item.when, default=None)


def _read(volume: Mapping[str, object]) -> Standing | None:
    labels = volume.get("Labels")
    said = labels.get(_SAYS) if isinstance(labels, dict) else None
    try:
        return msgspec.json.decode(said, type=Standing) if said else None
    except msgspec.DecodeError:
        return None  # written by another version
