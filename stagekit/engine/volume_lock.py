"""The lock of an environment on one engine: labelled volumes.

A generation of it is a volume ``stagekit-lock-<environment>-<generation>``. To create a volume that
is there already returns it with its first labels, which makes it a compare-and-swap.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from stagekit.engine.client import Client
from stagekit.engine.lease import GENERATION, LOCK, TOKEN, Generation, generation


class _Kept(NamedTuple):
    volume: str
    generation: Generation


class VolumeLock:
    """A `stagekit.engine.lease.Lock`.

    Args:
        client: the engine's.
        name: the environment's, as its containers are named.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def where(self) -> str:
        return self._client.endpoint.url

    def top(self) -> Generation | None:
        return max(
            (item.generation for item in self._kept()), key=lambda it: it.number, default=None
        )

    def claim(self, number: int, labels: Mapping[str, str]) -> bool:
        """One that was taken and is gone again could be put there twice: so the highest has to be
        ours as well."""
        name = f"stagekit-lock-{self._name}-{number}"
        wanted = {LOCK: self._name, GENERATION: str(number), **labels}
        made = self._client.create_volume(name, wanted)
        if (made.get("Labels") or {}).get(TOKEN) != labels[TOKEN]:
            return False
        top = self.top()
        return top is not None and top.token == labels[TOKEN]

    def remove_below(self, number: int) -> None:
        for item in self._kept():
            if item.generation.number < number:
                self._client.remove_volume(item.volume)

    def now(self) -> datetime:
        return self._client.now()

    def _kept(self) -> list[_Kept]:
        return [
            _Kept(found["Name"], read)
            for found in self._client.volumes(f"{LOCK}={self._name}")
            if (read := generation(found.get("Labels") or {}, str(found.get("CreatedAt"))))
        ]
