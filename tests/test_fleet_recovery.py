# a protocol names arguments that a stand-in may not need
"""What follows a fleet's run that did not go well: going back, going on, and what is recorded of
each host meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stagekit.errors import Cancelled, EngineError, InputError, RolledBack, RunFailed
from stagekit.pipeline.history import last_run
from stagekit.pipeline.run.fleet.restarting import restart
from stagekit.pipeline.run.fleet.resuming import release_of, to_resume
from stagekit.pipeline.run.fleet.stopping import stop
from stagekit.pipeline.run.fleet.transaction import Policy
from stagekit.records import ReleaseCommand, Run
from stagekit.testing.fakes import FakeRunner
from tests.fleets import BAD, KEEP_GOING, NAMES, UP, Hosts, a_fleet, mixed, outcomes, sealed

MIGRATE = ReleaseCommand(service="web", command=("migrate",))


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return a_fleet(tmp_path)


class _Doing(FakeRunner):
    """A runner that does something more when it brings up or takes down for the nth time."""

    def __init__(self, what: str, n: int, more: Callable[[], None]) -> None:
        super().__init__([UP], before=())
        self._when = (what, n)
        self._more = more

    def up(self, *given: Any, **more: Any) -> tuple[str, ...]:
        said = super().up(*given, **more)
        self._done("up", more)
        return said

    def down(self, *given: Any, **more: Any) -> None:
        super().down(*given, **more)
        self._done("down", more)

    def _done(self, what: str, more: Mapping[str, Any]) -> None:
        if self._when == (what, self.calls.count(what)):
            self._more()
            more["cancel"].check()


def resumed(hosts: Hosts, runners: Mapping[str, FakeRunner] | None = None) -> Run:
    """Go on with what is to be resumed, as the task does: by default, with runners that do well."""
    hosts.runners = {**{name: FakeRunner([UP]) for name in NAMES}, **(runners or {})}
    run = to_resume("prod", hosts.ledger, hosts.heard)
    return hosts.run(Policy(resumes=run), release_id=release_of(run, hosts.ledger))


def ran(hosts: Hosts, what: str) -> dict[str, int]:
    return {name: runner.calls.count(what) for name, runner in hosts.runners.items()}


def fails_to_go_back(hosts: Hosts, before: str = "v1", **settings: Any) -> Run:
    """Let a release fail on a host, and going back as well; return the run that went back."""
    hosts.standing(before)
    sealed(hosts.ledger, **settings)
    hosts.fails("a", BAD)
    with pytest.raises(RunFailed, match="going back failed too") as raised:
        hosts.run()
    assert "--resume goes on with going back" in str(raised.value.hint)
    return hosts.last


def test_a_fleet_that_runs_is_not_stopped_because_a_new_host_failed(hosts: Hosts) -> None:
    """What the hosts run that were not touched is in force."""
    hosts.standing("v1")
    hosts.engines["c"].kept = None
    sealed(hosts.ledger)
    hosts.fails("c")
    with pytest.raises(RolledBack, match="every host runs again what it ran before"):
        hosts.run()
    back = hosts.last
    assert (back.reason, back.outcome, back.release.id) == ("automatic rollback", "running", "v1")
    assert outcomes(back) == [
        ("c", "stopped", None),
        ("a", "untouched", "v1"),
        ("b", "untouched", "v1"),
    ]
    with pytest.raises(InputError, match="is whole"):
        to_resume("prod", hosts.ledger, hosts.heard)


def test_a_fleet_is_not_stopped_where_nobody_knows_what_a_host_runs(hosts: Hosts) -> None:
    """The first release ever is on none of the hosts that went back; one was not reached, and the
    run before had failed there."""
    hosts.fails("b", BAD)
    hosts.runners["c"] = hosts.runners["a"] = FakeRunner([BAD], before=())
    with pytest.raises(RunFailed):
        hosts.run(KEEP_GOING)
    assert outcomes(hosts.last) == [(name, "failed", None) for name in NAMES]
    hosts.runners["c"] = FakeRunner([BAD], before=())
    with pytest.raises(RolledBack):
        hosts.run()
    assert outcomes(hosts.last) == [
        ("c", "stopped", None),
        ("a", "failed", None),
        ("b", "failed", None),
    ]
    assert (hosts.last.reason, hosts.last.outcome) == ("automatic stop", "running")


def test_the_command_is_not_run_again_by_the_second_resume(hosts: Hosts) -> None:
    hosts.standing("v1")
    sealed(hosts.ledger, rollback_on_failure=False, release_command=MIGRATE)
    hosts.fails("b")
    with pytest.raises(RunFailed):
        hosts.run()
    assert ran(hosts, "once") == {"c": 1, "a": 0, "b": 0}
    for n in (2, 3):
        with pytest.raises(RunFailed):
            resumed(hosts, {"b": FakeRunner([BAD])})
        assert (hosts.last.resumes, sum(ran(hosts, "once").values())) == (n - 1, 0)
    assert resumed(hosts).ran_well
    assert sum(ran(hosts, "once").values()) == 0


def test_a_resumed_run_that_fails_leaves_the_release_where_it_was(hosts: Hosts) -> None:
    """That is no going back of every host: it is said to be mixed, and is resumed again."""
    failed = mixed(hosts)
    hosts.heard.events.clear()
    with pytest.raises(RunFailed, match="hosts that had prod/v2 before keep it") as raised:
        resumed(hosts, {"b": FakeRunner([BAD], [UP], before=())})
    assert raised.value.exit_code == 5
    assert "the fleet of prod is mixed" in hosts.heard.text
    assert hosts.in_force() == {"c": "v2", "a": "v2", "b": "v1"}
    back = hosts.last
    assert (back.reason, back.release.id, back.ran_well) == ("automatic rollback", "v2", False)
    again = to_resume("prod", hosts.ledger, hosts.heard)
    assert (again.reason, again.release.id, again.resumes) == ("run", "v2", failed.n)
    assert resumed(hosts).ran_well
    assert hosts.in_force() == dict.fromkeys(NAMES, "v2")


def test_going_back_is_what_is_resumed(hosts: Hosts) -> None:
    """On the hosts that did not: what went back is left alone, and so is what was not touched. No
    release's command is run."""
    failed = fails_to_go_back(hosts, sealed(hosts.ledger, release_command=MIGRATE))
    run = resumed(hosts, {"a": FakeRunner([BAD], [BAD], [UP])})
    assert (run.reason, run.answers, run.resumes) == ("automatic rollback", 1, failed.n)
    assert outcomes(run) == [("c", "kept", "v2"), ("a", "running", "v2"), ("b", "untouched", "v2")]
    assert (ran(hosts, "up"), sum(ran(hosts, "once").values())) == ({"c": 0, "a": 1, "b": 0}, 0)
    with pytest.raises(InputError, match="is whole"):
        to_resume("prod", hosts.ledger, hosts.heard)


def test_going_back_brings_each_host_to_what_it_ran(hosts: Hosts) -> None:
    """A host that ran nothing is taken down, also by the way back that is resumed."""
    hosts.standing("v1")
    hosts.engines["c"].kept = None

    def away() -> None:
        raise EngineError("no route", where="ssh://c")

    sealed(hosts.ledger, batch=3)
    hosts.runners["c"] = _Doing("down", 1, away)
    hosts.fails("a")
    with pytest.raises(RunFailed, match="going back failed too: ssh://c: no route"):
        hosts.run()
    run = resumed(hosts)
    assert outcomes(run) == [("c", "stopped", None), ("a", "kept", "v1"), ("b", "kept", "v1")]
    assert (run.outcome, run.release.id, run.ran_well) == ("running", "v1", True)


def test_a_way_back_whose_process_died_is_gone_on_with(hosts: Hosts) -> None:
    """Its journal says which hosts it had brought back."""
    hosts.standing("v1")
    sealed(hosts.ledger)
    journal = hosts.ledger.root / "runs" / "prod" / "2.journal"
    kept: list[bytes] = []
    hosts.runners["c"] = _Doing("up", 2, lambda: kept.append(journal.read_bytes()))
    hosts.fails("a")
    with pytest.raises(RolledBack):
        hosts.run()
    journal.with_suffix(".toml").unlink()
    journal.write_bytes(kept[0])
    hosts.standing("v1")
    hosts.engines["c"].kept = None
    run = resumed(hosts)
    dead = hosts.ledger.run("prod", 2).record
    assert (dead.outcome, dead.answers, outcomes(dead)[0]) == (
        "interrupted",
        1,
        ("c", "interrupted", None),
    )
    assert (run.reason, run.answers, run.resumes) == ("automatic rollback", 1, 2)
    assert outcomes(run)[:2] == [("c", "running", "v1"), ("a", "kept", "v1")]


def test_what_was_taken_down_is_not_taken_down_again(hosts: Hosts) -> None:
    """Nor is a release brought up by resuming a way back that was to take it down."""

    def away() -> None:
        raise EngineError("no route", where="ssh://c")

    hosts.runners["c"] = _Doing("down", 1, away)
    hosts.fails("a")
    with pytest.raises(RunFailed, match="no route"):
        hosts.run()
    assert outcomes(hosts.last)[:2] == [("c", "failed", None), ("a", "stopped", None)]
    run = resumed(hosts)
    assert (run.reason, run.outcome) == ("automatic stop", "stopped")
    assert ran(hosts, "down") == {"c": 1, "a": 0, "b": 0}


def test_what_is_resumed_and_is_whole_already_is_in_force(hosts: Hosts) -> None:
    """Although nothing is left to be done."""
    fails_to_go_back(hosts)
    run = resumed(hosts)
    assert (run.changed, run.ran_well) == (False, True)
    last = last_run(hosts.ledger, "prod", hosts.heard)
    assert last
    assert last.record == run


def test_a_way_back_that_cannot_begin_says_what_runs(hosts: Hosts) -> None:
    """And is what is resumed, once the release that it goes to can be read again."""
    document = Path(hosts.ledger.release_folder("prod", "v1")) / "compose.yaml"
    was = document.read_bytes()
    hosts.standing("v1")
    sealed(hosts.ledger)
    hosts.fails("a")
    document.chmod(0o644)
    document.write_text("services: {}\n")
    with pytest.raises(RunFailed, match="was changed after it was sealed") as raised:
        hosts.run()
    assert raised.value.output[1:] == ("c: v2", "a: not known what it runs", "b: v1")
    assert "inv run --env prod --resume goes on with going back" in str(raised.value.hint)
    assert outcomes(hosts.last) == [
        ("c", "untouched", "v2"),
        ("a", "failed", None),
        ("b", "untouched", "v1"),
    ]
    assert to_resume("prod", hosts.ledger, hosts.heard) == hosts.last
    document.write_bytes(was)
    assert outcomes(resumed(hosts)) == [
        ("c", "running", "v1"),
        ("a", "kept", "v1"),
        ("b", "untouched", "v1"),
    ]


def test_somebody_stops_the_way_back(hosts: Hosts) -> None:
    """It was stopped, and has not failed; of a host that was not proven nobody knows what it
    runs."""
    hosts.standing("v1")
    sealed(hosts.ledger)
    hosts.runners["c"] = _Doing("up", 2, hosts.cancel.request)
    hosts.fails("a")
    with pytest.raises(Cancelled) as raised:
        hosts.run()
    assert "--resume goes on with going back" in str(raised.value.hint)
    assert (hosts.last.reason, hosts.last.outcome) == ("automatic rollback", "cancelled")
    assert outcomes(hosts.last)[0] == ("c", "failed", None)
    assert "the fleet of prod is mixed" in hosts.heard.text


def test_somebody_stops_what_takes_down(hosts: Hosts) -> None:
    """What was taken down by then is recorded as that, and what was not, as it was."""
    last = hosts.run()
    hosts.runners["a"] = _Doing("down", 1, hosts.cancel.request)
    with pytest.raises(Cancelled):
        stop(last, hosts.fleet())
    found = {host.name: (host.outcome, host.release) for host in hosts.last.hosts}
    assert found["a"] == ("failed", None)
    assert {found["c"], found["b"]} <= {
        ("stopped", None),
        ("untouched", "v1"),
        ("failed", None),
    }
    assert all((outcome == "untouched") == bool(id) for outcome, id in found.values())


def test_what_a_first_command_started_is_taken_down(hosts: Hosts) -> None:
    sealed(hosts.ledger, release_command=MIGRATE)
    hosts.runners["c"] = FakeRunner([UP], before=(), command=(1, ("boom",)))
    with pytest.raises(RolledBack, match="the release command ended with 1"):
        hosts.run()
    assert hosts.runners["c"].dependencies
    failed = hosts.ledger.run("prod", 1).record
    assert [(host.outcome, host.changed) for host in failed.hosts] == [
        ("failed", True),
        ("untouched", False),
        ("untouched", False),
    ]
    assert ran(hosts, "down") == {"c": 1, "a": 0, "b": 0}


def test_a_command_that_fails_where_something_runs_changes_no_host(hosts: Hosts) -> None:
    hosts.standing("v1")
    sealed(hosts.ledger, release_command=MIGRATE)
    hosts.engines["c"].running = (UP,)
    hosts.runners["c"] = FakeRunner([UP], before=[UP], command=(1, ("boom",)))
    with pytest.raises(RunFailed, match="the release command ended with 1") as raised:
        hosts.run()
    assert not isinstance(raised.value, RolledBack)
    assert not hosts.last.changed
    assert outcomes(hosts.last) == [(name, "untouched", "v1") for name in NAMES]


def test_an_engine_that_goes_when_something_was_changed_is_a_failed_run(hosts: Hosts) -> None:
    """The exit code of an engine that does not answer says that nothing was."""

    def away() -> None:
        raise EngineError("connection reset", where="ssh://a")

    hosts.standing("v1")
    sealed(hosts.ledger, rollback_on_failure=False)
    hosts.runners["a"] = _Doing("up", 1, away)
    with pytest.raises(RunFailed, match="connection reset") as raised:
        hosts.run()
    assert raised.value.exit_code == 5
    assert "--resume goes on where it stopped" in str(raised.value.hint)


def test_a_run_that_was_decided_upon_is_not_resumed_once_another_took_place(hosts: Hosts) -> None:
    hosts.standing("v1")
    sealed(hosts.ledger, rollback_on_failure=False)
    hosts.fails("b", BAD)
    with pytest.raises(RunFailed):
        hosts.run()
    failed = to_resume("prod", hosts.ledger, hosts.heard)
    Hosts(hosts.ledger).run(release_id="v1", reason="rollback")
    with pytest.raises(InputError, match="run 2, the last of prod, is whole: rollback of prod/v1"):
        hosts.run(Policy(resumes=failed), release_id="v2")
    other = Hosts(hosts.ledger)
    other.fails("b", BAD)
    with pytest.raises(RunFailed):
        other.run()
    with pytest.raises(RunFailed, match="run 3 of prod took place meanwhile: v2 failed"):
        hosts.run(Policy(resumes=failed), release_id="v2")


def test_a_host_that_is_not_reached_is_recorded_as_it_was_left(hosts: Hosts) -> None:
    hosts.run()
    sealed(hosts.ledger)
    hosts.away["c"] = EngineError("no route", where="ssh://c")
    with pytest.raises(RunFailed, match="the fleet is mixed: c failed"):
        hosts.run(KEEP_GOING)
    assert outcomes(hosts.last) == [
        ("c", "untouched", "v1"),
        ("a", "running", "v2"),
        ("b", "running", "v2"),
    ]


def test_what_nobody_knows_is_not_known_because_it_was_looked_at(hosts: Hosts) -> None:
    """The engine says what was in force before it failed there."""
    mixed(hosts)
    assert hosts.in_force()["b"] == "v1"
    hosts.runners["c"] = FakeRunner([BAD], [UP], before=())
    with pytest.raises(RunFailed):
        hosts.run(reason="rollback", release_id="v1")
    assert outcomes(hosts.ledger.run("prod", 2).record) == [
        ("c", "failed", None),
        ("a", "untouched", "v2"),
        ("b", "failed", None),
    ]


def test_a_restart_leaves_what_it_did_not_come_to_as_it_was(hosts: Hosts) -> None:
    last = hosts.run()
    hosts.runners = {name: FakeRunner([UP]) for name in NAMES}
    again = restart(last, (), hosts.fleet(("a",))).record
    assert outcomes(again) == [
        ("c", "untouched", "v1"),
        ("a", "running", "v1"),
        ("b", "untouched", "v1"),
    ]


def test_going_back_keeps_the_numbers_of_what_ran_well(hosts: Hosts) -> None:
    """They are in the record, so that they are those of the next run."""
    hosts.runners = {name: FakeRunner([UP, UP], before=()) for name in NAMES}
    run = hosts.run(scale={"web": 2})
    assert run.scale == {"web": 2}
    sealed(hosts.ledger)
    hosts.runners = {
        "c": FakeRunner([BAD], [UP, UP], before=()),
        "a": FakeRunner([UP]),
        "b": FakeRunner([UP]),
    }
    with pytest.raises(RolledBack):
        hosts.run()
    assert hosts.last.scale == {"web": 2}
