"""What runs, held against what the last run left: how it stands, and where it drifted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit.containers import Container, Port
from stagekit.images import ImageFacts
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.cancel_release import cancel as cancel_release
from stagekit.pipeline.run import status
from stagekit.records import ContainerSeen, Link, Standing
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, Heard
from stagekit.testing.records import NOON, PIN, a_build, a_container, ran, released, sha

UP = a_container(definition="d1", settings={"networks": "back"})
ENDED = a_container(state="exited", exit_code=0, restart_policy="no")
OTHER = ImageFacts(id=sha("other"), size=1, digests=(f"registry.test/web@{sha('moved')}",))
SEEN = ContainerSeen(
    service="web",
    name=UP.name,
    id=UP.id,
    state="running",
    image_id=UP.image_id,
    proven=True,
    definition="d1",
    settings={"networks": "back"},
)


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """A ledger with one release to prod."""
    ledger = FileLedger(tmp_path)
    released(ledger)
    return ledger


def engine(**more: object) -> FakeEngine:
    image = ImageFacts(id=UP.image_id, size=1, digests=(PIN.pinned,))
    return FakeEngine(images={image.id: image, OTHER.id: OTHER}, **more)


def looked_at(
    ledger: FileLedger, *containers: Container, on: FakeEngine | None = None
) -> status.EnvironmentStatus | None:
    return status.status_of(
        "prod",
        ledger=ledger,
        engine=on or engine(),
        runner=lambda _kind: FakeRunner(containers),
        emit=Heard(),
    )


def test_status_holds_what_runs_against_what_was_released(ledger: FileLedger) -> None:
    """Up and the right image is well; missing, another image or a failed run is not."""
    assert looked_at(ledger) is None
    ran(ledger, "v1")
    cases = [
        ((UP,), ("running", 1, True, True)),
        ((), ("missing", 0, False, False)),
        ((a_container(state="exited", exit_code=3),), ("exited", 0, True, False)),
        ((a_container(image_id=sha("other")),), ("running", 1, False, False)),
        ((ENDED,), ("exited", 0, True, False)),  # it ran when the run was proven
        ((a_container(health="unhealthy"),), ("running", 1, True, False)),
    ]
    for containers, expected in cases:
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


def drift(
    ledger: FileLedger, *containers: Container, on: FakeEngine | None = None
) -> list[tuple[str, str | None]]:
    report = looked_at(ledger, *containers, on=on)
    assert report is not None
    return [(item.kind, item.service) for item in report.drift]


def test_what_the_last_run_left_did_not_drift(ledger: FileLedger) -> None:
    """Nor does what a run left whose containers nobody recorded."""
    ran(ledger, "v1")
    assert drift(ledger, UP) == []
    ran(ledger, "v1", containers=(SEEN,))
    report = looked_at(ledger, UP)
    assert report is not None
    assert (report.drift, report.as_released) == ((), True)


def test_what_the_engine_keeps_up_may_be_another_one(ledger: FileLedger) -> None:
    """A Swarm puts a container in the place of one that failed, of the same: that is no drift."""
    ran(ledger, "v1", containers=(SEEN,))
    assert drift(ledger, replace(UP, id="new", kept_up=True)) == []
    assert drift(ledger, replace(UP, id="new", kept_up=True, definition="d2")) != []


@pytest.mark.parametrize(
    ("containers", "found"),
    [
        ([], ["missing"]),
        ([UP, replace(UP, name="shop-prod-web-2")], ["count"]),
        ([replace(UP, image_id=OTHER.id)], ["image"]),
        ([replace(UP, id="new", definition="d2")], ["definition"]),
        ([replace(UP, id="new")], ["replaced"]),
        ([replace(UP, settings={"networks": "back", "Memory": "64"})], ["settings"]),
        ([replace(UP, settings={"networks": ""})], ["settings"]),
    ],
)
def test_each_way_to_drift_has_its_name(
    ledger: FileLedger, containers: list[Container], found: list[str]
) -> None:
    """Of the service that it is about; what drifted is not as released, whether well or not."""
    ran(ledger, "v1", containers=(SEEN,))
    assert drift(ledger, *containers) == [(kind, "web") for kind in found]
    report = looked_at(ledger, *containers)
    assert report is not None
    assert not report.as_released


def test_a_changed_setting_is_told_before_and_after(ledger: FileLedger) -> None:
    """As the engine has it."""
    ran(ledger, "v1", containers=(SEEN,))
    report = looked_at(ledger, replace(UP, settings={"Memory": "64", "networks": "front"}))
    assert report is not None
    assert [item.text for item in report.drift] == [
        f"{UP.name}: Memory none → 64",
        f"{UP.name}: networks back → front",
    ]


def test_a_service_that_was_not_released_is_extra(ledger: FileLedger) -> None:
    """What runs under the project's name counts, whoever started it."""
    ran(ledger, "v1", containers=(SEEN,))
    assert drift(ledger, UP, a_container("old")) == [("extra", "old")]


def test_the_scale_of_the_run_is_what_is_wanted(ledger: FileLedger) -> None:
    """Not the release's own."""
    ran(ledger, "v1", scale={"web": 2})
    two = replace(UP, id="second")
    assert drift(ledger, UP, two) == []
    assert drift(ledger, UP) == [("count", "web")]


def test_a_newer_release_that_does_not_run_is_behind(ledger: FileLedger) -> None:
    """One that was cancelled is not."""
    ran(ledger, "v1")
    newer = released(ledger)
    assert drift(ledger, UP) == [("behind", None)]
    cancel_release(ledger, "prod", newer.record.id, reason="no", actor="ann")
    assert drift(ledger, UP) == []


def test_another_ledgers_run_is_elsewhere(ledger: FileLedger) -> None:
    """The engine says what is in force; older than our own run it is no news."""
    run = ran(ledger, "v1").record
    theirs = Standing(
        project="shop",
        env="prod",
        run=7,
        outcome="running",
        reason="run",
        release="v9",
        release_digest=sha("v9"),
        build="b9",
        actor="bob@ci",
        when=run.finished + timedelta(hours=1),
    )
    assert drift(ledger, UP, on=engine(kept=theirs)) == [("elsewhere", None)]
    old = replace(theirs, when=NOON - timedelta(hours=1))
    ours = replace(theirs, run=run.n, release_digest=run.release.digest)
    assert drift(ledger, UP, on=engine(kept=old)) == []
    assert drift(ledger, UP, on=engine(kept=ours)) == []


def test_the_container_that_is_worst_off_stands_for_its_service(ledger: FileLedger) -> None:
    """Two of three run: the third is what is to be seen."""
    ran(ledger, "v1", scale={"web": 3})
    ended = replace(UP, id="third", state="exited", exit_code=3)
    sick = replace(UP, id="second", health="unhealthy")
    report = looked_at(ledger, UP, sick, ended)
    assert report is not None
    assert (report.services[0].state, report.services[0].running) == ("exited", 2)
    report = looked_at(ledger, UP, sick)
    assert report is not None
    assert report.services[0].health == "unhealthy"
