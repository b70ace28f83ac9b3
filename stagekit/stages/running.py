"""Releases, run; and what runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.stages.within import id_of, within

if TYPE_CHECKING:
    from stagekit.pipeline.run.status import EnvironmentStatus
    from stagekit.records import Release, Run


def run(
    *,
    env: str,
    release: Release | str | None = None,
    keep_going: bool = False,
    resume: bool = False,
    wait_lock: float = 0.0,
    root: Path | None = None,
) -> Run:
    """Bring up a release exactly as it was sealed, and prove that it runs.

    Args:
        env: the environment's name.
        release: a release, or its name (``v1``, ``previous``); by default the newest that was not
            cancelled.
        keep_going: of a fleet: where a host fails, go on with the others, and raise at the end.
        resume: of a fleet: go on with the run that failed or was interrupted; its release is run.
        wait_lock: seconds to wait for another run of the environment.
        root: the repository's folder.

    Raises:
        InputError: there is no such release; the environment is no fleet to go on with; nothing is
            to be resumed, or a release is named as well.
        RolledBack: it failed, and the release before runs again.
        RunFailed: it failed, and the environment is as the error says.
        Busy: another run holds the environment.
        LedgerError: the release is not what was sealed.
        EngineError, PluginFailed, Cancelled: as `build`.
    """
    from stagekit.cli import fleet

    with within(root) as app:
        app.check_environment(env)
        return fleet.run(
            app,
            env,
            id_of(app, release, env),
            "run",
            wait=wait_lock,
            keep_going=keep_going,
            resume=resume,
        ).record


def rollback(
    *,
    env: str,
    to: Release | str | None = None,
    wait_lock: float = 0.0,
    root: Path | None = None,
) -> Run:
    """Run an earlier release again. Nothing is rendered and nothing is built.

    Args:
        env: the environment's name.
        to: a release, or its name (``v1``, ``previous``); by default the last one before the
            current that ran well.
        wait_lock: seconds to wait for another run of the environment.
        root: the repository's folder.

    Raises:
        InputError: no earlier release ran well.
        RunFailed, RolledBack, Busy, LedgerError, EngineError, PluginFailed, Cancelled: as `run`.
    """
    from stagekit.cli import fleet
    from stagekit.pipeline.history import rollback_target

    with within(root) as app:
        app.check_environment(env)
        fleet.close_interrupted(app, env)
        target = id_of(app, to, env) or rollback_target(app.ledger, env, app.console.emit)
        return fleet.run(app, env, target, "rollback", wait=wait_lock).record


def scale(
    *, env: str, numbers: Mapping[str, int], wait_lock: float = 0.0, root: Path | None = None
) -> Run:
    """Run another number of a service's containers, of the release that runs.

    Args:
        env: the environment's name.
        numbers: of containers, by service; services that are not named keep theirs.
        wait_lock: seconds to wait for another run of the environment.
        root: the repository's folder.

    Raises:
        InputError: nothing runs there, or there is no such service.
        RunFailed, RolledBack, Busy, LedgerError, EngineError, PluginFailed, Cancelled: as `run`.
    """
    from stagekit.cli import fleet

    with within(root) as app:
        app.check_environment(env)
        return fleet.scaled(app, env, numbers, wait=wait_lock).record


def stop(*, env: str, wait_lock: float = 0.0, root: Path | None = None) -> Run:
    """Take an environment's containers and networks down. Volumes stay.

    Args:
        env: the environment's name.
        wait_lock: seconds to wait for another run of the environment.
        root: the repository's folder.

    Raises:
        Busy, EngineError, Cancelled: as `run`.
    """
    from stagekit.cli import fleet

    with within(root) as app:
        app.check_environment(env)
        return fleet.stop(app, env, wait=wait_lock).record


def status(*, env: str, root: Path | None = None) -> EnvironmentStatus | None:
    """Return what runs in an environment now, and how it drifted since its last run; None where
    nothing was run yet.

    Args:
        env: the environment's name.
        root: the repository's folder.

    Raises:
        EngineError: it does not answer.
    """
    from stagekit.cli import fleet

    with within(root) as app:
        app.check_environment(env)
        return fleet.status(app, env, app.console.emit)
