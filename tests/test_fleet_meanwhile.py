"""What takes place while a fleet's locks are waited for: what is done then is of what is so now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagekit.errors import RunFailed
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.cancel_release import cancel as cancel_release
from stagekit.pipeline.run.fleet.stopping import stop
from stagekit.records import Run
from stagekit.testing.fakes import FakeRunner
from stagekit.testing.records import a_container
from tests.fleets import NAMES, UP, Hosts, outcomes, sealed

TWO = (UP, a_container(name="shop-prod-web-2", id="2" * 64))


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    ledger = FileLedger(tmp_path)
    sealed(ledger)
    return Hosts(ledger)


def meanwhile(hosts: Hosts, *do: Callable[[], object]) -> None:
    """Let this take place while the first lock is waited for."""
    hosts.locked.clear()
    hosts.when_locked["a"] = [lambda: [step() for step in do]]


def another_run(hosts: Hosts, **asked: Any) -> Run:
    """Let somebody else run a release on the same hosts, from another machine."""
    other = Hosts(hosts.ledger)
    other.runners = {name: FakeRunner(TWO if "scale" in asked else [UP]) for name in NAMES}
    run = other.run(**asked)
    for name in NAMES:
        hosts.engines[name].kept = other.engines[name].kept
    return run


def test_a_host_is_stopped_of_what_runs_by_now(hosts: Hosts) -> None:
    """And the others are recorded with what they run now."""
    last = hosts.run()
    meanwhile(hosts, lambda: sealed(hosts.ledger), lambda: another_run(hosts, release_id="v2"))
    some = stop(last, hosts.fleet(("a",))).record
    assert (some.n, some.release.id, some.outcome) == (3, "v2", "running")
    assert outcomes(some) == [
        ("c", "untouched", "v2"),
        ("a", "stopped", None),
        ("b", "untouched", "v2"),
    ]


def test_a_stop_is_refused_where_there_are_other_hosts_by_now(hosts: Hosts) -> None:
    """It would miss those, and record that nothing runs."""
    sealed(hosts.ledger, hosts=("ssh://c", "ssh://a"))
    last = hosts.run(fleet=hosts.fleet(("c", "a")))
    sealed(hosts.ledger)
    meanwhile(hosts, lambda: another_run(hosts))
    with pytest.raises(RunFailed, match="run 2 of prod took place meanwhile: v3 running"):
        stop(last, hosts.fleet(("c", "a")))
    assert not any("down" in runner.calls for runner in hosts.runners.values())


def test_the_newest_release_is_that_when_the_locks_are_had(hosts: Hosts) -> None:
    """An older one does not take the place of one that was run while it waited."""
    meanwhile(hosts, lambda: sealed(hosts.ledger), lambda: another_run(hosts))
    run = hosts.run()
    assert (run.n, run.release.id, hosts.ledger.run("prod", 1).record.release.id) == (2, "v2", "v2")
    assert "prod/v2 is the newest by now: it is run in the place of prod/v1" in hosts.heard.text


def test_a_release_that_was_cancelled_meanwhile_is_the_newest_no_more(hosts: Hosts) -> None:
    sealed(hosts.ledger)
    meanwhile(
        hosts, lambda: cancel_release(hosts.ledger, "prod", "v2", reason="leaks", actor="ann")
    )
    assert hosts.run().release.id == "v1"


def test_a_release_that_was_named_is_what_was_asked_for(hosts: Hosts) -> None:
    meanwhile(hosts, lambda: sealed(hosts.ledger), lambda: another_run(hosts))
    assert hosts.run(release_id="v1").release.id == "v1"


def test_the_newest_release_is_not_run_where_it_is_not_to_run(hosts: Hosts) -> None:
    """Its hosts are others than those that are locked."""
    meanwhile(hosts, lambda: sealed(hosts.ledger, hosts=("ssh://c", "ssh://a")))
    with pytest.raises(RunFailed, match="prod/v2: it is the newest release by now, and is to run"):
        hosts.run()
    assert hosts.switched() == []
    assert all(engine.leases[-1].released for engine in hosts.engines.values())


def test_a_scale_that_was_set_meanwhile_is_kept(hosts: Hosts) -> None:
    hosts.run()
    meanwhile(hosts, lambda: another_run(hosts, release_id="v1", reason="scale", scale={"web": 2}))
    hosts.runners = {name: FakeRunner(TWO) for name in NAMES}
    run = hosts.run()
    assert (run.n, run.scale) == (3, {"web": 2})


def test_a_number_that_cannot_be_waits_for_no_lock(hosts: Hosts) -> None:
    with pytest.raises(Exception, match="has no service 'wbe'"):
        hosts.run(scale={"wbe": 2})
    assert hosts.locked == []
