"""Removing a stack, and waiting until all of it is gone."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from stagekit.cancel import Cancel
from stagekit.engine.swarm.api import Swarm
from stagekit.engine.swarm.patience import answered
from stagekit.engine.swarm.program import DockerProgram
from stagekit.errors import RunFailed
from stagekit.process import Result

_LIMIT = 180.0
_POLL = 0.3


def take_down(
    swarm: Swarm,
    program: DockerProgram,
    stack: str,
    *,
    tell: Callable[[str], None],
    cancel: Cancel,
) -> None:
    """Remove a stack, and wait until its containers are gone. Volumes stay.

    Args:
        swarm: its manager.
        program: the docker command, which reaches the same.
        stack: the stack's name.
        tell: told how many containers are left.
        cancel: stops it.

    Raises:
        RunFailed: they are not gone, in time.
        EngineError: no manager has answered for a while.
    """
    deadline, told = monotonic() + _LIMIT, -1
    while True:
        result = program.remove(stack, cancel=cancel)
        while left := len(answered(lambda: swarm.tasks(stack), cancel)):
            if left != told:
                tell(f"{left} containers are left")
                told = left
            _refuse_late(stack, deadline, result)
            cancel.check()
            cancel.wait(_POLL)
        if result.ok and not answered(lambda: swarm.networks(stack), cancel):
            return
        _refuse_late(stack, deadline, result)
        cancel.check()
        cancel.wait(_POLL)  # a network goes once the last of its containers has gone


def _refuse_late(stack: str, deadline: float, result: Result) -> None:
    if monotonic() > deadline:
        raise RunFailed(
            f"after {_LIMIT:g} s some of it is still there",
            where=stack,
            hint=f"docker stack ps {stack}; a node that is away keeps its containers",
            output=() if result.ok else result.tail(),
        )
