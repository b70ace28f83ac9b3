"""One half of a comparison: made ready, brought up as a run would, and looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from stagekit.containers import Container
from stagekit.errors import NotProven, RunFailed
from stagekit.pipeline.run import attempt, preflight, proof
from stagekit.pipeline.run.halves import Half, addresses
from stagekit.pipeline.run.plan import Plan, decide
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.recording import Running
from stagekit.pipeline.secrets import values
from stagekit.records import ComparedRelease


class Ready(NamedTuple):
    """A half that can be brought up: how, and its secrets' values by name."""

    half: Half
    plan: Plan
    secrets: Mapping[str, str]


class Up(NamedTuple):
    """A half that is up and proven: what is recorded of it, and its containers."""

    about: ComparedRelease
    containers: tuple[Container, ...]


def ready(half: Half, on: Platform) -> Ready:
    """Look whether a half can be brought up; change nothing.

    Raises:
        InputError: a secret cannot be had.
        RunFailed: an image is nowhere, the disk is full, or the source is elsewhere.
    """
    given = values(half.sealed.release.record, half.sealed.files, on.providers)
    found = preflight.look(half.derived, on.engine, emit=on.emit, cancel=on.cancel)
    return Ready(half, decide(found, half.derived, {}, on.engine), given)


def bring_up(made: Ready, on: Platform) -> Up:
    """Bring a half up and prove it.

    Raises:
        RunFailed: it did not come up, or is not what was released.
    """
    half, release = made.half, made.plan.release
    seen = attempt.apply(made.plan, on, Running(on), made.secrets)
    containers = on.runner(release.deploy.engine).observe(release.compose_project).containers
    reached = addresses(half, containers, on.engine)
    if half.asked_at and half.asked_at.name not in reached:
        raise RunFailed(f"its port {half.asked_at.name} is not published", where=half.name)
    about = replace(
        half.about,
        containers=seen,
        addresses=dict(reached),
        address=reached[half.asked_at.name] if half.asked_at else None,
    )
    return Up(about, containers)


def fallen(made: Ready, up: Up, on: Platform) -> str | None:
    """Say what of a half is not as it came up: a container that ended, or was started again."""
    release = made.plan.release
    runner = on.runner(release.deploy.engine)
    settled = proof.Settled(up.containers, 0.0)
    try:
        proof.held(release, made.plan.wanted, runner, on.engine, settled, on.cancel)
    except NotProven as error:
        first, *_ = error.failed
        last = f"; its last line: {first.output[-1]}" if first.output else ""
        return f"{made.half.name} did not hold while it was asked: {error.what}{last}"
    return None
