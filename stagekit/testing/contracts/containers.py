"""What every `stagekit.protocols.Engine` keeps of containers: looked into, and removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex

import pytest

from stagekit.containers import COMPARISON
from stagekit.errors import LimitExceeded, StagekitError
from stagekit.protocols import Engine
from stagekit.testing.contracts.capability import needs

_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_ONE_OFF = "com.docker.compose.oneoff"
_MADE_BY = "stagekit.contract"

_LIMIT = 60.0
_CODE = 7


class ContainerCases:
    """The part of `EngineContract` that needs containers which run."""

    runs_commands = True

    def start(
        self, engine: Engine, image: str, command: Sequence[str], labels: Mapping[str, str]
    ) -> str:
        """Start a container; return its id. What is left of it after a case is the class's to
        remove."""
        raise NotImplementedError("give a method `start` that starts a container")

    @needs("runs_commands")
    def test_a_container_is_looked_into(self, engine: Engine, image: str, project: str) -> None:
        """Its last lines, and what a command in it prints, with its exit code; one that takes too
        long ends the waiting."""
        said = ("sh", "-c", "echo one; echo two; echo three; exec sleep 600")
        id = self.start(engine, image, said, {_PROJECT: project, _SERVICE: "web"})
        wait_for(lambda: engine.logs(id, 9) == ("one", "two", "three"))
        assert engine.logs(id, 2) == ("two", "three")
        assert [item.id for item in engine.containers(project)] == [id]
        talking = ("sh", "-c", f"echo out; echo err >&2; exit {_CODE}")
        code, printed = engine.execute(id, talking, limit=_LIMIT)
        assert (code, sorted(printed.split())) == (_CODE, [b"err", b"out"])
        with pytest.raises(LimitExceeded):
            engine.execute(id, ("sleep", "600"), limit=1.0)

    @needs("runs_commands")
    def test_one_off_containers_are_removed_by_their_label(
        self, engine: Engine, image: str, project: str
    ) -> None:
        """Those that are left behind, and no service's; they are never listed."""
        sleep = ("sleep", "600")
        service = self.start(engine, image, sleep, {_PROJECT: project, _SERVICE: "web"})
        once = {_PROJECT: project, _SERVICE: "web", _ONE_OFF: "True"}
        dead = self.start(engine, image, sleep, {**once, _MADE_BY: "dead"})
        living = self.start(engine, image, sleep, {**once, _MADE_BY: "living"})
        assert [item.id for item in engine.containers(project)] == [service]
        engine.remove_once(project, _MADE_BY, lambda by: by == "dead")
        assert _is_there(engine, living)
        assert not _is_there(engine, dead)
        engine.remove_once(project, _MADE_BY)
        assert not _is_there(engine, living)
        assert _is_there(engine, service)

    @needs("runs_commands")
    def test_what_comparisons_made_is_removed_by_who_made_it(
        self, engine: Engine, image: str, project: str
    ) -> None:
        """What another process is at stays."""
        dead, living = token_hex(8), token_hex(8)
        ids = {
            by: self.start(engine, image, ("sleep", "600"), {_PROJECT: project, COMPARISON: by})
            for by in (dead, living)
        }
        assert len(engine.remove_compared(lambda by: by == dead)) == 1
        assert not _is_there(engine, ids[dead])
        assert _is_there(engine, ids[living])
        assert engine.remove_compared(lambda by: by == dead) == ()


def _is_there(engine: Engine, id: str) -> bool:
    try:
        engine.logs(id, 1)
    except StagekitError:
        return False
    return True


def wait_for(true: Callable[[], bool]) -> None:
    """Wait until something is: a container's lines may come after it is seen to run."""
    deadline = time.monotonic() + _LIMIT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
