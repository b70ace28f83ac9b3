# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""What a run must not do to the one before it, and what becomes of its own record."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.cli import fleet
from stagekit.cli.run import rollback
from stagekit.containers import Observation
from stagekit.errors import (
    Cancelled,
    DiskRefused,
    LimitExceeded,
    NotProven,
    RolledBack,
    RunFailed,
    StagekitError,
)
from stagekit.images import ImageFacts
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.cancel_release import cancel as cancel_release
from stagekit.pipeline.run import flow, services
from stagekit.pipeline.run.hooks import Nobody
from stagekit.protocols import Lease
from stagekit.records import Deploy, ReleaseCommand, Run
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, Heard
from stagekit.testing.records import PIN, a_container, ran, released
from tests.fakes import platform

UP = a_container()
BAD = a_container(state="exited", exit_code=3)
IMAGE = ImageFacts(id=UP.image_id, size=1, digests=(PIN.pinned,))
DEPLOY = Deploy(timeout=0.1, settle=0.0, rollback_on_failure=True)


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path)


def engine(**more: Any) -> FakeEngine:
    return FakeEngine(images={PIN.pinned: IMAGE, UP.image_id: IMAGE}, **more)


def run(ledger: FileLedger, runner: FakeRunner, **more: Any) -> Run:
    on = platform(ledger, runner, engine(), **more)
    return flow.run("prod", release_id=None, reason="run", on=on).record


def runs(ledger: FileLedger) -> list[tuple[str, str, str]]:
    """Every run, the oldest first: what of, why, and how it ended."""
    found = [ledger.run("prod", n).record for n in reversed(ledger.runs("prod"))]
    return [(run.release.id, run.reason, run.outcome) for run in found]


class Waiting(FakeEngine):
    """An engine whose lock is waited for, while another run brings up another release."""

    def __init__(self, ledger: FileLedger) -> None:
        super().__init__(images={PIN.pinned: IMAGE, UP.image_id: IMAGE})
        self._ledger = ledger

    def lease(self, *given: Any, **more: Any) -> Lease:
        released(self._ledger, deploy=DEPLOY)
        ran(self._ledger, "v2", changed=True)
        return super().lease(*given, **more)


@pytest.mark.parametrize(
    "again",
    [
        lambda on: flow.scaled("prod", {"web": 1}, on),
        lambda on: flow.run("prod", release_id="v1", reason="rollback", on=on),
        lambda on: services.restart("prod", [], on),
    ],
    ids=["scale", "rollback", "restart"],
)
def test_what_was_decided_before_another_run_is_not_done_after_it(
    ledger: FileLedger, again: Callable[[Any], Any]
) -> None:
    """It would take back what was deployed while the lock was waited for."""
    released(ledger, deploy=DEPLOY)
    ran(ledger, "v1", changed=True)
    runner = FakeRunner([UP], before=())
    with pytest.raises(RunFailed, match="run 2 of prod took place meanwhile: v2 running"):
        again(platform(ledger, runner, Waiting(ledger)))
    assert (runner.calls, len(ledger.runs("prod"))) == ([], 2)


def test_the_newest_release_is_that_when_the_lock_is_had(ledger: FileLedger) -> None:
    """An older one does not take the place of what was run while it waited; one that was named is
    what was asked for."""
    released(ledger, deploy=DEPLOY)
    heard = Heard()
    on = platform(ledger, FakeRunner([UP], before=()), Waiting(ledger), heard=heard)
    newest = flow.run("prod", release_id=None, reason="run", on=on).record
    assert (newest.n, newest.release.id) == (2, "v2")
    assert [step.name for step in newest.steps][:3] == ["verify", "lock", "verify"]
    assert "prod/v2 is the newest by now: it is run in the place of prod/v1" in heard.text
    on = platform(ledger, FakeRunner([UP]), engine(running=(UP,)))
    assert flow.run("prod", release_id="v1", reason="run", on=on).record.release.id == "v1"


def test_the_newest_release_is_not_run_where_it_is_not_to_run(ledger: FileLedger) -> None:
    """Hosts are not what is locked."""
    released(ledger, deploy=DEPLOY)

    class Meanwhile(FakeEngine):
        def lease(self, *given: Any, **more: Any) -> Lease:
            released(ledger, deploy=Deploy(hosts=("ssh://a",)))
            return super().lease(*given, **more)

    with pytest.raises(RunFailed, match="prod/v2: it is the newest release by now, and is to run"):
        flow.run(
            "prod",
            release_id=None,
            reason="run",
            on=platform(ledger, FakeRunner([UP]), Meanwhile()),
        )
    assert list(ledger.runs("prod")) == []


def test_a_stop_is_of_what_runs_when_it_has_the_lock(ledger: FileLedger) -> None:
    """Its record names that release."""
    released(ledger, deploy=DEPLOY)
    ran(ledger, "v1", changed=True)
    flow.stop("prod", platform(ledger, FakeRunner([UP]), Waiting(ledger)))
    assert runs(ledger)[-1] == ("v2", "stop", "stopped")


def test_a_restart_masks_secrets(ledger: FileLedger) -> None:
    """Those that a container prints which does not come up again."""
    released(ledger, deploy=DEPLOY, secrets=("KEY",))
    ran(ledger, "v1", changed=True)
    on = engine(log=("token is hunter2-secret",))
    with pytest.raises(NotProven) as failed:
        services.restart("prod", [], platform(ledger, FakeRunner([BAD]), on, KEY="hunter2-secret"))
    assert failed.value.output == ("token is ***",)
    assert "hunter2" not in (ledger.root / "runs/prod/2.toml").read_text()


def test_what_ran_well_is_not_taken_down_although_its_release_was_cancelled(
    ledger: FileLedger,
) -> None:
    """There is nothing to go back to, and what is up stays up."""
    released(ledger, deploy=DEPLOY)
    run(ledger, FakeRunner([UP], before=()))
    cancel_release(ledger, "prod", "v1", reason="leaks", actor="ann")
    released(ledger, deploy=DEPLOY)
    runner = FakeRunner([BAD], before=())
    with pytest.raises(NotProven):
        run(ledger, runner)
    assert "down" not in runner.calls


def test_a_scale_that_fails_goes_back_to_the_numbers_before(ledger: FileLedger) -> None:
    """Of the same release, which ran well in these; not to an older one."""
    for id in ("v1", "v2"):
        released(ledger, deploy=DEPLOY)
        ran(ledger, id, changed=True)
    brought: list[tuple[str, dict[str, int]]] = []

    class Once(FakeRunner):
        def up(self, release: Any, *given: Any, **more: Any) -> tuple[str, ...]:
            brought.append((release.id, dict(more["scale"])))
            return super().up(release, *given, **more)

        def observe(self, project: str) -> Observation:
            return Observation(containers=(BAD,) if len(brought) == 1 else (UP,))

    with pytest.raises(RolledBack, match="prod/v2 runs again"):
        flow.scaled("prod", {"web": 1}, platform(ledger, Once([UP]), engine()))
    assert brought == [("v2", {"web": 1}), ("v2", {})]


def test_what_is_recorded_as_well_is_not_taken_back(ledger: FileLedger) -> None:
    """Although a plugin fails that hears of it, and the disk refuses to keep that it did."""
    released(ledger, deploy=DEPLOY)
    ran(ledger, "v1", changed=True)
    released(ledger, deploy=DEPLOY)

    class Failing(Nobody):
        def tell_all(self, hook: str, **facts: Any) -> tuple[StagekitError, ...]:
            return (StagekitError("no mail"),) if hook == "stagekit_ran" else ()

    def refused(_: str) -> None:
        raise DiskRefused("no space left", where="warnings.log")

    ledger.warn = refused  # type: ignore[method-assign]
    on = platform(ledger, FakeRunner([UP], before=()), engine())
    on = dataclasses.replace(on, plugins=Failing())
    assert flow.run("prod", release_id=None, reason="run", on=on).record.outcome == "running"
    assert runs(ledger) == [("v1", "run", "running"), ("v2", "run", "running")]


def test_a_stop_during_the_last_hook_comes_too_late(ledger: FileLedger) -> None:
    """The run is proven, and recorded so; that the hook was stopped is a warning."""
    released(ledger, deploy=replace(DEPLOY, hooks={"after_run": ("sleep", "10")}))
    cancel = Cancel()
    threading.Timer(0.3, cancel.request).start()
    record = run(ledger, FakeRunner([UP], before=()), cancel=cancel)
    assert record.outcome == "running"
    assert "the hook after_run failed: stopped on request" in record.warnings


def test_a_lock_that_is_lost_in_the_last_hook_leaves_the_note_to_its_new_holder(
    ledger: FileLedger,
) -> None:
    """The run was proven, and is recorded so; what is in force is for that one to say."""
    released(ledger, deploy=replace(DEPLOY, hooks={"after_run": ("sleep", "10")}))
    on = engine()

    def lose() -> None:
        on.leases[0].lose()

    threading.Timer(0.3, lose).start()
    there = platform(ledger, FakeRunner([UP], before=()), on)
    run = flow.run("prod", release_id=None, reason="run", on=there).record
    assert (run.outcome, on.kept) == ("running", None)


def test_a_second_ctrl_c_in_a_hook_loses_no_record(ledger: FileLedger) -> None:
    """What failed is recorded before the process goes."""
    failing = replace(DEPLOY, rollback_on_failure=False, hooks={"on_failure": ("sleep", "10")})
    released(ledger, deploy=failing)
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run(ledger, FakeRunner([BAD], before=()))
    assert runs(ledger) == [("v1", "run", "failed")]


def test_a_reason_that_no_variable_can_hold_reaches_a_hook(ledger: FileLedger) -> None:
    """A health check may print NUL."""
    failing = replace(DEPLOY, rollback_on_failure=False, hooks={"on_failure": ("true",)})
    released(ledger, deploy=failing)
    sick = a_container(health="unhealthy", health_output="bad\0byte")
    with pytest.raises(NotProven):
        run(ledger, FakeRunner([sick], before=()))
    assert runs(ledger) == [("v1", "run", "failed")]


def test_a_release_command_that_takes_too_long_is_a_failed_run(ledger: FileLedger) -> None:
    """Nothing was replaced, and the exit code is that of a run."""
    command = ReleaseCommand(service="web", command=("migrate",), timeout=1)
    released(ledger, deploy=replace(DEPLOY, rollback_on_failure=False, release_command=command))

    class Slow(FakeRunner):
        def once(self, *given: Any, **more: Any) -> tuple[int, tuple[str, ...]]:
            raise LimitExceeded("docker-compose did not end within 1 s", output=("migrating",))

    with pytest.raises(RunFailed, match="the release command took too long") as failed:
        run(ledger, Slow([UP], before=()))
    assert (failed.value.exit_code, failed.value.output) == (5, ("migrating",))


@pytest.mark.parametrize(
    ("before", "what", "again"),
    [
        (True, "up", "inv run.rollback --env prod --to v1 goes on"),
        (False, "down", "inv run.stop --env prod goes on"),
    ],
)
def test_going_back_that_somebody_stops_was_stopped(
    ledger: FileLedger, before: bool, what: str, again: str
) -> None:
    """It has not failed: neither by its exit code nor in its record."""
    cancel = Cancel()

    class Stopped(FakeRunner):
        def up(self, *given: Any, **more: Any) -> tuple[str, ...]:
            said = super().up(*given, **more)
            if what == "up" and self.calls.count("up") == 2:
                cancel.request()
            return said

        def down(self, *given: Any, **more: Any) -> None:
            cancel.request()
            cancel.check()

    if before:
        released(ledger, deploy=DEPLOY)
        ran(ledger, "v1")
    released(ledger, deploy=DEPLOY)
    with pytest.raises(Cancelled) as raised:
        run(ledger, Stopped([BAD], before=()), cancel=cancel)
    assert again in str(raised.value.hint)
    assert runs(ledger)[-1][2] == "cancelled"


@pytest.mark.parametrize(
    ("is_dead", "target"), [(True, "v2"), (False, "v1")], ids=["killed", "under way"]
)
def test_a_rollback_after_a_killed_run_undoes_that_one(
    ledger: FileLedger, monkeypatch: pytest.MonkeyPatch, is_dead: bool, target: str
) -> None:
    """It is what the engine runs some of, and not the release before; of one that is under way,
    that is known once it has ended."""
    for _ in range(3):
        released(ledger, deploy=DEPLOY)
    ran(ledger, "v1", changed=True)
    ran(ledger, "v2", changed=True)
    link = ledger.release("prod", "v3").link
    begun = {"project": "shop", "reason": "run", "actor": "ann"}
    journal = ledger.begin_run("prod", {**begun, "release": {"id": link.id, "digest": link.digest}})
    journal.note({"begins": "up", "changes": True})
    if is_dead:
        journal.close()
    app = SimpleNamespace(
        ledger=ledger, console=SimpleNamespace(emit=Heard()), check_environment=lambda _env: None
    )
    asked: list[str] = []

    def plan(_app: object, _env: str, id: str, _reason: str) -> None:
        asked.append(id)
        raise RunFailed("seen")

    monkeypatch.setattr(fleet, "plan", plan)
    with pytest.raises(RunFailed, match="seen"):
        rollback.body(app, env="prod", plan=True)
    assert asked == [target]
    if not is_dead:
        journal.close()
