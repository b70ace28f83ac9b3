"""What is in force in an environment, for those who have no ledger at hand."""

from __future__ import annotations

from stagekit.errors import EngineError
from stagekit.events import Warned
from stagekit.pipeline.run.platform import Platform
from stagekit.records import Run, Standing, compose_project


def keep_standing(run: Run, build: str, on: Platform) -> None:
    """Write on the engine what is in force now."""
    note_standing(
        Standing(
            project=run.project,
            env=run.env,
            run=run.n,
            outcome=run.outcome,
            reason=run.reason,
            release=run.release.id,
            release_digest=run.release.digest,
            build=build,
            actor=run.actor,
            when=run.finished,
        ),
        on,
    )


def is_noted(run: Run, on: Platform) -> bool:
    """Tell whether the engine says that a run is the one in force. It does not where the process
    that recorded it ended before it could write that there."""
    try:
        said = on.engine.standing(compose_project(run.project, run.env))
    except EngineError:
        return True  # it is not known to say anything else
    return said is not None and said.run == run.n


def note_standing(standing: Standing, on: Platform) -> None:
    """Write on the engine what is in force now; where it cannot, that is a warning: what runs was
    proven, and its record stands. Where the lock was lost since, another run says what is."""
    if on.lease and on.lease.lost:
        return
    try:
        on.engine.keep_standing(standing)
    except EngineError as error:
        on.emit(Warned(f"the engine does not note what is in force: {error}"))
