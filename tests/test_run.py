# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""Run: a release is brought up as it was sealed, proven and recorded, however it ends."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.containers import Container, Observation
from stagekit.digest import of_files, of_tree
from stagekit.errors import (
    Busy,
    Cancelled,
    EngineError,
    InputError,
    LeaseLost,
    LedgerError,
    NotProven,
    RegistryError,
    RolledBack,
    RunFailed,
)
from stagekit.images import ImageFacts
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.cancel_release import cancel as cancel_release
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run import flow
from stagekit.pipeline.run.attempt import decide
from stagekit.pipeline.run.preflight import Preflight
from stagekit.pipeline.verify import Verified
from stagekit.records import (
    Deploy,
    Holder,
    Pin,
    ReleaseCommand,
    Run,
    RunReason,
)
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, FakeSecrets, Heard
from stagekit.testing.records import (
    COMPOSE_YAML,
    ENGINE,
    NOON,
    PIN,
    a_container,
    a_release,
    ran,
    released,
    sha,
    stored_release,
)
from tests.fakes import platform

BOB = Holder(actor="bob", host="ci", pid=7, command="inv run --env prod", since=NOON)
UP = a_container()
ENDED = a_container(state="exited", exit_code=0, restart_policy="no")
IMAGE = ImageFacts(id=UP.image_id, size=1, digests=(PIN.pinned,))


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """A ledger with one release to prod."""
    ledger = FileLedger(tmp_path)
    released(ledger)
    return ledger


def engine(**more: object) -> FakeEngine:
    """An engine that has the release's image."""
    return FakeEngine(images={PIN.pinned: IMAGE, UP.image_id: IMAGE}, **more)  # type: ignore[arg-type]


def up(*observations: Iterable[Container], **more: Any) -> FakeRunner:
    """A runner of an environment in which nothing ran before."""
    return FakeRunner(*observations, before=(), **more)


def run(
    ledger: FileLedger,
    runner: FakeRunner,
    on: FakeEngine | None = None,
    *,
    release_id: str | None = None,
    reason: RunReason = "run",
    scale: dict[str, int] | None = None,
    **more: Any,
) -> Run:
    return flow.run(
        "prod",
        release_id=release_id,
        reason=reason,
        on=platform(ledger, runner, on or engine(), **more),
        scale=scale,
    ).record


class Broken(FakeRunner):
    """A runner whose ``up`` raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__([UP], before=())
        self._error = error

    def up(self, *_args: object, **_settings: object) -> tuple[str, ...]:
        raise self._error


def test_a_run_is_recorded_with_its_steps_and_containers(ledger: FileLedger) -> None:
    """What was done, how long it took, and what then ran."""
    on = engine()
    record = run(ledger, up([UP]), on)
    assert record == ledger.run("prod", 1).record
    assert (record.outcome, record.reason, record.release.id) == ("running", "run", "v1")
    assert record.release.digest == ledger.release("prod", "v1").digest
    names = [step.name for step in record.steps]
    assert names == ["verify", "lock", "check", "up", "settle", "prove"]
    assert [(item.service, item.proven) for item in record.containers] == [("web", True)]
    assert (record.engine, record.actor, record.failure) == (ENGINE, "ann@laptop", None)
    assert (record.changed, record.command_ran, record.answers) == (True, False, None)


def test_the_engine_is_told_what_is_in_force(ledger: FileLedger) -> None:
    """For those who have no ledger; an engine that does not take it fails no run."""
    on = engine()
    record = run(ledger, up([UP]), on)
    assert on.kept is not None
    assert (on.kept.project, on.kept.env, on.kept.run, on.kept.release) == ("shop", "prod", 1, "v1")
    assert (on.kept.release_digest, on.kept.build) == (record.release.digest, "b1")
    heard = Heard()
    full = engine(standing_error=EngineError("full"))
    assert run(ledger, up([UP]), full, heard=heard).outcome == "running"
    assert "does not note what is in force: full" in heard.text


def test_the_environment_is_locked_for_as_long_as_a_run_takes(ledger: FileLedger) -> None:
    """The lock says who, and is let go of however the run ends."""
    on = engine()
    run(ledger, up([UP]), on)
    with pytest.raises(RunFailed):
        run(ledger, up([a_container(state="exited", exit_code=3)]), on)
    assert [lease.released for lease in on.leases] == [True, True]
    holder = on.leases[0].holder
    assert (holder.actor, holder.command, holder.pid) == ("ann@laptop", "inv run", os.getpid())


def test_a_run_that_finds_the_environment_locked_touches_nothing(ledger: FileLedger) -> None:
    """And leaves no record: nothing was tried."""
    runner = up([UP])
    with pytest.raises(Busy, match="another run holds it: bob"):
        run(ledger, runner, engine(held_by=BOB))
    assert runner.calls == []
    assert list(ledger.runs("prod")) == []


def test_whose_lock_had_run_out_is_recorded(ledger: FileLedger) -> None:
    """The holder died, or its machine did."""
    record = run(ledger, up([UP]), engine(was_held_by=BOB))
    assert record.taken_over == str(BOB)
    assert str(BOB).startswith(
        "'inv run --env prod' by bob, process 7 on ci, since 2026-04-06 12:00"
    )


def test_a_run_that_lost_its_lock_stops_before_its_next_step(ledger: FileLedger) -> None:
    """Somebody else has the environment: nothing more is done, and nothing is undone."""
    on = engine()

    class Slow(FakeRunner):
        def up(self, *arguments: Any, **more: Any) -> tuple[str, ...]:
            on.leases[0].lose()
            return super().up(*arguments, **more)

    runner = Slow([UP], before=())
    with pytest.raises(LeaseLost):
        run(ledger, runner, on)
    record = ledger.run("prod", 1).record
    assert record.failure is not None
    assert (record.outcome, record.failure.step) == ("failed", "up")
    assert "down" not in runner.calls


def test_two_of_one_ledger_are_kept_apart_as_well(ledger: FileLedger) -> None:
    """Where the engine's lock was broken by hand, the ledger's own still holds."""
    journal = ledger.begin_run("prod", {})
    runner = up([UP])
    with pytest.raises(LedgerError, match="is taken"):
        run(ledger, runner)
    assert "up" not in runner.calls
    journal.close()


def test_an_image_of_another_engine_cannot_be_run(ledger: FileLedger) -> None:
    """An image id is on one engine only: it is said before anything is touched."""
    local = Pin(asked="web", pinned=sha("local"), kind="image id")
    released(ledger, pins={"web": local})
    runner = up([UP])
    with pytest.raises(RunFailed, match="not on this engine, and no registry has it") as caught:
        run(ledger, runner)
    assert caught.value.where == "prod/v2 on unix:///fake"
    assert "up" not in runner.calls
    record = ledger.run("prod", 1).record
    assert (record.outcome, record.changed) == ("failed", False)


def test_an_image_that_no_registry_gives_is_said_before_anything_is_touched(
    ledger: FileLedger,
) -> None:
    """With the registry's words."""
    runner = up([UP])
    with pytest.raises(RunFailed, match="cannot be pulled: manifest unknown"):
        run(ledger, runner, FakeEngine())
    assert "up" not in runner.calls


def test_a_taken_port_stops_a_run(ledger: FileLedger) -> None:
    """All of them are told, with the file to change."""
    checked = Verified(release=stored_release(), text=COMPOSE_YAML, document={"services": {}})
    found = Preflight(busy=("port 80 is taken", "port 81 is taken"))
    with pytest.raises(RunFailed, match="port 80 is taken; port 81 is taken") as caught:
        decide(found, checked, {}, engine())
    assert "environments/prod/config.toml" in str(caught.value.hint)


def test_a_full_disk_stops_a_run(ledger: FileLedger) -> None:
    """Where the engine's disk can be seen; the limit is the environment's."""
    with pytest.raises(RunFailed, match="has 3 MiB free, and 256 have to be"):
        run(ledger, up([UP]), engine(free=3 * 2**20))
    small = released(ledger, deploy=Deploy(timeout=0.5, settle=0.0, free_disk=2)).record
    assert run(ledger, up([UP]), engine(free=3 * 2**20)).release.id == small.id


def test_a_plan_changes_nothing(ledger: FileLedger) -> None:
    """Which images are missing is asked; nothing is pulled, begun, locked or written."""
    on = FakeEngine(registry={PIN.pinned: "sha256:1"})
    before = sorted(ledger.root.rglob("*"))
    there = flow.plan("prod", release_id=None, reason="run", on=platform(ledger, up([]), engine()))
    assert (there.pull, there.changes) == ((), True)
    plan = flow.plan("prod", release_id=None, reason="run", on=platform(ledger, up([]), on))
    assert plan.pull == (PIN.pinned,)
    assert [call for call, _ in on.calls] == ["ask"]
    assert on.leases == []
    assert sorted(ledger.root.rglob("*")) == before


def test_the_newest_release_that_was_not_cancelled_is_run(ledger: FileLedger) -> None:
    """Cancelled ones are passed over; where all are, it says so."""
    newer = released(ledger).record
    cancel_release(ledger, "prod", newer.id, reason="broken", actor="ann")
    assert run(ledger, up([UP])).release.id == "v1"
    cancel_release(ledger, "prod", "v1", reason="broken", actor="ann")
    with pytest.raises(RunFailed, match="was cancelled by ann: broken"):
        run(ledger, up([UP]))


def with_secret(ledger: FileLedger, **deploy: Any) -> None:
    released(ledger, secrets=("TOKEN",), deploy=replace(Deploy(timeout=0.5, settle=0.0), **deploy))


def test_secrets_reach_the_runner_and_nothing_else(ledger: FileLedger) -> None:
    """No file of the ledger holds one."""
    with_secret(ledger)
    runner = up([UP])
    run(ledger, runner, TOKEN="hunter2")
    assert runner.secrets == {"TOKEN": "hunter2"}
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_a_secret_that_cannot_be_had_stops_a_run_before_anything_is_touched(
    ledger: FileLedger,
) -> None:
    """It is part of what is looked at first."""

    class Without(FakeSecrets):
        def values(self, names: Sequence[str], carried: Mapping[str, bytes]) -> Mapping[str, str]:
            raise InputError("no identity opens TOKEN")

    with_secret(ledger)
    runner = up([UP])
    on = dataclasses.replace(platform(ledger, runner, engine()), providers=lambda _name: Without())
    with pytest.raises(InputError, match="no identity opens TOKEN"):
        flow.run("prod", release_id=None, reason="run", on=on)
    assert "up" not in runner.calls
    assert ledger.run("prod", 1).record.changed is False


def test_a_secret_in_an_error_is_masked_wherever_it_stands(ledger: FileLedger) -> None:
    """A program that prints its token when it fails: neither error nor record repeats it."""
    with_secret(ledger, rollback_on_failure=False)
    crashed = a_container(state="dead", error="token hunter2 is wrong")
    on = engine(log=("login with hunter2",))
    with pytest.raises(NotProven) as caught:
        run(ledger, up([crashed]), on, TOKEN="hunter2")
    error = caught.value
    assert error.what == "shop-prod-web-1: dead: token *** is wrong"
    assert error.output == ("login with ***",)
    assert "hunter2" not in f"{error} {error.args} {error.failed}"
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in files)
    assert ledger.run("prod", 1).record.failed[0].output == ("login with ***",)


def test_missing_images_are_pulled_by_digest(ledger: FileLedger) -> None:
    """Before anything is brought up."""
    on = FakeEngine(images={UP.image_id: IMAGE}, registry={PIN.pinned: "sha256:1"})
    record = run(ledger, up([UP]), on)
    assert on.calls == [("ask", PIN.pinned), ("pull", PIN.pinned)]
    assert [step.name for step in record.steps][3:] == ["pull", "up", "settle", "prove"]


def test_a_refused_pull_is_a_failed_run(ledger: FileLedger) -> None:
    """With the registry's words; nothing was brought up, and it is recorded."""
    on = FakeEngine(
        pull_error=RegistryError("denied", hint="docker login"),
        registry={PIN.pinned: "sha256:1"},
    )
    runner = up([UP])
    with pytest.raises(RunFailed, match="cannot be pulled: denied") as caught:
        run(ledger, runner, on)
    assert (caught.value.where, caught.value.hint) == (PIN.pinned, "docker login")
    assert runner.calls == []
    failure = ledger.run("prod", 1).record.failure
    assert failure is not None
    assert failure.step == "pull"


def holding_ground(ledger: FileLedger, **deploy: Any) -> None:
    """Release once more, so that what fails stays as it is."""
    settings = replace(Deploy(timeout=0.5, settle=0.0, rollback_on_failure=False), **deploy)
    released(ledger, deploy=settings)


def test_a_container_that_fails_is_in_the_record(ledger: FileLedger) -> None:
    """Its last lines and why; the environment is free again."""
    holding_ground(ledger)
    crashed = a_container(state="exited", exit_code=3, health_output="no")
    with pytest.raises(RunFailed, match="exited with 3"):
        run(ledger, up([crashed]))
    record = ledger.run("prod", 1).record
    assert (record.outcome, record.containers) == ("failed", ())
    [failed] = record.failed
    assert (failed.service, failed.reason, failed.output) == (
        "web",
        "exited with 3",
        ("last words",),
    )
    assert (failed.exit_code, failed.health_output) == (3, "no")
    assert record.failure is not None
    assert record.failure.step == "settle"
    assert run(ledger, up([UP])).n == 2


def test_every_container_that_fails_has_its_last_words(ledger: FileLedger) -> None:
    """Under its name, where it is not the only one."""
    holding_ground(ledger, timeout=0.1)
    document = b"services:\n  web: {}\n  db: {}\n"
    files = {"compose.yaml": document, "variables.toml": b""}
    release = a_release(
        content_digest=of_tree(files),
        files=of_files(files),
        pins={"web": PIN, "db": PIN},
        deploy=Deploy(timeout=0.1, settle=0.0, rollback_on_failure=False),
    )
    ledger.add_release(release, files)
    crashed = [a_container(name, state="exited", exit_code=3) for name in ("db", "web")]
    with pytest.raises(NotProven) as caught:
        run(ledger, up(crashed))
    assert caught.value.output == (
        "shop-prod-web-1: exited with 3",
        "last words",
        "shop-prod-db-1: exited with 3",
        "last words",
    )


def test_a_wrong_image_is_a_failed_run(ledger: FileLedger) -> None:
    """Up, healthy and not what was released: the proof fails."""
    holding_ground(ledger)
    with pytest.raises(RunFailed, match="not what was released"):
        run(ledger, up([a_container(image_id=sha("other"))]))
    record = ledger.run("prod", 1).record
    assert record.failure is not None
    assert (record.outcome, record.failure.step) == ("failed", "prove")


def test_a_release_of_another_project_is_refused(ledger: FileLedger) -> None:
    """Before anything is touched or recorded. Where no source says what this is, none is."""
    runner = up([UP])
    here = dataclasses.replace(platform(ledger, runner, engine()), project="other")
    with pytest.raises(InputError, match="of the project shop, and this is other"):
        flow.run("prod", release_id=None, reason="run", on=here)
    assert (runner.calls, list(ledger.runs("prod"))) == ([], [])
    there = dataclasses.replace(here, project="shop")
    assert flow.run("prod", release_id=None, reason="run", on=there).record.outcome == "running"


def test_a_cancelled_run_is_no_run_before_it_has_the_environment(ledger: FileLedger) -> None:
    """Stopped before its first step: there is nothing to record."""
    cancel = Cancel()
    cancel.request()
    runner = up([UP])
    with pytest.raises(Cancelled):
        run(ledger, runner, cancel=cancel)
    assert runner.calls == []
    assert list(ledger.runs("prod")) == []


def test_a_bug_in_a_runner_frees_the_environment(ledger: FileLedger) -> None:
    """Whatever a plugin raises is recorded by its kind and goes on; the next run can begin."""
    holding_ground(ledger)
    error = ZeroDivisionError("by zero")
    with pytest.raises(ZeroDivisionError) as caught:
        run(ledger, Broken(error))
    assert caught.value is error
    record = ledger.run("prod", 1).record
    assert record.failure is not None
    assert (record.outcome, record.failure.step, record.failure.subject) == (
        "failed",
        "up",
        "prod/v2",
    )
    assert record.failure.message == "ZeroDivisionError: by zero"
    assert ledger.unfinished_run("prod") is None
    assert run(ledger, up([UP])).n == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Cancelled("stopped on request")])
def test_a_run_that_is_stopped_in_mid_step_is_a_cancelled_one(
    ledger: FileLedger, error: BaseException
) -> None:
    """By one Ctrl-C or by two: the record says at which step, the environment is free, and what
    somebody stopped is not undone behind their back."""
    ran(ledger, "v1")
    released(ledger)
    with pytest.raises(type(error)) as caught:
        run(ledger, Broken(error))
    assert caught.value is error
    if isinstance(error, Cancelled):
        assert "inv run --env prod --release v2 goes on" in (error.hint or "")
    record = ledger.run("prod", 2).record
    assert record.failure is not None
    assert (record.outcome, record.failure.step, record.changed) == ("cancelled", "up", True)
    assert list(ledger.runs("prod")) == [2, 1]


def test_an_interrupted_run_is_told_of_by_the_next(ledger: FileLedger) -> None:
    """Its record is written from its journal: at which step it was, and whether it touched
    anything."""
    link = ledger.release("prod", "v1").link
    begun = {
        "project": "shop",
        "reason": "run",
        "actor": "ann",
        "release": {"id": link.id, "digest": link.digest},
    }
    journal = ledger.begin_run("prod", begun)
    journal.note({"begins": "check", "changes": False})
    journal.note({"step": "check", "seconds": 0.1, "outcome": ""})
    journal.note({"begins": "up", "changes": True})
    journal.close()
    heard = Heard()
    assert run(ledger, up([UP]), heard=heard).n == 2
    assert "run 1 of prod was interrupted" in heard.text
    record = ledger.run("prod", 1).record
    assert record.failure is not None
    assert (record.outcome, record.failure.step, record.changed) == ("interrupted", "up", True)


COMMAND = ReleaseCommand(service="web", command=("migrate", "--all"))


def test_a_release_command_runs_before_anything_is_replaced(ledger: FileLedger) -> None:
    """In a container of its own; what it depends on is started where nothing runs yet."""
    holding_ground(ledger, release_command=COMMAND)
    runner = up([UP])
    record = run(ledger, runner)
    assert runner.calls[:2] == ["once", "up"]
    assert runner.dependencies is True
    assert record.command_ran
    assert [step.name for step in record.steps][3:] == ["command", "up", "settle", "prove"]
    again = up([UP])
    run(ledger, again, engine(running=(UP,)))
    assert again.dependencies is False


def test_a_release_command_that_fails_stops_the_run(ledger: FileLedger) -> None:
    """Nothing is replaced, so nothing is undone; its last words are told."""
    ran(ledger, "v1")
    released(ledger, deploy=Deploy(timeout=0.5, settle=0.0, release_command=COMMAND))
    runner = up([UP], command=(3, ("no such table",)))
    with pytest.raises(RunFailed, match="release command ended with 3: migrate --all") as caught:
        run(ledger, runner, engine(running=(UP,)))
    assert caught.value.output == ("no such table",)
    assert "up" not in runner.calls
    record = ledger.run("prod", 2).record
    assert (record.outcome, record.changed, record.command_ran) == ("failed", False, True)
    assert list(ledger.runs("prod")) == [2, 1]


def failing_then_well(crashed: Container) -> FakeRunner:
    """What is brought up first crashes; what is brought up next is well."""

    class Twice(FakeRunner):
        def observe(self, project: str) -> Observation:
            times = self.calls.count("up")
            return Observation(containers=((), (crashed,), (UP,))[min(times, 2)])

    return Twice([])


CRASHED = a_container(state="exited", exit_code=3)


def test_a_failed_run_goes_back_to_what_ran_well(ledger: FileLedger) -> None:
    """By itself, as a run of its own that says which one it answers; the exit code tells."""
    ran(ledger, "v1")
    released(ledger)
    heard = Heard()
    with pytest.raises(RolledBack, match=r"run 2 failed: .*exited with 3; prod/v1 runs again") as e:
        run(ledger, failing_then_well(CRASHED), heard=heard)
    assert e.value.exit_code == 8
    failed, back = ledger.run("prod", 2).record, ledger.run("prod", 3).record
    assert (failed.outcome, failed.release.id) == ("failed", "v2")
    assert (back.outcome, back.reason, back.answers) == ("running", "automatic rollback", 2)
    assert back.release.id == "v1"
    assert "going back to prod/v1" in heard.text


def test_a_failed_run_goes_back_to_the_numbers_that_ran_well(ledger: FileLedger) -> None:
    """Two containers ran before: two run after."""
    ran(ledger, "v1", scale={"web": 1})
    released(ledger)
    with pytest.raises(RolledBack):
        run(ledger, failing_then_well(CRASHED))
    assert ledger.run("prod", 3).record.scale == {"web": 1}


def test_going_back_passes_over_what_was_cancelled_or_is_gone(ledger: FileLedger) -> None:
    """The one before it is taken."""
    ran(ledger, "v1")
    ran(ledger, released(ledger).record.id)
    cancel_release(ledger, "prod", "v2", reason="broken", actor="ann")
    released(ledger)
    with pytest.raises(RolledBack, match="prod/v1 runs again"):
        run(ledger, failing_then_well(CRASHED))


def test_a_first_run_that_fails_is_taken_down(ledger: FileLedger) -> None:
    """There is nothing to go back to; volumes stay."""
    runner = up([CRASHED])
    with pytest.raises(RolledBack, match=r"run 1 failed: .*; it was taken down, volumes stay"):
        run(ledger, runner)
    assert runner.calls[-1] == "down"
    record = ledger.run("prod", 2).record
    assert (record.outcome, record.reason, record.answers) == ("stopped", "automatic stop", 1)


@pytest.mark.parametrize("before", [False, True])
def test_a_way_back_is_named_where_there_is_one(ledger: FileLedger, before: bool) -> None:
    """After a first run that failed there is none: the record tells more."""
    holding_ground(ledger)
    if before:
        ran(ledger, "v1")
        holding_ground(ledger)
    with pytest.raises(RunFailed) as caught:
        run(ledger, up([CRASHED]))
    assert caught.value.hint is not None
    wanted = "inv run.rollback --env prod" if before else "inv run.show prod/1 tells more"
    assert caught.value.hint.startswith(wanted)


def test_where_going_back_fails_too_it_says_what_is_up(ledger: FileLedger) -> None:
    """Both reasons, and a line for each container."""
    ran(ledger, "v1")
    released(ledger)
    with pytest.raises(RunFailed) as caught:
        run(ledger, up([CRASHED]))
    error = caught.value
    assert error.exit_code == 5
    assert error.what.count("exited with 3") == 2
    assert "going back to prod/v1 failed too" in error.what
    assert error.output[-1].startswith("shop-prod-web-1: exited, the image of prod/v2")
    assert [ledger.run("prod", n).record.outcome for n in (1, 2, 3)] == [
        "running",
        "failed",
        "failed",
    ]


@pytest.mark.parametrize(
    ("env", "settings", "back"),
    [
        ("prod", {}, True),
        ("dev", {}, False),
        ("dev", {"rollback_on_failure": True}, True),
        ("prod", {"rollback_on_failure": False}, False),
        ("prod", {"source_mounts": True}, False),
    ],
)
def test_an_environment_says_whether_it_goes_back(
    env: str, settings: dict[str, bool], back: bool
) -> None:
    """Outside of development, unless it is said."""
    assert Deploy(**settings).rolls_back(env) == back  # type: ignore[arg-type]


def test_a_run_that_touched_nothing_is_not_in_force(ledger: FileLedger) -> None:
    """What ran before it still does: that is what is current."""
    ran(ledger, "v1")
    released(ledger)
    with pytest.raises(RunFailed):
        run(ledger, up([UP]), FakeEngine())
    found = last_run(ledger, "prod", Heard())
    assert found is not None
    assert (found.record.n, found.record.release.id) == (1, "v1")


def test_a_scale_is_kept_by_the_next_run_of_the_same_release(ledger: FileLedger) -> None:
    """And given up by one of another, which says so."""
    two = [UP, a_container(id="2", name="shop-prod-web-2")]
    record = run(ledger, up(two), reason="scale", scale={"web": 2})
    assert (record.reason, record.scale) == ("scale", {"web": 2})
    runner = up(two)
    assert run(ledger, runner).scale == {"web": 2}
    assert runner.scale == {"web": 2}
    released(ledger)
    heard = Heard()
    assert run(ledger, up([UP]), heard=heard).scale == {}
    assert "the scale of v1 does not go on: web=2" in heard.text


def test_a_service_that_is_not_there_cannot_be_scaled(ledger: FileLedger) -> None:
    """It names those that are."""
    with pytest.raises(InputError, match="no service 'wep'"):
        run(ledger, up([UP]), reason="scale", scale={"wep": 2})


def test_a_rollback_warns_of_release_commands_in_between(ledger: FileLedger) -> None:
    """What they did to the data stays done."""
    ran(ledger, "v1")
    ran(ledger, released(ledger).record.id, command_ran=True)
    heard = Heard()
    run(ledger, up([UP]), release_id="v1", reason="rollback", heard=heard)
    assert "run 2 ran the release command of prod/v2: going back does not undo it" in heard.text


def hook(*words: str) -> tuple[str, ...]:
    return ("sh", "-c", *words)


def test_hooks_stand_around_steps_with_the_facts(ledger: FileLedger, tmp_path: Path) -> None:
    """Before and after, in their order, in the project's folder."""
    said = 'echo "$STAGEKIT_MOMENT $STAGEKIT_ENV/$STAGEKIT_RELEASE $STAGEKIT_RUN" >> heard'
    moments = ("after_run", "before_up", "before_run", "after_up")
    holding_ground(ledger, hooks={moment: hook(said) for moment in moments})
    run(ledger, up([UP]))
    heard = (ledger.root / "heard").read_text().splitlines()
    in_order = ["before_run", "before_up", "after_up", "after_run"]
    assert heard == [f"{moment} prod/v2 1" for moment in in_order]


def test_a_hook_before_a_step_can_stop_it(ledger: FileLedger) -> None:
    """The run fails, and nothing was touched."""
    holding_ground(ledger, hooks={"before_up": hook("echo not today >&2; exit 1")})
    runner = up([UP])
    with pytest.raises(RunFailed, match="the hook before_up failed: sh ended with 1") as caught:
        run(ledger, runner)
    assert caught.value.output == ("not today",)
    assert "up" not in runner.calls


def test_a_hook_after_a_step_stops_nothing(ledger: FileLedger) -> None:
    """It is told, and recorded."""
    holding_ground(ledger, hooks={"after_up": hook("echo no chat >&2; exit 1")})
    record = run(ledger, up([UP]))
    assert record.outcome == "running"
    assert record.warnings == ("the hook after_up failed: sh ended with 1: no chat",)


@pytest.mark.parametrize("moment", ["before_up", "after_up"])
def test_what_a_hook_says_of_a_secret_is_masked(ledger: FileLedger, moment: str) -> None:
    """It has the process's environment, and may print of it what it likes."""
    with_secret(ledger, hooks={moment: hook("echo hunter$((1 + 1)) >&2; exit 1")})
    heard = Heard()
    with suppress(RunFailed):
        run(ledger, up([UP]), TOKEN="hunter2", heard=heard)
    record = ledger.run("prod", 1)
    assert "***" in f"{record.record.failure} {record.record.warnings}"
    assert "***" in heard.text
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in files)
    assert "hunter2" not in heard.text


def test_a_hook_hears_of_a_failure(ledger: FileLedger) -> None:
    """With the reason."""
    said = 'echo "$STAGEKIT_OUTCOME at $STAGEKIT_STEP: $STAGEKIT_REASON" > heard'
    holding_ground(ledger, hooks={"on_failure": hook(said)})
    with pytest.raises(RunFailed):
        run(ledger, up([CRASHED]))
    heard = (ledger.root / "heard").read_text()
    assert heard.startswith("failed at settle: prod/v2, service web: shop-prod-web-1: exited")


def stopped(ledger: FileLedger, runner: FakeRunner) -> Run:
    return flow.stop("prod", platform(ledger, runner)).record


def test_a_stop_takes_down_what_ran_last_and_is_a_run(ledger: FileLedger) -> None:
    """The release in force, not the newest; nothing is brought up."""
    ran(ledger, "v1")
    released(ledger)
    runner = FakeRunner([])
    record = stopped(ledger, runner)
    assert (record.outcome, record.reason, record.release.id) == ("stopped", "stop", "v1")
    assert runner.calls == ["down"]


def test_a_second_stop_is_no_run(ledger: FileLedger) -> None:
    """Nothing is left to take down: that is said, and history does not grow by it."""
    ran(ledger, "v1")
    first, runner = stopped(ledger, FakeRunner([])), FakeRunner([])
    assert stopped(ledger, runner) == first
    assert "down" not in runner.calls


def test_a_second_stop_says_on_the_engine_what_the_first_could_not(ledger: FileLedger) -> None:
    """It was killed between its record and that: the engine would call a release in force for
    ever."""
    ran(ledger, "v1")
    runner, engine = FakeRunner([]), FakeEngine()
    on = dataclasses.replace(platform(ledger, runner), engine=engine)
    engine.standing_error = EngineError("gone")
    assert flow.stop("prod", on).record.outcome == "stopped"
    assert engine.kept is None
    engine.standing_error = None
    last = flow.stop("prod", on).record
    assert engine.kept
    assert (engine.kept.run, engine.kept.outcome) == (last.n, "stopped")


def test_what_a_run_could_not_say_on_the_engine_is_said_later(ledger: FileLedger) -> None:
    """By what finds that all runs already; where the engine says so, its lock is not asked for."""
    ran(ledger, "v1")
    engine = FakeEngine()
    on = dataclasses.replace(platform(ledger, FakeRunner([UP])), engine=engine)
    for _ in range(2):
        flow.note_again("prod", on)
        assert engine.kept
        assert (engine.kept.run, engine.kept.release, engine.kept.build) == (1, "v1", "b1")
        assert [lease.released for lease in engine.leases] == [True]


def test_what_came_up_again_since_is_taken_down(ledger: FileLedger) -> None:
    """Somebody else brought it up: a stop stops it."""

    class StillUp(FakeRunner):
        def observe(self, project: str) -> Observation:
            return Observation(containers=(replace(UP, project=project),))

    ran(ledger, "v1")
    first, left = stopped(ledger, FakeRunner([])), StillUp([])
    assert stopped(ledger, left).n == first.n + 1
    assert left.calls == ["down"]


def test_a_stop_needs_no_release(ledger: FileLedger) -> None:
    """What runs can be taken down whatever became of the files, by what brought it up."""
    ran(ledger, "v1", runner="swarm")
    shutil.rmtree(ledger.root / "releases")
    asked, runner = [], FakeRunner([])

    def find(kind: str) -> FakeRunner:
        asked.append(kind)
        return runner

    on = dataclasses.replace(platform(ledger, runner), runner=find)
    record = flow.stop("prod", on).record
    assert (set(asked), runner.calls) == ({"swarm"}, ["down"])
    assert (record.outcome, record.runner, record.release.id) == ("stopped", "swarm", "v1")


def test_what_another_runner_brought_up_stops_a_run(ledger: FileLedger) -> None:
    """It would go on beside the release; once it is taken down, nothing is in the way."""
    ran(ledger, "v1", runner="swarm")
    released(ledger)
    with pytest.raises(RunFailed, match="what runs in prod by swarm") as caught:
        run(ledger, up([UP]))
    assert caught.value.hint == "inv run.stop --env prod takes that down first; volumes stay"
    stopped(ledger, FakeRunner([]))
    assert run(ledger, up([UP])).outcome == "running"


def test_nothing_to_stop_is_said(ledger: FileLedger) -> None:
    """An environment that was never run cannot be stopped."""
    with pytest.raises(InputError, match="nothing was ever run in prod"):
        stopped(ledger, FakeRunner([]))


def test_a_failed_stop_is_recorded(ledger: FileLedger) -> None:
    """The engine does not answer: the run failed, and the record says at which step."""

    class Stuck(FakeRunner):
        def down(self, *_args: object, **_settings: object) -> None:
            raise EngineError("gone")

    ran(ledger, "v1")
    with pytest.raises(EngineError):
        stopped(ledger, Stuck([]))
    record = ledger.run("prod", 2).record
    assert record.failure is not None
    assert (record.outcome, record.reason, record.failure.step) == ("failed", "stop", "down")


MOUNTED = f"files/{'0' * 64}/run.sh"
MOUNTING = {
    "compose.yaml": COMPOSE_YAML + f'x-stagekit:\n  executable:\n  - "{MOUNTED}"\n'.encode(),
    "variables.toml": b"",
    MOUNTED: b"#!/bin/sh\n",
    f"files/{'1' * 64}/page": b"page",
}


@pytest.fixture
def mounting(tmp_path: Path) -> FileLedger:
    """A ledger with one release to prod that mounts two files."""
    ledger = FileLedger(tmp_path)
    ledger.add_release(
        a_release(content_digest=of_tree(MOUNTING), files=of_files(MOUNTING)), MOUNTING
    )
    return ledger


def test_what_a_release_mounts_is_put_on_the_engines_host_first(mounting: FileLedger) -> None:
    """Its paths start there; which of them may be run is sealed."""
    runner, on = up([UP]), engine()
    record = run(mounting, runner, on)
    assert [step.name for step in record.steps][3:] == ["place", "up", "settle", "prove"]
    assert on.placed == {MOUNTED: True, f"files/{'1' * 64}/page": False}
    assert ("place", PIN.pinned) in on.calls
    assert str(runner.folder) == "/engine/stagekit"


def test_a_release_without_files_puts_nothing_anywhere(ledger: FileLedger) -> None:
    """Most have none."""
    on = engine()
    run(ledger, up([UP]), on)
    assert on.placed == {}


def test_files_that_the_engine_does_not_take_fail_the_run(mounting: FileLedger) -> None:
    """Before anything is brought up; a missing source would become an empty folder."""
    runner = FakeRunner([UP])
    with pytest.raises(RunFailed, match="cannot be put on the engine's host: full") as caught:
        run(mounting, runner, engine(place_error=EngineError("full", where="there")))
    assert caught.value.where == "there"
    assert "up" not in runner.calls


def test_a_release_that_mounts_source_runs_beside_it_alone(ledger: FileLedger) -> None:
    """Its runner is told where that is; an engine elsewhere has none of it."""
    beside = Deploy(timeout=0.5, settle=0.0, source_mounts=True)
    mounts = Verified(
        release=released(ledger, deploy=beside),
        text=COMPOSE_YAML,
        document={"services": {"web": {}}},
    )
    with pytest.raises(RunFailed, match="not where the engine is"):
        decide(Preflight(local=False), mounts, {}, engine())
    assert decide(Preflight(), mounts, {}, engine()).release.deploy.source_mounts
