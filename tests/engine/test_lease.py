"""The lock of an environment on a real engine, held and fought for by real processes."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from stagekit import alive
from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import Busy, Cancelled, LeaseLost
from stagekit.protocols import Lease
from stagekit.records import Holder
from stagekit.testing.fakes import Heard
from tests.conftest import Machine
from tests.engine.under_way import wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

US = Holder(actor="ann", host="laptop", pid=os.getpid(), command="inv run", since=datetime.now(UTC))

# Takes the lock of argv[2] for argv[3] seconds on the engine of argv[1], says how that went, and
# what becomes of it once a line is read.
HOLDER = """
import sys
from datetime import UTC, datetime
from stagekit import alive
from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import Busy, LeaseLost
from stagekit.records import Holder
import os
engine = DockerEngine(Endpoint(sys.argv[1], "test"), {})
elsewhere = sys.argv[4] == "elsewhere"
holder = Holder(actor="bob", host="ci", pid=os.getpid(), command="inv run --env x",
    since=datetime.now(UTC), machine="elsewhere" if elsewhere else alive.machine(),
    started=alive.start_time(os.getpid()))
cancel = Cancel()
try:
    lease = engine.lease(sys.argv[2], holder, seconds=float(sys.argv[3]), wait=0,
        emit=lambda event: None, cancel=cancel)
except Busy as error:
    print("busy", error.what, flush=True)
    sys.exit()
print("held", flush=True)
sys.stdin.readline()
try:
    lease.check()
    print("still held", cancel.requested, flush=True)
except LeaseLost:
    print("lost", cancel.requested, flush=True)
lease.release()
"""


@pytest.fixture
def name(machine: Machine) -> Iterator[str]:
    """A lock that nobody else takes; nothing of it stays on the engine."""
    name = f"t{secrets.token_hex(4)}-prod"
    yield name
    with closing(machine.client()) as client:
        for volume in client.volumes.list(filters={"label": f"stagekit.lock={name}"}):
            volume.remove()


def take(
    machine: Machine, name: str, *, seconds: float = 60, wait: float = 0, heard: Heard | None = None
) -> Lease:
    return machine.engine.lease(
        name, US, seconds=seconds, wait=wait, emit=heard or Heard(), cancel=Cancel()
    )


@contextmanager
def other(
    machine: Machine, name: str, *, seconds: float = 60, where: str = "here"
) -> Iterator[subprocess.Popen[str]]:
    """Another process that tries to take the lock."""
    argv = [sys.executable, "-c", HOLDER, machine.engine.url, name, str(seconds), where]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def asked(process: subprocess.Popen[str]) -> str:
    """Have it check its lease, and return what it finds."""
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()
    return said(process)


def volumes(machine: Machine, name: str) -> list[str]:
    with closing(machine.client()) as client:
        found = client.volumes.list(filters={"label": f"stagekit.lock={name}"})
        return sorted(volume.name.removeprefix(f"stagekit-lock-{name}-") for volume in found)


def test_it_is_held_by_one(machine: Machine, name: str) -> None:
    """The next is told by whom; released, it is free at once, and its numbers go on."""
    lease = take(machine, name)
    held = machine.engine.lock_holder(name)
    assert held is not None
    assert (held[0], 50 < held[1] <= 60) == (US, True)
    with pytest.raises(Busy, match=r"'inv run' by ann, process .* on laptop, since") as caught:
        take(machine, name)
    assert caught.value.exit_code == 9
    lease.check()
    lease.release()
    assert machine.engine.lock_holder(name) is None
    again = take(machine, name)
    assert again.taken_over is None
    assert volumes(machine, name) == ["3"]
    again.release()
    again.release()
    assert volumes(machine, name) == ["4"]


def test_of_twenty_at_once_one_has_it(machine: Machine, name: str) -> None:
    """The others are told that it is held; nothing is left of their trying."""
    with ExitStack() as stack:
        every = [stack.enter_context(other(machine, name)) for _ in range(20)]
        outcomes = [said(process).split()[0] for process in every]
        assert sorted(outcomes) == ["busy"] * 19 + ["held"]
        assert len(volumes(machine, name)) == 1
        holder = every[outcomes.index("held")]
        assert asked(holder) == "still held False"


def test_it_is_renewed_while_its_holder_lives(machine: Machine, name: str) -> None:
    """Longer than it was taken for at a time."""
    with other(machine, name, seconds=1.5, where="elsewhere") as holder:
        assert said(holder) == "held"
        with pytest.raises(Busy):
            take(machine, name, wait=4)
        assert asked(holder) == "still held False"
        holder.wait(20)
        take(machine, name).release()


def test_that_of_a_killed_holder_runs_out(machine: Machine, name: str) -> None:
    """On another machine nobody can tell sooner; whose it was is told and kept."""
    with other(machine, name, seconds=3, where="elsewhere") as holder:
        assert said(holder) == "held"
        holder.kill()
        holder.wait()
        with pytest.raises(Busy):
            take(machine, name)
        heard = Heard()
        lease = take(machine, name, wait=20, heard=heard)
        assert lease.taken_over is not None
        assert (lease.taken_over.actor, lease.taken_over.host) == ("bob", "ci")
        assert "waiting for" in heard.text
        assert "left behind: 'inv run --env x' by bob" in heard.text
        lease.release()


def test_that_of_a_process_of_this_machine_that_is_gone_is_free_at_once(
    machine: Machine, name: str
) -> None:
    """Its number may be another process's by now: the time it was started tells."""
    with other(machine, name) as holder:
        assert said(holder) == "held"
        with pytest.raises(Busy):
            take(machine, name)
        holder.kill()
        holder.wait()
        lease = take(machine, name)
        assert lease.taken_over is not None
        lease.release()
    stranger = replace(US, machine=alive.machine(), started="1")
    assert alive.start_time(stranger.pid) != "1"
    machine.engine.lease(
        name, stranger, seconds=60, wait=0, emit=Heard(), cancel=Cancel()
    )  # never released: its thread ends with the tests
    take(machine, name).release()


def test_who_sleeps_past_its_end_has_lost_it(machine: Machine, name: str) -> None:
    """It finds that out by itself, before its next step, and its token is requested."""
    with other(machine, name, seconds=1.5, where="elsewhere") as holder:
        assert said(holder) == "held"
        holder.send_signal(signal.SIGSTOP)
        lease = take(machine, name, wait=20)
        holder.send_signal(signal.SIGCONT)
        assert asked(holder) == "lost True"
        lease.check()
        assert machine.engine.lock_holder(name) is not None
        lease.release()


def test_who_sleeps_and_is_not_missed_still_has_it(machine: Machine, name: str) -> None:
    """Nobody wanted it meanwhile."""
    with other(machine, name, seconds=1.5, where="elsewhere") as holder:
        assert said(holder) == "held"
        holder.send_signal(signal.SIGSTOP)
        wait_until(lambda: machine.engine.lock_holder(name) is None, "the lease to run out")
        holder.send_signal(signal.SIGCONT)
        assert asked(holder) == "still held False"


def test_volumes_that_somebody_removes_lead_to_one_holder(machine: Machine, name: str) -> None:
    """``docker volume prune`` takes the lock from under its holder: of two that then believe to
    have it, one finds that it has not."""
    with other(machine, name, seconds=3, where="elsewhere") as holder:
        assert said(holder) == "held"
        with closing(machine.client()) as client:
            for volume in client.volumes.list(filters={"label": f"stagekit.lock={name}"}):
                volume.remove()
        with other(machine, name, seconds=3, where="elsewhere") as second:
            if said(second).startswith("held"):
                wait_until(lambda: len(volumes(machine, name)) == 1, "one of them to renew")
                wait_until(lambda: volumes(machine, name) != ["1"], "the other to find out")
                found = sorted([asked(holder), asked(second)])
                assert "lost True" in found


def test_a_wait_can_be_stopped(machine: Machine, name: str) -> None:
    """By Ctrl-C, which requests the token."""
    lease = take(machine, name)
    cancel = Cancel()
    cancel.request()
    with pytest.raises(Cancelled):
        machine.engine.lease(name, US, seconds=60, wait=60, emit=Heard(), cancel=cancel)
    lease.release()


def test_an_engine_that_cannot_be_reached_loses_it(machine: Machine, name: str) -> None:
    """Once it may have run out; to release it then is no error."""
    cancel = Cancel()
    engine = DockerEngine(Endpoint(machine.engine.url, "test"), {})
    lease = engine.lease(name, US, seconds=1.5, wait=0, emit=Heard(), cancel=cancel)
    engine._client.endpoint = Endpoint("unix:///nowhere/docker.sock", "test")
    wait_until(lambda: cancel.requested, "the loss to be noticed")
    with pytest.raises(LeaseLost):
        lease.check()
    lease.release()


def test_unlock_frees_it_by_hand(deployed: Repository, machine: Machine) -> None:
    """Its holder has lost it; the environment's name has to be typed."""
    name = f"{deployed.name}-prod"
    assert deployed.inv("run.unlock", "--env", "prod").stdout == "nobody holds prod\n"
    lease = take(machine, name, seconds=3)
    refused = deployed.attempt("run.unlock", "--env", "prod")
    assert refused.code == 2
    assert "prod is held by 'inv run' by ann" in refused.stderr
    lease.check()
    freed = deployed.inv("run.unlock", "--env", "prod", "--confirm", "prod")
    assert freed.stdout.startswith("prod is free; it was held by 'inv run' by ann")
    wait_until(lambda: lease.lost, "its holder to notice")
    take(machine, name).release()
