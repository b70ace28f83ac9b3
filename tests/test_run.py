"""Run: a release is brought up as it was sealed, proven and recorded, however it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit.containers import Container, Port
from stagekit.errors import (
    Cancelled,
    EngineError,
    InputError,
    LedgerError,
    NotProven,
    RegistryError,
    RunFailed,
)
from stagekit.images import ImageFacts
from stagekit.ledger.files import FileLedger
from stagekit.process import Cancel
from stagekit.records import ContainerSeen, Link, Run, Stored
from stagekit.stages import run as stage
from stagekit.stages import status
from stagekit.stages.running import Subject
from stagekit.stages.verify import Verified
from tests.fakes import (
    COMPOSE_YAML,
    ENGINE,
    PIN,
    FakeEngine,
    FakeRunner,
    Heard,
    a_build,
    a_container,
    ran,
    released,
    sha,
    stored_release,
)

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


def gathered(ledger: FileLedger, on: FakeEngine) -> stage.Facts:
    return stage.gather(
        "prod",
        release_id=None,
        reason="run",
        ledger=ledger,
        engine=on,
        actor="ann@laptop",
        emit=Heard(),
    )


def applied(
    ledger: FileLedger,
    runner: FakeRunner,
    on: FakeEngine | None = None,
    cancel: Cancel | None = None,
    **secrets: str,
) -> Stored[Run]:
    on = on or engine()
    return stage.apply(
        stage.decide(gathered(ledger, on)),
        ledger=ledger,
        engine=on,
        runner=runner,
        secrets=secrets,
        emit=Heard(),
        cancel=cancel or Cancel(),
    )


class Broken(FakeRunner):
    """A runner whose ``up`` raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__([UP])
        self._error = error

    def up(self, *_args: object, **_settings: object) -> tuple[str, ...]:
        raise self._error


def facts(**changes: object) -> stage.Facts:
    given = stage.Facts(
        verified=Verified(
            release=stored_release(), text=COMPOSE_YAML, document={"services": {"web": {}}}
        ),
        engine=ENGINE,
        missing=(),
        busy=(),
        reason="run",
        actor="ann",
    )
    return replace(given, **changes)


def test_a_plan_pulls_what_is_missing() -> None:
    """By its digest; everything else is taken over from the facts."""
    given = facts(missing=(PIN.pinned,), reason="rollback")
    plan = stage.decide(given)
    assert plan.pull == (PIN.pinned,)
    assert plan.verified == given.verified
    assert plan.subject == Subject(
        env="prod",
        project="shop",
        release=given.verified.release.link,
        runner="compose",
        engine=ENGINE,
        reason="rollback",
        actor="ann",
    )


def test_an_image_of_another_engine_cannot_be_run() -> None:
    """An image id is on one engine only: it is said before anything is touched."""
    with pytest.raises(RunFailed, match="not on this engine, and no registry has it") as caught:
        stage.decide(facts(missing=(sha("local"),)))
    assert caught.value.where == "prod/v1 on unix:///fake"


def test_a_taken_port_stops_a_run() -> None:
    """All of them are told, with the file to change."""
    with pytest.raises(RunFailed, match="port 80 is taken; port 81 is taken") as caught:
        stage.decide(facts(busy=("port 80 is taken", "port 81 is taken")))
    assert "environments/prod/config.toml" in str(caught.value.hint)


def test_gathering_looks_and_changes_nothing(ledger: FileLedger) -> None:
    """Which images are missing is asked; nothing is pulled, begun or written."""
    on = FakeEngine()
    before = sorted(ledger.root.rglob("*"))
    assert gathered(ledger, on).missing == (PIN.pinned,)
    assert gathered(ledger, engine()).missing == ()
    assert on.calls == []
    assert sorted(ledger.root.rglob("*")) == before


def test_a_run_is_recorded_with_its_steps_and_containers(ledger: FileLedger) -> None:
    """What was done, how long it took, and what then ran."""
    stored = applied(ledger, FakeRunner([UP]), TOKEN="hunter2")
    run = ledger.run("prod", 1).record
    assert stored.record == run
    assert (run.outcome, run.reason, run.release.id) == ("running", "run", "v1")
    assert run.release.digest == ledger.release("prod", "v1").digest
    assert [step.name for step in run.steps] == ["up", "settle", "prove"]
    assert [(item.service, item.proven) for item in run.containers] == [("web", True)]
    assert (run.engine, run.actor, run.failure) == (ENGINE, "ann@laptop", None)


def test_secrets_reach_the_runner_and_nothing_else(ledger: FileLedger) -> None:
    """No file of the ledger holds one."""
    runner = FakeRunner([UP])
    applied(ledger, runner, TOKEN="hunter2")
    assert runner.secrets == {"TOKEN": "hunter2"}
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_a_secret_in_an_error_is_masked_wherever_it_stands(ledger: FileLedger) -> None:
    """A program that prints its token when it fails: neither error nor record repeats it."""
    crashed = a_container(state="dead", error="token hunter2 is wrong")
    on = engine(log=("login with hunter2",))
    with pytest.raises(NotProven) as caught:
        applied(ledger, FakeRunner([crashed]), on, TOKEN="hunter2")
    error = caught.value
    assert error.what == "shop-prod-web-1: dead: token *** is wrong"
    assert error.output == ("login with ***",)
    assert "hunter2" not in f"{error} {error.args} {error.failed}"
    files = [path for path in ledger.root.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in path.read_bytes() for path in files)
    assert ledger.run("prod", 1).record.failed[0].output == ("login with ***",)


def test_exactly_what_was_verified_is_brought_up(ledger: FileLedger) -> None:
    """The runner gets the bytes themselves: what stands on disk may have changed since."""
    on, runner = engine(), FakeRunner([UP])
    plan = stage.decide(gathered(ledger, on))
    (ledger.root / "releases/prod/v1/compose.yaml").write_text("services: {}")
    stage.apply(
        plan, ledger=ledger, engine=on, runner=runner, secrets={}, emit=Heard(), cancel=Cancel()
    )
    assert runner.document == COMPOSE_YAML


def test_missing_images_are_pulled_by_digest(ledger: FileLedger) -> None:
    """Before anything is brought up."""
    on = FakeEngine(images={UP.image_id: IMAGE})
    run = applied(ledger, FakeRunner([UP]), on).record
    assert on.calls == [("pull", PIN.pinned)]
    assert [step.name for step in run.steps] == ["pull", "up", "settle", "prove"]


def test_a_refused_pull_is_a_failed_run(ledger: FileLedger) -> None:
    """With the registry's words; nothing was brought up, and it is recorded."""
    on = FakeEngine(pull_error=RegistryError("denied", hint="docker login"))
    runner = FakeRunner([UP])
    with pytest.raises(RunFailed, match="cannot be pulled: denied") as caught:
        applied(ledger, runner, on)
    assert (caught.value.where, caught.value.hint) == (PIN.pinned, "docker login")
    assert runner.calls == []
    failure = ledger.run("prod", 1).record.failure
    assert failure is not None
    assert failure.step == "pull"


def test_a_container_that_fails_is_in_the_record(ledger: FileLedger) -> None:
    """Its last lines and why; the environment is free again."""
    crashed = a_container(state="exited", exit_code=3)
    with pytest.raises(RunFailed, match="exited with 3"):
        applied(ledger, FakeRunner([crashed]))
    run = ledger.run("prod", 1).record
    assert (run.outcome, run.containers) == ("failed", ())
    assert [(item.service, item.reason, item.output) for item in run.failed] == [
        ("web", "exited with 3", ("last words",))
    ]
    assert run.failure is not None
    assert run.failure.step == "settle"
    assert applied(ledger, FakeRunner([UP])).record.n == 2


def test_a_wrong_image_is_a_failed_run(ledger: FileLedger) -> None:
    """Up, healthy and not what was released: the proof fails."""
    with pytest.raises(RunFailed, match="not what was released"):
        applied(ledger, FakeRunner([a_container(image_id=sha("other"))]))
    run = ledger.run("prod", 1).record
    assert run.failure is not None
    assert (run.outcome, run.failure.step) == ("failed", "prove")


def test_a_cancelled_run_is_recorded_as_one(ledger: FileLedger) -> None:
    """Stopped before its first step."""
    cancel = Cancel()
    cancel.request()
    runner = FakeRunner([UP])
    with pytest.raises(Cancelled):
        applied(ledger, runner, cancel=cancel)
    assert runner.calls == []
    assert ledger.run("prod", 1).record.outcome == "cancelled"


def test_a_bug_in_a_runner_frees_the_environment(ledger: FileLedger) -> None:
    """Whatever a plugin raises is recorded by its kind and goes on; the next run can begin."""
    error = ZeroDivisionError("by zero")
    with pytest.raises(ZeroDivisionError) as caught:
        applied(ledger, Broken(error))
    assert caught.value is error
    run = ledger.run("prod", 1).record
    assert run.failure is not None
    assert (run.outcome, run.failure.step, run.failure.subject) == ("failed", "up", "prod/v1")
    assert run.failure.message == "ZeroDivisionError: by zero"
    assert ledger.unfinished_run("prod") is None
    assert applied(ledger, FakeRunner([UP])).record.n == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Cancelled("stopped on request")])
def test_a_run_that_is_stopped_in_mid_step_is_a_cancelled_one(
    ledger: FileLedger, error: BaseException
) -> None:
    """By one Ctrl-C or by two: the record says at which step, and the environment is free."""
    with pytest.raises(type(error)) as caught:
        applied(ledger, Broken(error))
    assert caught.value is error
    run = ledger.run("prod", 1).record
    assert run.failure is not None
    assert (run.outcome, run.failure.step, run.steps) == ("cancelled", "up", ())
    assert applied(ledger, FakeRunner([UP])).record.n == 2


def test_one_run_at_a_time(ledger: FileLedger) -> None:
    """A run that finds another under way touches nothing."""
    journal = ledger.begin_run("prod", {})
    runner = FakeRunner([UP])
    with pytest.raises(LedgerError, match="is taken"):
        applied(ledger, runner)
    assert runner.calls == []
    journal.close()


def stopped(ledger: FileLedger, runner: FakeRunner) -> Stored[Run]:
    return stage.stop(
        "prod",
        ledger=ledger,
        engine=engine(),
        runner=lambda _kind: runner,
        actor="ann",
        emit=Heard(),
        cancel=Cancel(),
    )


def test_a_stop_takes_down_what_ran_last_and_is_a_run(ledger: FileLedger) -> None:
    """The release in force, not the newest; nothing is brought up."""
    ran(ledger, "v1")
    released(ledger)
    runner = FakeRunner([])
    run = stopped(ledger, runner).record
    assert (run.outcome, run.reason, run.release.id) == ("stopped", "stop", "v1")
    assert runner.calls == ["down"]


def test_a_stop_needs_no_release(ledger: FileLedger) -> None:
    """What runs can be taken down whatever became of the files, by what brought it up."""
    ran(ledger, "v1", runner="swarm")
    shutil.rmtree(ledger.root / "releases")
    asked, runner = [], FakeRunner([])

    def find(kind: str) -> FakeRunner:
        asked.append(kind)
        return runner

    run = stage.stop(
        "prod",
        ledger=ledger,
        engine=engine(),
        runner=find,
        actor="ann",
        emit=Heard(),
        cancel=Cancel(),
    ).record
    assert (asked, runner.calls) == (["swarm"], ["down"])
    assert (run.outcome, run.runner, run.release.id) == ("stopped", "swarm", "v1")


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
    run = ledger.run("prod", 2).record
    assert run.failure is not None
    assert (run.outcome, run.reason, run.failure.step) == ("failed", "stop", "down")


def looked_at(ledger: FileLedger, *containers: Container) -> status.EnvironmentStatus | None:
    return status.status_of(
        "prod",
        ledger=ledger,
        engine=engine(),
        runner=lambda _kind: FakeRunner(containers),
        emit=Heard(),
    )


def test_status_holds_what_runs_against_what_was_released(ledger: FileLedger) -> None:
    """Up and the right image is well; missing, another image or a failed run is not."""
    assert looked_at(ledger) is None
    ran(ledger, "v1")
    cases = {
        (UP,): ("running", 1, True, True),
        (): ("missing", 0, False, False),
        (a_container(state="exited", exit_code=3),): ("exited", 0, True, False),
        (a_container(image_id=sha("other")),): ("running", 1, False, False),
        (ENDED,): ("exited", 0, True, False),  # it ran when the run was proven
    }
    for containers, expected in cases.items():
        report = looked_at(ledger, *containers)
        assert report is not None
        [web] = report.services
        assert (web.state, web.running, web.proven, report.well) == expected
        assert (report.release, report.run, web.wanted) == ("v1", 1, 1)


def test_a_one_shot_that_was_done_when_the_run_was_proven_is_done(ledger: FileLedger) -> None:
    """It need not run; one that publishes a port, or has a health check, is no one-shot."""
    seen = ContainerSeen(
        service="web", name="w", id="i", state="exited", image_id=ENDED.image_id, proven=True
    )
    ran(ledger, "v1", containers=(seen,))
    report = looked_at(ledger, ENDED)
    assert report is not None
    assert (report.services[0].state, report.well) == ("done", True)
    for serving in ({"ports": (Port("0.0.0.0", "80", "tcp"),)}, {"health": "unhealthy"}):  # noqa: S104
        report = looked_at(ledger, replace(ENDED, **serving))
        assert report is not None
        assert (report.services[0].state, report.well) == ("exited", False)


def test_status_of_a_stopped_environment_lists_nothing(ledger: FileLedger) -> None:
    """Nothing should run, nothing does; what is left over is shown."""
    ran(ledger, "v1")
    ran(ledger, "v1", "stopped")
    report, left_over = looked_at(ledger), looked_at(ledger, UP)
    assert report is not None
    assert left_over is not None
    assert (report.outcome, report.services) == ("stopped", ())
    assert len(left_over.services) == 1


def test_status_asks_for_the_runner_of_the_run_in_force(ledger: FileLedger) -> None:
    """Not of the newest release: what runs is looked at by what ran it."""
    ran(ledger, "v1", runner="swarm")
    released(ledger)
    asked = []

    def runner(kind: str) -> FakeRunner:
        asked.append(kind)
        return FakeRunner([UP])

    report = status.status_of("prod", ledger=ledger, engine=engine(), runner=runner, emit=Heard())
    assert report is not None
    assert (report.release, asked) == ("v1", ["swarm"])


def test_status_names_the_commit_where_the_build_is_at_hand(ledger: FileLedger) -> None:
    """A machine that only runs has no builds, and no less to say of what runs."""
    ran(ledger, "v1")
    report = looked_at(ledger, UP)
    assert report is not None
    assert (report.build, report.commit, report.well) == ("b1", None, True)
    build = ledger.reserve_build(a_build()).finish(a_build())
    link = Link(id="b1", digest=build.digest)
    ran(ledger, released(ledger, build=link).record.id)
    report = looked_at(ledger, UP)
    assert report is not None
    assert report.commit == "c" * 40


def test_status_passes_over_a_damaged_run(ledger: FileLedger) -> None:
    """The run before it is told of, with a warning."""
    ran(ledger, "v1")
    ran(ledger, "v1", "failed")
    (ledger.root / "runs/prod/2.toml").write_bytes(b"")
    heard = Heard()
    report = status.status_of(
        "prod", ledger=ledger, engine=engine(), runner=lambda _kind: FakeRunner([UP]), emit=heard
    )
    assert report is not None
    assert (report.run, report.outcome) == (1, "running")
    assert "run 2 of prod is passed over" in heard.text


def test_status_of_a_changed_release_is_told_with_a_warning(ledger: FileLedger) -> None:
    """What runs can be seen all the same."""
    ran(ledger, "v1")
    (ledger.root / "releases/prod/v1/compose.yaml").write_text("services: {}")
    heard = Heard()
    report = status.status_of(
        "prod",
        ledger=ledger,
        engine=engine(),
        runner=lambda _kind: FakeRunner([UP]),
        emit=heard,
    )
    assert report is not None
    assert [(item.service, item.running) for item in report.services] == [("web", 1)]
    assert "was changed after it was sealed" in heard.text
