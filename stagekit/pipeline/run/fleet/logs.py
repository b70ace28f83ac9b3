"""What the containers on all hosts of a fleet printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from stagekit.attached import lines
from stagekit.cancel import Cancel
from stagekit.containers import Invocation, LogsAsked
from stagekit.errors import Cancelled, StagekitError
from stagekit.events import Emit, Output, Warned, ignore
from stagekit.inputs.fleet import services_on
from stagekit.pipeline.abreast import abreast
from stagekit.pipeline.run import services
from stagekit.pipeline.run.fleet.hosts import Fleet, failure_of, reach
from stagekit.pipeline.run.fleet.member import Member
from stagekit.pipeline.run.platform import Platform


def logs(env: str, asked: LogsAsked, fleet: Fleet, folder: Path, emit: Emit) -> None:
    """Print what they printed: of one host after the other; of all at a time where what comes is
    followed, until somebody stops that. A host that fails is said, and stops no other.

    Args:
        env: the environment's name.
        asked: which lines.
        fleet: its hosts.
        folder: an empty one.
        emit: gets each line as `Output`, with the host as its subject.

    Raises:
        InputError: nothing runs there, or no such service.
        EngineError, RunFailed: hosts were not reached, or did not go on; the others are through.
    """
    base = fleet.base
    members = fleet.members(services.in_force(env, base)[0].runner)
    reached = reach(fleet, members, base, emit=ignore)
    for name, error in reached.failed.items():
        emit(Warned(f"{name}: {error}"))
    here = [member for member in members if member.name in reached.done]
    shown = _invocations(env, asked, here, base, folder)

    def one(name: str, post: Emit, cancel: Cancel) -> None:
        of = shown[name]
        try:
            for line in lines(of.argv, env=of.env, cancel=cancel, cwd=of.folder, mask=of.mask):
                post(Output("logs", name, line))
        except StagekitError as error:
            if not isinstance(error, Cancelled):
                post(Warned(f"{name}: {error}"))
            raise

    ended = abreast(
        dict.fromkeys(shown, ()),
        one,
        jobs=max(1, len(shown) if asked.follow else 1),
        fail_fast=False,
        emit=emit,
        cancel=base.cancel,
    )
    if not (asked.follow and base.cancel.requested):
        base.cancel.check()
        if failed := {**reached.failed, **ended.failed}:
            raise failure_of(failed, len(members), "show what their containers print")


def _invocations(
    env: str, asked: LogsAsked, members: Sequence[Member], on: Platform, folder: Path
) -> dict[str, Invocation]:
    """Return how to print them on each host that has what is asked for."""
    run, release = services.in_force(env, on)
    services.check_services(asked.services, release)
    mask = services.secrets_printed(run, release, on)
    found = {}
    for member in members:
        here = services_on(member.host, asked.services or release.pins, release.deploy)
        if here:
            its = replace(asked, services=here if asked.services else ())
            shown = member.on.runner(run.runner).logs(release.compose_project, its, folder)
            found[member.name] = replace(shown, mask=mask)
    return found
