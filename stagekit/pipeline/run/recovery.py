"""The way back from a run that failed: to the release that ran well, or to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from stagekit.containers import Container
from stagekit.errors import Cancelled, NotProven, RolledBack, RunFailed, StagekitError
from stagekit.events import Noted, Warned
from stagekit.pipeline.failure import is_cancelled
from stagekit.pipeline.history import last_good, readable_runs
from stagekit.pipeline.run import proof
from stagekit.pipeline.run.attempt import attempt, verify
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.run.subject import Subject
from stagekit.pipeline.run.takedown import take_down
from stagekit.pipeline.verify import Verified
from stagekit.protocols import Engine
from stagekit.records import Release, Run


def recover(error: Exception, checked: Verified, failed: Running, on: Platform) -> None:
    """Go back from a failed run, as its environment's settings want it; nothing is done where it
    changed nothing or was stopped by somebody.

    Args:
        error: what stopped it.
        checked: the release that it was a run of.
        failed: the run, which is recorded.
        on: what it was done with; its lock is still held.

    Raises:
        RolledBack: the release that ran well before runs again, or what never ran well is down.
        RunFailed: that failed too; says what is up and what is not.
        Cancelled: somebody stopped that.
    """
    release = checked.release.record
    if failed.proven or not failed.changed or (on.lease and on.lease.lost):
        return
    if is_cancelled(error):
        if isinstance(error, Cancelled):
            error.hint = _goes_on(f"inv run --env {release.env} --release {release.id}", release)
        return
    # What was scaled ran well before, in the numbers that it had.
    itself = "" if failed.reason == "scale" else release.id
    back = last_good(on.ledger, release.env, on.emit, but=itself)
    if back is None and isinstance(error, NotProven):
        error.hint = _tells_more(release, failed.n)
    if not release.deploy.rolls_back(release.env):
        return
    if back and back.record.runner == release.deploy.engine:
        _go_back(error, release, failed.n, back.record, on)
    elif not any(run.record.ran_well for run in readable_runs(on.ledger, release.env, on.emit)):
        _take_down(error, checked, failed.n, on)
    else:
        on.emit(Noted(f"there is no other release of {release.env} that ran well to go back to"))


def _go_back(error: Exception, release: Release, n: int, good: Run, on: Platform) -> None:
    env, id = release.env, good.release.id
    on.emit(Warned(f"run {n} failed: {_shown(error)}"))
    on.emit(Noted(f"going back to {env}/{id}, the last release that ran well"))
    running = Running(on)
    try:
        checked = verify(env, id, on, running)
        run = attempt(
            checked, "automatic rollback", on, running, scale=good.scale, answers=n
        ).record
    except Cancelled as second:
        second.hint = _goes_on(f"inv run.rollback --env {env} --to {id}", release)
        raise second from error
    except Exception as second:
        raise _both_failed(error, second, release, id, on) from second
    raise RolledBack(
        f"run {n} failed: {_what(error)}; {env}/{id} runs again (run {run.n})",
        where=_where(error),
        hint=_tells_more(release, n),
        output=_output(error),
    ) from error


def _take_down(error: Exception, checked: Verified, n: int, on: Platform) -> None:
    release = checked.release.record
    env = release.env
    on.emit(Warned(f"run {n} failed: {_shown(error)}"))
    on.emit(Noted(f"nothing ever ran well in {env}: taking down what came up"))
    subject = replace(Subject.of(checked.release, "automatic stop", on), answers=n)
    try:
        take_down(subject, on, Running(on))
    except Cancelled as second:
        second.hint = _goes_on(f"inv run.stop --env {env}", release)
        raise second from error
    except Exception as second:
        raise _both_failed(error, second, release, None, on) from second
    raise RolledBack(
        f"run {n} failed: {_what(error)}; it was taken down, volumes stay",
        where=_where(error),
        hint=_tells_more(release, n),
        output=_output(error),
    ) from error


def _tells_more(release: Release, n: int) -> str:
    return f"inv run.show {release.env}/{n} tells more; mend it, and build and release again"


def _goes_on(again: str, release: Release) -> str:
    return (
        "what is up was not proven, and nothing goes back by itself: "
        f"inv run.status --env {release.env} looks, {again} goes on"
    )


def _both_failed(
    first: Exception, second: Exception, release: Release, back: str | None, on: Platform
) -> RunFailed:
    to = f"going back to {release.env}/{back}" if back else "taking it down"
    mend = f"{second.hint}; " if isinstance(second, StagekitError) and second.hint else ""
    return RunFailed(
        f"{_what(first)}; {to} failed too: {_shown(second)}",
        where=_where(first),
        hint=f"{mend}inv run.status --env {release.env} looks again",
        output=(*_output(first), *_output(second), *_standing(release, back, on)),
    )


def _standing(release: Release, back: str | None, on: Platform) -> Iterator[str]:
    """Yield a line for each container there is, and for each service that has none."""
    runner = on.runner(release.deploy.engine)
    try:
        containers = runner.observe(release.compose_project).containers
    except StagekitError as error:
        yield f"what is up cannot be seen: {error.what}"
        return
    known = [release, *([on.ledger.release(release.env, back).record] if back else [])]
    for item in sorted(containers, key=lambda item: item.name):
        yield f"{item.name}: {item.state}, {_image_of(item, known, on.engine)}"
    for name in sorted(set(release.pins) - {item.service for item in containers}):
        yield f"{name}: no container"


def _image_of(container: Container, known: list[Release], engine: Engine) -> str:
    for release in known:
        pin = release.pins.get(container.service)
        if pin and proof.runs(container, pin, engine):
            return f"the image of {release.name}"
    return f"image {container.image_id}"


def _shown(error: Exception) -> str:
    return str(error) or type(error).__name__


def _what(error: Exception) -> str:
    return error.what if isinstance(error, StagekitError) else _shown(error)


def _where(error: Exception) -> str | None:
    return error.where if isinstance(error, StagekitError) else None


def _output(error: Exception) -> tuple[str, ...]:
    return error.output if isinstance(error, StagekitError) else ()
