"""What runs where a fleet's release is not to run: it is refused, or known until it is stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stagekit.errors import EngineError, RunFailed
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.history import last_run
from stagekit.pipeline.prune import gather
from stagekit.pipeline.run import flow as on_one_engine
from stagekit.pipeline.run.fleet import planning
from stagekit.pipeline.run.fleet.resuming import to_resume
from stagekit.pipeline.run.fleet.status import status_of
from stagekit.pipeline.run.fleet.stopping import gone, stop
from stagekit.pipeline.run.fleet.transaction import Policy
from stagekit.records import Deploy, Run
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner
from stagekit.testing.records import ENGINE, PIN, released
from tests.fakes import platform
from tests.fleets import (
    BAD,
    IMAGE,
    KEEP_GOING,
    NAMES,
    UP,
    Hosts,
    outcomes,
    sealed,
)

TWO = ("c", "a")


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    ledger = FileLedger(tmp_path)
    sealed(ledger)
    return Hosts(ledger)


def without_b(hosts: Hosts) -> Run:
    """Run a release that host b is none of."""
    sealed(hosts.ledger, hosts=("ssh://c", "ssh://a"))
    return hosts.run(fleet=hosts.fleet(TWO))


def left(run: Run) -> list[tuple[str, str, str | None]]:
    return [(host.name, host.outcome, host.release) for host in run.left]


# hosts that a release does not have any more


def test_a_host_that_left_the_fleet_is_known_until_it_is_stopped(hosts: Hosts) -> None:
    """Each run warns of it and records it, status shows it, and a stop can name it."""
    hosts.run()
    for release in ("v2", "v3"):
        hosts.heard.events.clear()
        run = without_b(hosts)
        assert (run.release.id, run.ran_well, left(run)) == (
            release,
            True,
            [("b", "untouched", "v1")],
        )
        assert "b is no host of this release, and runs prod/v1: inv run.stop" in hosts.heard.text
    [drift] = [item for item in status_of(run, hosts.fleet(TWO)).drift if item.kind == "left"]
    assert "inv run.stop --env prod --host b takes it down" in drift.text
    assert "v1" in gather("prod", keep=1, ledger=hosts.ledger, emit=hosts.heard).in_force

    stopped = stop(run, hosts.fleet(("b",))).record
    assert (stopped.outcome, stopped.release.id) == ("running", "v3")
    assert outcomes(stopped) == [("c", "untouched", "v3"), ("a", "untouched", "v3")]
    assert left(stopped) == [("b", "stopped", None)]
    assert hosts.runners["b"].calls[-1] == "down"
    hosts.heard.events.clear()
    assert left(without_b(hosts)) == []
    assert "no host of this release" not in hosts.heard.text


def test_a_host_that_left_is_stopped_with_the_fleet(hosts: Hosts) -> None:
    hosts.run()
    stopped = stop(without_b(hosts), hosts.fleet()).record
    assert (stopped.outcome, left(stopped)) == ("stopped", [("b", "stopped", None)])
    assert hosts.in_force() == dict.fromkeys(NAMES, None)


def test_a_host_that_left_stays_known_where_a_run_goes_back(hosts: Hosts) -> None:
    hosts.run()
    without_b(hosts)
    hosts.fails("a")
    with pytest.raises(RunFailed):
        without_b(hosts)
    assert (hosts.last.reason, left(hosts.last)) == (
        "automatic rollback",
        [("b", "untouched", "v1")],
    )


def test_a_host_that_left_and_may_run_something_is_warned_of(hosts: Hosts) -> None:
    """Nobody knows what it runs: it failed there."""
    hosts.fails("b", BAD)
    with pytest.raises(RunFailed):
        hosts.run(KEEP_GOING)
    assert left(without_b(hosts)) == [("b", "failed", None)]
    assert "b is no host of this release, and may run something" in hosts.heard.text


@pytest.mark.parametrize("hosts_then", [{"c": "ssh://c", "a": "ssh://a", "east": "ssh://b"}])
def test_a_host_that_was_renamed_has_not_left(hosts: Hosts, hosts_then: dict[str, str]) -> None:
    """What the warning names would be taken down, and it is what runs."""
    run = hosts.run()
    renamed = [replace(host, name=name) for host, name in zip(run.hosts, hosts_then, strict=True)]
    assert run.leaves(but=renamed) == ()


def test_a_host_that_is_gone_for_good_is_recorded_as_that(hosts: Hosts) -> None:
    """It is not reached; the others are locked."""
    hosts.run()
    run = without_b(hosts)
    hosts.away["b"] = EngineError("no route", where="ssh://b")
    hosts.locked.clear()
    done = gone(run, "b", hosts.fleet(TWO)).record
    assert sorted(hosts.locked) == ["a", "c"]
    assert (done.reason, done.outcome, done.release.id) == ("stop", "running", "v2")
    assert left(done) == [("b", "stopped", None)]
    last = last_run(hosts.ledger, "prod", hosts.heard)
    assert last
    assert last.record == done
    assert left(without_b(hosts)) == []


def test_the_last_host_of_a_fleet_may_be_gone(hosts: Hosts) -> None:
    run = stop(hosts.run(), hosts.fleet(TWO)).record
    hosts.away["b"] = EngineError("no route", where="ssh://b")
    done = gone(run, "b", hosts.fleet(("b",))).record
    assert (done.outcome, outcomes(done)[2]) == ("stopped", ("b", "stopped", None))


def test_several_hosts_may_be_gone(hosts: Hosts) -> None:
    """Each is recorded by itself, though the others are not reached either."""
    hosts.run()
    for away in NAMES:
        hosts.away[away] = EngineError("no route", where=f"ssh://{away}")
    for name, outcome in (("b", "running"), ("a", "running"), ("c", "stopped")):
        done = gone(hosts.last, name, hosts.fleet()).record
        assert done.outcome == outcome
    assert outcomes(done) == [
        (name, "stopped" if name == "c" else "untouched", None) for name in NAMES
    ]
    assert "a is not reached either: ssh://a: no route" in hosts.heard.text


# from one engine to hosts


def on_one(hosts: Hosts, id: str, **runner: Any) -> FakeEngine:
    """Run a release on one engine, which is none that the hosts have but by its id."""
    release = released(hosts.ledger, deploy=Deploy(timeout=0.5, settle=0.0))
    engine = FakeEngine(images={PIN.pinned: IMAGE, UP.image_id: IMAGE}, url="unix:///one")
    engine.facts = lambda: replace(ENGINE, id=id)  # type: ignore[method-assign]
    on = platform(hosts.ledger, FakeRunner([UP], before=()), engine)
    on_one_engine.run("prod", release_id=release.record.id, reason="run", on=on)
    sealed(hosts.ledger)
    return engine


def test_what_runs_on_one_engine_is_not_left_behind(hosts: Hosts) -> None:
    """No command would reach it any more. A plan says so, too; a stop makes way."""
    engine = on_one(hosts, "another")
    refused = r"prod/v3: it is run on hosts, and what runs in prod by one engine"
    with pytest.raises(RunFailed, match=refused) as raised:
        hosts.run()
    assert raised.value.hint == "inv run.stop --env prod takes that down first; volumes stay"
    with pytest.raises(RunFailed, match=refused):
        planning.plan("prod", release_id=None, reason="run", fleet=hosts.fleet())
    assert (hosts.switched(), list(hosts.ledger.runs("prod"))) == ([], [1])
    on_one_engine.stop("prod", platform(hosts.ledger, FakeRunner([UP]), engine))
    assert hosts.run().outcome == "running"


def test_one_engine_that_becomes_a_host_is_taken_over(hosts: Hosts) -> None:
    """It is told by its id, and by what it says is in force."""
    engine = on_one(hosts, ENGINE.id)
    hosts.engines["a"].kept = engine.kept
    hosts.engines["a"].running = (UP,)
    run = hosts.run()
    assert outcomes(run) == [(name, "running", "v3") for name in NAMES]
    assert [host.before for host in run.hosts] == [None, "v2", None]


def test_a_machine_that_was_cloned_is_not_the_one_engine(hosts: Hosts) -> None:
    on_one(hosts, ENGINE.id)
    with pytest.raises(RunFailed, match="what runs in prod by one engine"):
        hosts.run()


# what is known of the hosts that nothing is done on


def test_what_nobody_knows_is_not_stopped_by_stopping_another(hosts: Hosts) -> None:
    """The failed run is still what is resumed."""
    hosts.fails("b", BAD)
    hosts.runners["a"] = FakeRunner([BAD], before=())
    with pytest.raises(RunFailed):
        hosts.run(KEEP_GOING)
    failed = hosts.last
    some = stop(failed, hosts.fleet(("c",))).record
    assert (some.outcome, outcomes(some)) == (
        "running",
        [("c", "stopped", None), ("a", "failed", None), ("b", "failed", None)],
    )
    assert to_resume("prod", hosts.ledger, hosts.heard) == failed


def test_a_stop_whose_process_dies_knows_what_the_others_run(hosts: Hosts) -> None:
    """From the first line of its journal."""
    last = hosts.run()
    folder = hosts.ledger.root / "runs/prod"

    class Killed(FakeRunner):
        def down(self, *given: Any, **more: Any) -> None:
            super().down(*given, **more)
            shutil.copy(folder / "2.journal", folder / "kept")

    hosts.runners["a"] = Killed([UP])
    stop(last, hosts.fleet(("a",)))
    (folder / "2.toml").unlink()
    (folder / "kept").rename(folder / "2.journal")
    hosts.ledger.close_interrupted_runs("prod")
    assert (hosts.last.outcome, outcomes(hosts.last)) == (
        "interrupted",
        [("c", "untouched", "v1"), ("a", "interrupted", None), ("b", "untouched", "v1")],
    )
    hosts.runners["a"] = FakeRunner([UP])
    again = stop(hosts.last, hosts.fleet(("a",))).record
    assert (again.outcome, again.release.id) == ("running", "v1")


def test_what_a_failed_run_of_ours_left_is_no_strangers(hosts: Hosts) -> None:
    """Its containers have nothing in force beside them; they are taken down."""
    hosts.runners["a"] = FakeRunner([BAD], before=())
    with pytest.raises(RunFailed):
        hosts.run(KEEP_GOING)
    hosts.engines["a"].running = (BAD,)
    failed = to_resume("prod", hosts.ledger, hosts.heard)
    hosts.runners = {name: FakeRunner([UP]) for name in NAMES} | {"a": FakeRunner([BAD], before=())}
    with pytest.raises(RunFailed) as raised:
        hosts.run(Policy(resumes=failed), release_id="v1")
    assert "does not know what ran there" not in str(raised.value)
    assert "host a, host a" not in str(raised.value)
    assert hosts.runners["a"].calls[-1] == "down"
