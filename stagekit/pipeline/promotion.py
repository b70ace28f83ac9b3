"""From one environment to the next: the build and the pins that ran well there."""

from __future__ import annotations

from stagekit.errors import InputError
from stagekit.events import Emit
from stagekit.pipeline.history import last_run, readable_runs
from stagekit.pipeline.verify import verified
from stagekit.protocols import Ledger
from stagekit.records import Build, Part, Release, Stored


class Promotion(Part, frozen=True):
    """What goes on to the next environment, and what was passed over for it to go on."""

    release: Release
    build: Stored[Build]
    forced: tuple[str, ...]


def promotion(
    ledger: Ledger, env: str, release_id: str | None, *, force: bool, emit: Emit
) -> Promotion:
    """Return what is promoted from an environment.

    Args:
        ledger: where its releases and runs are.
        env: the environment it comes from.
        release_id: one of its releases; by default the one that was run last.
        force: take also one that never ran well.
        emit: warned of damaged records.

    Raises:
        InputError: nothing was run there, the release was cancelled or never ran well, or its
            build is not at hand.
        LedgerError: the release is not what was sealed.
    """
    if release_id is None:
        run = last_run(ledger, env, emit)
        if run is None:
            raise InputError(
                f"nothing was ever run in {env}",
                where="--from",
                hint=f"inv run --env {env}, or name a release with --release",
            )
        release_id = run.record.release.id
    release = verified(ledger, env, release_id).release.record
    if cancelled := ledger.cancelled(env, release.id):
        raise InputError(
            f"{release.name} was cancelled: {cancelled.record.reason}",
            where="--from",
            hint=f"inv release.list --env {env} shows the others; name one with --release",
        )
    return Promotion(
        release=release,
        build=_build_of(ledger, release),
        forced=_passed_over(ledger, release, force, emit),
    )


def _passed_over(ledger: Ledger, release: Release, force: bool, emit: Emit) -> tuple[str, ...]:
    runs = readable_runs(ledger, release.env, emit)
    if any(run.record.ran_well and run.record.release.id == release.id for run in runs):
        return ()
    if force:
        return (f"{release.name} never ran well",)
    raise InputError(
        f"{release.name} never ran well",
        where="--from",
        hint=f"inv run --env {release.env} --release {release.id}; --force promotes it all the "
        "same, and the record says so",
    )


def _build_of(ledger: Ledger, release: Release) -> Stored[Build]:
    build = ledger.find_build(release.build.id)
    if build is None:
        raise InputError(
            f"build {release.build.id} of {release.name} is not at hand",
            where="artifacts/builds/",
            hint="hand its record on together with the release",
        )
    return build
