"""The newest release at the moment when the environment's lock is had: what is run where none was
named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stagekit.errors import RunFailed
from stagekit.events import Noted
from stagekit.inputs.fleet import Host, hosts_of
from stagekit.pipeline.history import newest_release
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.verify import Verified


def newest_by_now(
    checked: Verified, hosts: Sequence[Host], verify: Callable[[], Verified], on: Platform
) -> Verified:
    """Return the newest release again, now that the lock is held: while that was waited for,
    another one may have been released, and have run.

    Args:
        checked: the one that was the newest before.
        hosts: on which it is to run; none where that is one engine.
        verify: finds the newest one, and checks it.
        on: what it is done with.

    Raises:
        RunFailed: another one is the newest by now, and what is locked is not where it is to run.
        StagekitError: as ``verify``.
    """
    before = checked.release.record
    is_another = newest_release(on.ledger, before.env) != before.id
    found = verify() if is_another else checked
    release = found.release.record
    locked = (before.compose_project, before.deploy.engine, tuple(hosts))
    if (release.compose_project, release.deploy.engine, hosts_of(release.deploy)) != locked:
        raise RunFailed(
            "it is the newest release by now, and is to run on another engine or other hosts than "
            "the newest one when this began",
            where=release.name,
            hint=f"inv run --env {release.env}, once more, runs it there",
        )
    if is_another:
        text = f"{release.name} is the newest by now: it is run in the place of {before.name}"
        on.emit(Noted(text))
    return found
