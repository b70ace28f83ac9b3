"""What people do with a release that runs: read its logs, run commands in it and beside it, restart
it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from msgspec.structs import replace

from stagekit.containers import CommandAsked, Invocation, LogsAsked
from stagekit.errors import InputError, StagekitError
from stagekit.events import Noted
from stagekit.inputs.near import known_names
from stagekit.inputs.seal import replicas
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run import proof
from stagekit.pipeline.run.attempt import placed
from stagekit.pipeline.run.lock import locked, refuse_meanwhile
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.standing import keep_standing
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.secrets import values
from stagekit.pipeline.verify import Verified, verified
from stagekit.records import ContainerSeen, Release, Run, Stored


def logs(env: str, asked: LogsAsked, on: Platform, folder: Path) -> Invocation:
    """Return how to print what the containers of an environment printed.

    Secrets of the release are masked in it, where they can be had.

    Args:
        env: the environment's name.
        asked: which lines.
        on: where it runs.
        folder: an empty one.

    Raises:
        InputError: nothing runs there, or no such service.
    """
    run, release = in_force(env, on)
    check_services(asked.services, release)
    shown = on.runner(run.runner).logs(release.compose_project, asked, folder)
    return replace(shown, mask=secrets_printed(run, release, on))


def inside(env: str, asked: CommandAsked, on: Platform, folder: Path) -> Invocation:
    """Return how to run a command in a running container; otherwise as `logs`."""
    run, release = in_force(env, on)
    check_services([asked.service], release)
    return on.runner(run.runner).inside(release.compose_project, asked, folder)


def beside(env: str, asked: CommandAsked, on: Platform, folder: Path) -> Invocation:
    """Return how to run a command in a container of its own of the release that runs, as its
    variables and secrets have it: twelve-factor's admin process.

    Args:
        env: the environment's name.
        asked: what to run.
        on: where it runs.
        folder: an empty one, which gets the release's document.

    Raises:
        InputError: nothing runs there, no such service, or a secret cannot be had.
        LedgerError: the release is not what was sealed.
        StagekitError: a plugin does not trust it.
    """
    run, release = in_force(env, on)
    check_services([asked.service], release)
    checked = verified(on.ledger, env, release.id)
    on.check_trust(checked.release)
    document = folder / "compose.yaml"
    document.write_bytes(checked.text)
    on = on.run_by(run.runner)
    on.emit(Noted(f"beside {release.name}, which runs"))
    return on.runner(run.runner).beside(
        release,
        document,
        _folder_of(checked, on),
        asked,
        secrets=values(release, checked.files, on.providers),
        source=on.source if release.deploy.source_mounts else None,
    )


def restart(env: str, services: Sequence[str], on: Platform) -> Stored[Run]:
    """Restart containers as they are, prove that they come up again, and record it.

    Args:
        env: the environment's name.
        services: whose; all, if none is named.
        on: what it is done with.

    Raises:
        InputError: nothing runs there, or no such service.
        RunFailed: one did not come up again.
        Busy: another run holds the environment.
    """
    last, release = in_force(env, on)
    check_services(services, release)
    on = on.run_by(last.runner)
    looking = Running(on)
    with locked(release.compose_project, release.deploy.lease, on, looking) as holding:
        refuse_meanwhile(last, holding)
        running = Running(holding, looking.steps)
        running.secrets = known_secrets(release, on)
        subject = replace(Subject.after(last, "restart", on), scale=last.scale)

        def work() -> tuple[ContainerSeen, ...]:
            running.engine = holding.engine.facts()
            document = verified(on.ledger, env, release.id).document
            wanted = {**replicas(document), **last.scale}
            return restarted(release, wanted, services, holding, running)

        stored = running.recorded(subject, "running", work)
        keep_standing(stored.record, release.build.id, holding)
        return stored


def restarted(
    release: Release,
    wanted: Mapping[str, int],
    services: Sequence[str],
    on: Platform,
    running: Running,
) -> tuple[ContainerSeen, ...]:
    """Restart containers on one engine, and prove that they come up again.

    Args:
        release: that they are of.
        wanted: how many there should be of each service.
        services: whose; all, if none is named.
        on: what it is done with; its lock is held.
        running: records it.

    Raises:
        RunFailed: one did not come up again.
    """
    runner = on.runner(release.deploy.engine)
    with running.step("restart", ", ".join(services) or release.name, changes=True):
        complaint = runner.restart(
            release.compose_project, services, emit=on.emit, cancel=on.cancel
        )
    with running.step("settle", release.name) as under_way:
        settled = proof.settle(release, wanted, runner, on.engine, on.cancel, complaint=complaint)
        under_way.outcome = f"held for {settled.seconds:g} s"
    with running.step("prove", release.name) as under_way:
        seen = proof.compare(release, settled.containers, on.engine)
        under_way.outcome = proof.proven(seen)
    return seen


def in_force(env: str, on: Platform) -> tuple[Run, Release]:
    """Return the run in force, and the release that it was of.

    Raises:
        InputError: nothing runs there.
    """
    last = last_run(on.ledger, env, on.emit)
    if last is None or last.record.outcome == "stopped":
        raise InputError(f"nothing runs in {env}", hint=f"inv run --env {env}")
    return last.record, on.ledger.release(env, last.record.release.id).record


def check_services(services: Sequence[str], release: Release) -> None:
    """Raise InputError for a service that a release does not have."""
    for name in services:
        if name not in release.pins:
            raise InputError(
                f"{release.name} has no service {name!r}", hint=known_names(name, release.pins)
            )


def secrets_printed(run: Run, release: Release, on: Platform) -> tuple[str, ...]:
    """Return what containers may print of secrets: those of the release of the run in force, and of
    the others that hosts of a fleet run, or ran before it; otherwise as `known_secrets`."""
    found = set(known_secrets(release, on))
    ids = {id for host in run.hosts for id in (host.release, host.before) if id}
    for id in sorted(ids - {release.id}):
        try:
            other = on.ledger.release(run.env, id).record
        except StagekitError as error:
            on.emit(Noted(f"secrets of {run.env}/{id} are not masked: {error.what}"))
        else:
            found |= set(known_secrets(other, on))
    return tuple(sorted(found))


def known_secrets(release: Release, on: Platform) -> tuple[str, ...]:
    """Return the values of a release's secrets, none where they cannot be opened here; says so."""
    if not release.secrets:
        return ()
    try:
        files = on.ledger.release_files(release.env, release.id)
        return tuple(values(release, files, on.providers).values())
    except StagekitError as error:
        on.emit(Noted(f"secrets that its programs print are not masked: {error.what}"))
        return ()


def _folder_of(checked: Verified, on: Platform) -> PurePath:
    release = checked.release.record
    return placed(checked, on.engine) or on.ledger.release_folder(release.env, release.id)
