"""One attempt at running a release: it comes up and is proven, or what stopped it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.containers import Container, Observation
from stagekit.errors import EngineError, InputError, LimitExceeded, RegistryError, RunFailed
from stagekit.events import Emit, Warned, step
from stagekit.inputs.files import executables
from stagekit.pipeline.abreast import abreast
from stagekit.pipeline.cancel_release import refuse_cancelled
from stagekit.pipeline.history import newest_release
from stagekit.pipeline.run import checks, preflight, proof
from stagekit.pipeline.run.bundled import as_named_here
from stagekit.pipeline.run.hooks import Hooks
from stagekit.pipeline.run.plan import Plan, decide, release_folder
from stagekit.pipeline.run.planning import planned, refuse_changed
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.standing import keep_standing
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.secrets import values
from stagekit.pipeline.verify import Verified, verified
from stagekit.protocols import Engine
from stagekit.records import ContainerSeen, Planned, Release, Run, RunReason, Stored

_PULLS_AT_ONCE = 4


def verify(env: str, release_id: str | None, on: Platform, running: Running) -> Verified:
    """Find the release and check it, as the run's first step.

    Raises:
        InputError: no such release.
        LedgerError: the release is not what was sealed.
        RunFailed: it was cancelled.
        StagekitError: a plugin does not trust it.
    """
    with running.step("verify", f"{env}/{release_id or 'latest'}") as under_way:
        checked = verified(on.ledger, env, release_id or newest(env, on))
        release = checked.release.record
        refuse_cancelled(on.ledger, env, release.id)
        _refuse_foreign(release, on.project)
        under_way.outcome = f"{release.name} is as it was sealed"
    if vouched := on.check_trust(checked.release):
        with running.step("trust", release.name, shown=False) as under_way:
            under_way.outcome = "; ".join(vouched)
    return as_named_here(checked, on.engine)


def _refuse_foreign(release: Release, project: str) -> None:
    """Another project's release would run under that project's name, and be recorded here."""
    if project and release.project != project:
        raise InputError(
            f"it is a release of the project {release.project}, and this is {project}",
            where=release.name,
            hint=f"look whose ledger this is; or, if it was renamed, name = {release.project!r} "
            "in pyproject.toml [tool.stagekit] runs it under the old name",
        )


def newest(env: str, on: Platform) -> str | None:
    """Return the newest release that was not cancelled, or of all, if all were."""
    ids, found = on.ledger.releases(env), newest_release(on.ledger, env)
    if found and found != ids[0]:
        on.emit(Warned(f"{env}/{ids[0]} was cancelled: {env}/{found} is the newest that was not"))
    return found or next(iter(ids), None)


def attempt(
    checked: Verified,
    reason: RunReason,
    on: Platform,
    running: Running,
    *,
    scale: Mapping[str, int],
    answers: int | None = None,
    keeping_to: Stored[Planned] | None = None,
) -> Stored[Run]:
    """Run a release that was verified, and record it, however it ends.

    Args:
        checked: the release.
        reason: why it is run.
        on: what it is done with; its lock is held.
        running: records it.
        scale: numbers of containers other than the release's, by service.
        answers: the failed run that this one follows by itself.
        keeping_to: the plan that it has to be as.

    Raises:
        RunFailed: what came up is not what was released, or did not come up; or what would be done
            is not what was planned.
    """
    release = checked.release.record
    subject = replace(
        Subject.of(checked.release, reason, on),
        answers=answers,
        plan=keeping_to.digest if keeping_to else None,
        scale=dict(scale),
    )

    def work() -> tuple[ContainerSeen, ...]:
        on.plugins.tell("stagekit_before_run", release=checked.release, reason=reason)
        with running.step("check", on.engine.url) as under_way:
            running.engine = on.engine.facts()
            secrets = values(release, checked.files, on.providers)
            running.secrets = tuple(secrets.values())
            found = preflight.look(checked, on.engine, emit=on.emit, cancel=on.cancel)
            plan = decide(found, checked, scale, on.engine)
            if keeping_to:
                now = planned(plan, reason, on, running.engine, secrets)
                refuse_changed(keeping_to.record, now)
            to_pull = len(plan.pull)
            under_way.outcome = f"version {running.engine.version}, images to pull: {to_pull}"
        return apply(plan, on, running, secrets)

    hooks = Hooks(release.deploy.hooks, on.environ, on.source, on.plugins)
    stored = running.recorded(subject, "running", work, hooks=hooks)
    keep_standing(stored.record, release.build.id, on)
    return stored


def apply(
    plan: Plan, on: Platform, running: Running, secrets: Mapping[str, str]
) -> tuple[ContainerSeen, ...]:
    """Bring the release up and prove it.

    Raises:
        RunFailed: what came up is not what was released, or did not come up; with the last lines
            of each container that failed.
    """
    release, runner = plan.release, on.runner(plan.release.deploy.engine)
    before = runner.observe(release.compose_project)
    folder = made_ready(plan, on, running)
    if release.deploy.release_command:
        run_command(plan, on, running, folder, secrets)
    return switched(plan, on, running, folder, secrets, before)


def made_ready(plan: Plan, on: Platform, running: Running) -> PurePath:
    """Pull what is missing and put files on the engine's host; return the folder of these. What
    runs is not touched."""
    if plan.pull:
        with running.step("pull", plan.release.name, shown=False) as under_way:
            _pull(plan.pull, on)
            under_way.outcome = f"images: {len(plan.pull)}"
    return _placed(plan, on, running)


def switched(
    plan: Plan,
    on: Platform,
    running: Running,
    folder: PurePath,
    secrets: Mapping[str, str],
    before: Observation,
) -> tuple[ContainerSeen, ...]:
    """Bring up a release that was made ready in the place of what ran ``before``, and prove it.

    Raises:
        RunFailed: as `apply`.
    """
    release, runner = plan.release, on.runner(plan.release.deploy.engine)
    with running.step("up", release.name, changes=True):
        complaint = runner.up(
            release,
            plan.verified.text,
            folder,
            scale=plan.scale,
            secrets=secrets,
            source=on.source if release.deploy.source_mounts else None,
            emit=on.emit,
            cancel=on.cancel,
        )
    with running.step("settle", release.name) as under_way:
        settled = proof.settle(
            release, plan.wanted, runner, on.engine, on.cancel, complaint=complaint, before=before
        )
        under_way.outcome = f"held for {settled.seconds:g} s" if settled.seconds else "held"
    for check in release.deploy.checks:
        with running.step("ask", check.url) as under_way:
            under_way.outcome = checks.ask(check, settled.containers, release, on)
    _ask_plugins(release, settled.containers, on)
    with running.step("prove", release.name) as under_way:
        held = proof.held(release, plan.wanted, runner, on.engine, settled, on.cancel)
        seen = proof.compare(release, held, on.engine)
        under_way.outcome = proof.proven(seen)
    return seen


def _ask_plugins(release: Release, containers: Sequence[Container], on: Platform) -> None:
    wrong = on.plugins.gathered(
        "stagekit_check_run", release=release, containers=containers, engine=on.engine
    )
    if wrong:
        raise RunFailed(str(wrong[0]), where=release.name, output=tuple(map(str, wrong)))


def run_command(
    plan: Plan,
    on: Platform,
    running: Running,
    folder: PurePath,
    secrets: Mapping[str, str],
    *,
    begun: Callable[[], None] = lambda: None,
) -> None:
    """Run the command of a release that has one, before anything is replaced.

    Args:
        plan: what is to be run.
        on: what it is done with.
        running: records it.
        folder: of the files that are mounted.
        secrets: values by name.
        begun: called when the step is begun, before it does anything.

    Raises:
        RunFailed: it failed.
    """
    release, runner = plan.release, on.runner(plan.release.deploy.engine)
    command = release.deploy.release_command
    assert command
    subject = f"{command.service}: {' '.join(command.command)}"
    with running.step("command", subject, changes=plan.first):
        begun()
        where = f"{release.name}, service {command.service}"
        hint = "nothing was replaced: mend it, and build and release again"
        try:
            code, lines = runner.once(
                release,
                plan.verified.text,
                folder,
                command,
                dependencies=plan.first,
                secrets=secrets,
                source=on.source if release.deploy.source_mounts else None,
                emit=on.emit,
                cancel=on.cancel,
            )
        except LimitExceeded as error:
            what = f"the release command took too long: {error.what}"
            raise RunFailed(what, where=where, hint=hint, output=error.output) from error
        if code != 0:
            what = f"the release command ended with {code}: {' '.join(command.command)}"
            raise RunFailed(what, where=where, hint=hint, output=lines)


def _placed(plan: Plan, on: Platform, running: Running) -> PurePath:
    folder, mounted = release_folder(plan, on), plan.verified.mounted
    if not mounted:
        return folder
    with running.step("place", plan.release.name) as under_way:
        placed(plan.verified, on.engine)
        under_way.outcome = f"{len(mounted)} files in {folder}"
    return folder


def placed(release: Verified, engine: Engine) -> PurePath | None:
    """Put the files that a release mounts on the engine's host, with the help of an image that
    it has by now; return the folder, or None where it mounts none."""
    if not release.mounted:
        return None
    image = next(iter(release.release.record.pins.values())).pinned
    try:
        return engine.place(release.mounted, executable=executables(release.document), image=image)
    except EngineError as error:
        raise RunFailed(
            f"the release's files cannot be put on the engine's host: {error.what}",
            where=error.where,
            hint=error.hint,
        ) from error


def _pull(pins: tuple[str, ...], on: Platform) -> None:
    def pull(pin: str, emit: Emit, cancel: Cancel) -> None:
        with step(emit, "pull", pin):
            on.engine.pull(pin, emit=emit, cancel=cancel)

    ended = abreast(
        dict.fromkeys(pins, ()),
        pull,
        jobs=_PULLS_AT_ONCE,
        fail_fast=True,
        emit=on.emit,
        cancel=on.cancel,
    )
    for pin, error in ended.failed.items():
        if isinstance(error, RegistryError):
            raise RunFailed(
                f"image cannot be pulled: {error.what}", where=pin, hint=error.hint
            ) from error
        raise error
