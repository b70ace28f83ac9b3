"""What is done to which hosts of a fleet, in which order, and what it comes to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from stagekit.inputs.fleet import size_of
from stagekit.records import HostRun, Link, Part, Standing

Stage = Literal["waiting", "ready", "kept", "switched", "failed"]
"""How far a host has come; ``kept`` had it all already."""


class State(Part, frozen=True):
    """One host under way.

    Attributes:
        name: the host's.
        stage: how far it has come.
        changed: whether anything there may be another thing than before.
        before: the id of the release that ran there before; None where none did.
    """

    name: str
    stage: Stage = "waiting"
    changed: bool = False
    before: str | None = None


def batches(names: Sequence[str], batch: int | str, canary: int) -> tuple[tuple[str, ...], ...]:
    """Divide hosts into those that are switched together, in their order: the canaries first.

    Args:
        names: of the hosts that are to be switched.
        batch: how many at a time, or which share of all of them.
        canary: how many go before all others.
    """
    size = size_of(batch, len(names)) if names else 1
    first, rest = tuple(names[:canary]), tuple(names[canary:])
    parts = (rest[at : at + size] for at in range(0, len(rest), size))
    return tuple(part for part in (first, *parts) if part)


def may_go_on(states: Iterable[State], *, keep_going: bool) -> bool:
    """Tell whether the next batch may follow: nothing failed, or it was said to go on."""
    return keep_going or not any(state.stage == "failed" for state in states)


def to_bring_back(states: Iterable[State]) -> tuple[str, ...]:
    """Return the hosts that are to run again what they ran before: all that were changed, but for
    those that had the release already."""
    return tuple(state.name for state in states if state.changed and state.stage != "kept")


def run_by_most(releases: Iterable[str | None]) -> str | None:
    """Return the release that most hosts run; of two, the one of the earlier host. None where
    nothing runs on any.

    Args:
        releases: what each host runs.
    """
    found = Counter(filter(None, releases))
    return found.most_common(1)[0][0] if found else None


def other_release(standing: Standing | None, before: str | None, release: Link) -> str | None:
    """Return the release that a host runs in the place of the last run's; None where it runs that
    one, or nothing.

    Args:
        standing: what its engine says is in force there.
        before: the id of what it runs as far as the ledger knows.
        release: the last run's.
    """
    if standing and standing.outcome == "running" and standing.release_digest != release.digest:
        return standing.release
    return before if before not in (None, release.id) else None


def runs_on(hosts: Iterable[HostRun]) -> dict[str, str]:
    """Return what each host of a run is known to run after it, in words."""
    return {host.name: (host.release or "nothing") if host.known else "unknown" for host in hosts}


def is_mixed(hosts: Iterable[HostRun]) -> bool:
    """Tell whether a run left hosts that run different things, or such as nobody knows."""
    found = set(runs_on(hosts).values())
    return len(found) > 1 or "unknown" in found


def is_half_way(hosts: Sequence[HostRun], release: str) -> bool:
    """Tell whether a release is on some hosts of a fleet, and on others not."""
    return is_mixed(hosts) and any(host.release == release for host in hosts)
