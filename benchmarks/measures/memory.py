"""Memory: the most that the processes of a command had resident at one time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.command import Command
from benchmarks.measure import Contestant, Measure
from benchmarks.measures import building, releasing
from benchmarks.measures.building import ANSIBLE, BAKE, COMPOSE, SCRIPT
from benchmarks.measures.starting import OURS
from benchmarks.place import Place
from benchmarks.resident import PROC

_SERVICES = 200
_NOWHERE = "no /proc here"


def _megabytes(command: Command) -> Callable[[], float]:
    return command.megabytes


def _here(contestants: Sequence[Contestant]) -> Sequence[Contestant]:
    if (PROC / "self/stat").exists():
        return contestants
    return [Contestant(each.who, _NOWHERE, each.role) for each in contestants]


def unchanged_build(place: Place) -> Sequence[Contestant]:
    who = (OURS, SCRIPT, COMPOSE, BAKE, ANSIBLE)
    return _here(building.small(place).taking(who, changed=False, sampled=_megabytes))


def release(place: Place) -> Sequence[Contestant]:
    taking = releasing.sample(place, _SERVICES).taking(_megabytes)
    return _here([each for each in taking if each.who != releasing.BOTH])  # one after the other


MEASURES = (
    Measure("memory-build", "memory of a build, nothing changed", unchanged_build, unit="MB"),
    Measure("memory-release", f"memory of a release of {_SERVICES} services", release, unit="MB"),
)
