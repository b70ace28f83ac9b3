"""The lock of an environment on a Swarm: a config, whose labels say who holds it.

A manager takes an update of it only from who names the version it was read at, and all managers
agree on the versions: https://docs.docker.com/reference/api/engine/ (ConfigUpdate). So a generation
is put there by a compare-and-swap, whichever manager it is asked of.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from stagekit.engine.lease import GENERATION, LOCK, TOKEN, Generation, generation
from stagekit.engine.swarm.api import Found, Swarm, fitting
from stagekit.errors import EngineError

_CLOCK = "stagekit-clock"
_TRIES = 20


class ConfigLock:
    """A `stagekit.engine.lease.Lock`.

    Args:
        swarm: it is a manager.
        name: the environment's, as its services are named.
    """

    def __init__(self, swarm: Swarm, name: str) -> None:
        self._swarm = swarm
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def where(self) -> str:
        return self._swarm.url

    def top(self) -> Generation | None:
        found = self._found()
        return _read(found) if found else None

    def claim(self, number: int, labels: Mapping[str, str]) -> bool:
        wanted = {LOCK: self._name, GENERATION: str(number), **labels}
        found = self._found()
        if found is None:
            return self._swarm.create("configs", self._config, b"-", wanted)
        before = _read(found)
        if before and before.number >= number:
            return before.token == labels[TOKEN]  # an answer of ours that was lost on its way
        return self._swarm.relabel(found, wanted)

    def remove_below(self, number: int) -> None:
        """There is one at a time."""

    def now(self) -> datetime:
        """Tell the time by the leading manager's clock, which dates all updates: by making one."""
        for _ in range(_TRIES):
            found = self._swarm.object("configs", _CLOCK)
            if found is None:
                self._swarm.create("configs", _CLOCK, b"-", {LOCK: ""})
            elif self._swarm.relabel(found, found["Spec"]["Labels"]):
                ticked = self._swarm.object("configs", _CLOCK)
                if ticked is not None:
                    return datetime.fromisoformat(ticked["UpdatedAt"])
        raise EngineError("the Swarm does not say what time it is", where=self.where)

    @property
    def _config(self) -> str:
        return fitting(f"stagekit-lock-{self._name}")

    def _found(self) -> Found | None:
        return self._swarm.object("configs", self._config)


def _read(found: Found) -> Generation | None:
    return generation(found["Spec"].get("Labels") or {}, found["UpdatedAt"])
