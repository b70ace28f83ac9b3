# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""A fleet's run as one transaction, on engines that are none: what is done to which host, in which
order and on which thread, and what is recorded of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.envelope import decode, encode
from stagekit.errors import (
    Busy,
    Cancelled,
    EngineError,
    InputError,
    LeaseLost,
    RolledBack,
    RunFailed,
)
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run.fleet import planning
from stagekit.pipeline.run.fleet.restarting import restart
from stagekit.pipeline.run.fleet.resuming import to_resume
from stagekit.pipeline.run.fleet.stopping import stop
from stagekit.pipeline.run.fleet.transaction import Policy, Transaction
from stagekit.pipeline.run.hooks import Nobody
from stagekit.protocols import RunJournal
from stagekit.records import (
    Planned,
    ReleaseCommand,
    Stored,
)
from stagekit.testing.fakes import FakeRunner
from tests.fleets import (
    BAD,
    BOB,
    KEEP_GOING,
    NAMES,
    UP,
    Hosts,
    Opening,
    a_fleet,
    mixed,
    outcomes,
    sealed,
)


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return a_fleet(tmp_path)


def test_every_host_is_locked(hosts: Hosts) -> None:
    """The first by address before the others; they are switched in the order of the settings, and
    each lock is let go of."""
    run = hosts.run()
    assert hosts.locked[0] == "a"
    assert sorted(hosts.locked) == ["a", "b", "c"]
    assert hosts.switched() == ["c", "a", "b"]
    assert all(engine.leases[0].released for engine in hosts.engines.values())
    assert outcomes(run) == [(name, "running", "v1") for name in NAMES]
    assert hosts.in_force() == dict.fromkeys(NAMES, "v1")


def test_one_host_that_is_held_stops_the_run(hosts: Hosts) -> None:
    """The locks that were taken are free again, and nothing was done."""
    hosts.engines["b"].held_by = BOB
    with pytest.raises(Busy, match="shop-prod on b: another run holds it"):
        hosts.run()
    assert hosts.locked[-1] == "b"
    assert all(hosts.engines[name].leases[-1].released for name in ("a", "c"))
    assert (hosts.switched(), list(hosts.ledger.runs("prod"))) == ([], [])


def test_who_waits_for_a_host_holds_none_that_comes_after_it(hosts: Hosts) -> None:
    """Two that want the same hosts, and come to them by other ways, do not wait for each other."""
    hosts.engines["b"].held_by = BOB

    def let_go() -> None:
        assert hosts.engines["c"].lock_holder("shop-prod") is None
        assert hosts.engines["a"].lock_holder("shop-prod")
        hosts.engines["b"].held_by = None

    hosts.when_locked["b"] = [lambda: None, let_go]
    run = hosts.run()
    assert [name for name in hosts.locked if name != "c"] == ["a", "b", "b"]
    assert hosts.locked[-1] == "c"
    assert outcomes(run) == [(name, "running", "v1") for name in NAMES]


def test_a_host_that_answers_no_more_frees_the_others(hosts: Hosts) -> None:
    def breaks() -> None:
        raise EngineError("broken pipe", where="ssh://c")

    hosts.when_locked["c"] = [breaks]
    with pytest.raises(EngineError, match="ssh://c: broken pipe"):
        hosts.run()
    assert sorted(hosts.locked) == ["a", "b", "c"]
    assert all(hosts.engines[name].leases[-1].released for name in ("a", "b"))


def test_one_engine_under_two_names_is_refused(hosts: Hosts) -> None:
    """Told by its lock; machines that were cloned call themselves the same, and have their own."""
    hosts.engines["c"].of(hosts.engines["b"])
    with pytest.raises(InputError, match=r"b \(ssh://b\) and c \(ssh://c\) reach one and the same"):
        hosts.run()
    assert not [name for name in NAMES if hosts.engines[name].lock_holder("shop-prod")]
    assert hosts.switched() == []


def test_one_host_that_is_not_reached_stops_the_run(hosts: Hosts) -> None:
    hosts.away["b"] = EngineError("no route", where="ssh://b")
    with pytest.raises(EngineError, match="ssh://b: no route"):
        hosts.run()
    assert (hosts.locked, hosts.switched()) == ([], [])


def test_one_host_that_is_not_ready_stops_the_run(hosts: Hosts) -> None:
    """An image that cannot be had there: no host is touched, and the record says why."""
    hosts.engines["b"].images.clear()
    with pytest.raises(RunFailed, match=r"host b, .*is not on this engine"):
        hosts.run()
    assert hosts.switched() == []
    assert (hosts.last.outcome, hosts.last.changed) == ("failed", False)
    failure = hosts.last.hosts[2].failure
    assert failure
    assert failure.step == "check"


def test_hosts_that_were_switched_go_back(hosts: Hosts) -> None:
    """The one that failed as well, each to what its engine said; hosts of later batches were not
    touched."""
    hosts.standing("v1")
    sealed(hosts.ledger)
    hosts.fails("a")
    with pytest.raises(RolledBack, match="every host runs again what it ran before"):
        hosts.run()
    gone, back = hosts.ledger.run("prod", 1).record, hosts.last
    assert outcomes(gone) == [
        ("c", "running", "v2"),
        ("a", "failed", None),
        ("b", "untouched", "v1"),
    ]
    assert [item.service for item in gone.hosts[1].failed] == ["web"]
    assert (back.reason, back.answers, back.release.id) == ("automatic rollback", 1, "v1")
    assert outcomes(back) == [
        ("c", "running", "v1"),
        ("a", "running", "v1"),
        ("b", "untouched", "v1"),
    ]
    assert hosts.in_force() == dict.fromkeys(NAMES, "v1")
    assert hosts.runners["b"].calls == []


def test_what_ran_nowhere_before_is_taken_down(hosts: Hosts) -> None:
    hosts.fails("a")
    with pytest.raises(RolledBack):
        hosts.run()
    assert (hosts.last.reason, hosts.last.outcome) == ("automatic stop", "stopped")
    assert outcomes(hosts.last) == [
        ("c", "stopped", None),
        ("a", "stopped", None),
        ("b", "untouched", None),
    ]
    assert ["down" in runner.calls for runner in hosts.runners.values()] == [True, True, False]


def test_what_nobody_knows_is_not_taken_down(hosts: Hosts) -> None:
    """Something ran there that this ledger has no release of: what took its place stays."""
    hosts.engines["a"].running = (UP,)
    hosts.fails("a")
    with pytest.raises(RunFailed, match=r"going back failed too: .*does not know what ran there"):
        hosts.run()
    assert "down" not in hosts.runners["a"].calls
    assert outcomes(hosts.last)[:2] == [("c", "stopped", None), ("a", "failed", None)]


def test_a_host_that_does_not_go_back_is_never_said_to(hosts: Hosts) -> None:
    hosts.standing("v1")
    sealed(hosts.ledger)
    hosts.fails("a", BAD)
    with pytest.raises(RunFailed, match="going back failed too") as raised:
        hosts.run()
    assert not isinstance(raised.value, RolledBack)
    assert any(line.startswith("a: not known what it runs") for line in raised.value.output)
    assert (hosts.last.outcome, hosts.last.reason) == ("failed", "automatic rollback")
    assert outcomes(hosts.last)[:2] == [("c", "running", "v1"), ("a", "failed", None)]


def test_where_none_goes_back_the_fleet_is_said_to_be_mixed(hosts: Hosts) -> None:
    hosts.standing("v1")
    sealed(hosts.ledger, rollback_on_failure=False)
    hosts.fails("a")
    with pytest.raises(RunFailed) as raised:
        hosts.run()
    assert "--resume" in (raised.value.hint or "")
    assert "the fleet of prod is mixed" in hosts.heard.text
    assert outcomes(hosts.last) == [
        ("c", "running", "v2"),
        ("a", "failed", None),
        ("b", "untouched", "v1"),
    ]


def test_going_on_with_the_others(hosts: Hosts) -> None:
    """One that is not reached, and one that fails, are left behind."""
    hosts.standing("v1")
    sealed(hosts.ledger)
    hosts.away["c"] = EngineError("no route", where="ssh://c")
    hosts.fails("a")
    with pytest.raises(RunFailed, match="1 of 3 hosts run prod/v2, and the fleet is mixed: c, a"):
        hosts.run(KEEP_GOING)
    assert outcomes(hosts.last) == [
        ("c", "untouched", None),
        ("a", "failed", None),
        ("b", "running", "v2"),
    ]


def test_somebody_stops_it(hosts: Hosts) -> None:
    """Nothing goes back, nothing more is begun, and what runs where is told and recorded."""
    hosts.standing("v1")
    sealed(hosts.ledger)
    hosts.runners["a"] = _Stopping(hosts.cancel)
    with pytest.raises(Cancelled):
        hosts.run()
    assert (hosts.last.outcome, hosts.last.n) == ("cancelled", 1)
    assert outcomes(hosts.last) == [
        ("c", "running", "v2"),
        ("a", "failed", None),
        ("b", "untouched", "v1"),
    ]
    assert "the fleet of prod is mixed" in hosts.heard.text


class _Stopping(FakeRunner):
    """A runner during whose work somebody stops the run."""

    def __init__(self, cancel: Cancel) -> None:
        super().__init__([UP], before=())
        self._cancel = cancel

    def up(self, *given: Any, **more: Any) -> tuple[str, ...]:
        self._cancel.request()
        return super().up(*given, **more)


class _Losing(FakeRunner):
    """A runner during whose work the lock of host a is lost."""

    def __init__(self, hosts: Hosts) -> None:
        super().__init__([UP], before=())
        self._hosts = hosts

    def up(self, *given: Any, **more: Any) -> tuple[str, ...]:
        self._hosts.engines["a"].leases[0].lose()
        return super().up(*given, **more)


def test_a_host_whose_lock_is_lost_is_not_touched(hosts: Hosts) -> None:
    """It is not brought back either: another run has it."""
    hosts.standing("v1")
    sealed(hosts.ledger)

    hosts.runners["c"] = _Losing(hosts)
    with pytest.raises(RolledBack):
        hosts.run()
    assert outcomes(hosts.last) == [
        ("c", "running", "v1"),
        ("a", "untouched", "v1"),
        ("b", "untouched", "v1"),
    ]
    assert "up" not in hosts.runners["a"].calls


def test_a_lock_that_is_lost_during_a_step_is_no_wish_of_a_person(hosts: Hosts) -> None:
    """The others go back, as after any failure; of that host it is said that another run has it."""
    hosts.standing("v1")
    sealed(hosts.ledger)

    hosts.runners["a"] = _Losing(hosts)
    with pytest.raises(RunFailed, match="another run has taken the environment"):
        hosts.run()
    assert [hosts.ledger.run("prod", n).record.outcome for n in (1, 2)] == ["failed", "failed"]
    assert outcomes(hosts.last)[0] == ("c", "running", "v1")
    assert hosts.runners["a"].calls.count("up") == 1


def test_the_release_command_runs_on_no_host_whose_lock_is_lost(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although that of the run, the first host's, is held."""
    hosts.standing("v1")
    command = ReleaseCommand(service="web", command=("migrate",))
    sealed(hosts.ledger, release_command=command)
    run_command = Transaction._run_command

    def away(_: str) -> NoReturn:
        raise EngineError("away")

    def lost(transaction: Transaction) -> None:
        hosts.engines["a"].leases[0].lost = True
        run_command(transaction)

    monkeypatch.setattr(hosts.engines["c"], "image", away)
    monkeypatch.setattr(Transaction, "_run_command", lost)
    with pytest.raises(LeaseLost):
        hosts.run(KEEP_GOING)
    assert not any("once" in runner.calls for runner in hosts.runners.values())


def test_resuming_leaves_alone_what_is_proven(hosts: Hosts) -> None:
    """By a new look: one whose engine says so, and that runs something else, is switched again."""
    command = ReleaseCommand(service="web", command=("migrate",))
    hosts.standing("v1")
    sealed(hosts.ledger, rollback_on_failure=False, release_command=command)
    hosts.fails("b")
    with pytest.raises(RunFailed):
        hosts.run()
    assert [("once" in runner.calls) for runner in hosts.runners.values()] == [True, False, False]
    failed = to_resume("prod", hosts.ledger, hosts.heard)
    assert (failed.n, failed.release.id, failed.command_ran) == (1, "v2", True)

    hosts.runners = {
        "c": FakeRunner([UP]),
        "a": FakeRunner([BAD], [BAD], [UP]),
        "b": FakeRunner([UP]),
    }
    run = hosts.run(Policy(resumes=failed), release_id=failed.release.id)
    assert run.resumes == 1
    assert outcomes(run) == [("c", "kept", "v2"), ("a", "running", "v2"), ("b", "running", "v2")]
    assert [runner.calls.count("up") for runner in hosts.runners.values()] == [0, 1, 1]
    assert not any("once" in runner.calls for runner in hosts.runners.values())
    with pytest.raises(InputError, match="run 2, the last of prod, is whole"):
        to_resume("prod", hosts.ledger, hosts.heard)


def test_a_canary_that_does_not_hold_stops_the_others(hosts: Hosts) -> None:
    hosts.standing("v1")
    sealed(hosts.ledger, canary=1, batch=2)
    hosts.runners["c"] = FakeRunner([UP], [UP], [BAD], [BAD], [UP], before=())
    with pytest.raises(RolledBack, match="it runs no more as it was proven"):
        hosts.run()
    assert hosts.switched() == ["c", "c"]  # there, and back


def test_hooks_and_the_ledger_are_the_main_threads(hosts: Hosts, tmp_path: Path) -> None:
    """While hosts are worked on in threads of their own."""
    threads: dict[str, set[bool]] = {"ledger": set(), "plugins": set(), "engine": set()}

    def seen(who: str) -> None:
        threads[who].add(threading.current_thread() is threading.main_thread())

    class Watched(FileLedger):
        def begin_run(self, env: str, begun: Mapping[str, object], **more: Any) -> Any:
            seen("ledger")
            return _Journal(super().begin_run(env, begun, **more))

    class _Journal:
        def __init__(self, journal: RunJournal) -> None:
            self._journal = journal

        def __getattr__(self, name: str) -> Any:
            if name in ("note", "finish"):
                seen("ledger")
            return getattr(self._journal, name)

    class Plugins(Nobody):
        def tell(self, hook: str, **facts: Any) -> None:
            seen("plugins")

        def gathered(self, hook: str, **facts: Any) -> list[Any]:
            seen("plugins")
            return []

    class Runner(FakeRunner):
        def up(self, *given: Any, **more: Any) -> tuple[str, ...]:
            seen("engine")
            return super().up(*given, **more)

    hosts.ledger = Watched(tmp_path)
    hosts.plugins = Plugins()
    hosts.runners = {name: Runner([UP], before=()) for name in NAMES}
    hosts.run()
    assert threads == {"ledger": {True}, "plugins": {True}, "engine": {False}}


def test_images_of_a_bundle_are_named_once_a_host_is_reached(hosts: Hosts) -> None:
    """No engine is asked for anything before that."""
    opened = hosts.away = Opening(hosts)  # type: ignore[assignment]
    hosts.bundled = True
    hosts.run()
    assert opened.early == []


def test_some_hosts_are_stopped(hosts: Hosts) -> None:
    """The others are recorded as they are; without any left, the environment is stopped."""
    last = hosts.run()
    some = stop(last, hosts.fleet(("a",))).record
    assert (some.outcome, outcomes(some)) == (
        "running",
        [("c", "untouched", "v1"), ("a", "stopped", None), ("b", "untouched", "v1")],
    )
    rest = stop(some, hosts.fleet(("c", "b"))).record
    assert rest.outcome == "stopped"
    assert hosts.in_force() == dict.fromkeys(NAMES, None)


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_failed_is_not_whole_because_a_host_was_stopped(hosts: Hosts, name: str) -> None:
    """It is no proof of the release, and the failed run is what is resumed."""
    failed = mixed(hosts)
    stopped = stop(failed, hosts.fleet((name,))).record
    assert (stopped.outcome, stopped.release.id, stopped.ran_well) == ("running", "v2", False)
    assert to_resume("prod", hosts.ledger, hosts.heard) == failed
    hosts.runners["b"] = FakeRunner([UP], before=())
    run = hosts.run(Policy(resumes=failed), release_id="v2")
    assert run.ran_well
    assert hosts.in_force() == dict.fromkeys(NAMES, "v2")


def test_what_failed_is_not_whole_because_a_host_was_restarted(hosts: Hosts) -> None:
    """Nor is the release's command run again for a restart that failed."""
    failed = mixed(hosts)
    hosts.runners["a"] = FakeRunner([UP], before=[UP])
    again = restart(failed, (), hosts.fleet(("a",))).record
    assert (again.reason, again.outcome, again.ran_well) == ("restart", "running", False)
    assert to_resume("prod", hosts.ledger, hosts.heard) == failed


def test_taking_down_is_not_resumed_by_bringing_up(hosts: Hosts) -> None:
    last = hosts.run()

    class Away(FakeRunner):
        def down(self, *given: Any, **more: Any) -> None:
            raise EngineError("no route", where="ssh://a")

    hosts.runners["a"] = Away([UP])
    with pytest.raises(EngineError):
        stop(last, hosts.fleet())
    with pytest.raises(InputError, match="was to take it down") as raised:
        to_resume("prod", hosts.ledger, hosts.heard)
    assert "inv run.stop --env prod goes on with that" in str(raised.value.hint)


def a_plan(hosts: Hosts) -> Stored[Planned]:
    plan = planning.plan("prod", release_id=None, reason="run", fleet=hosts.fleet())
    return decode(Planned, encode(plan), where="plan.toml")


def test_a_plan_is_kept_to_on_every_host(hosts: Hosts) -> None:
    """And the run's record names it."""
    plan = a_plan(hosts)
    assert plan.record.batches == (("c",), ("a",), ("b",))
    run = hosts.run(Policy(keeps_to=plan))
    assert (run.outcome, run.plan) == ("running", plan.digest)


@pytest.mark.parametrize("what", ["a container that came", "a host that came"])
def test_a_host_that_is_not_as_it_was_planned_stops_the_run(hosts: Hosts, what: str) -> None:
    """Nothing is touched, on any."""
    plan = a_plan(hosts)
    if what == "a host that came":
        stays = tuple(host for host in plan.record.hosts if host.name != "b")
        plan = replace(plan, record=replace(plan.record, hosts=stays))
    else:
        hosts.runners["b"] = FakeRunner([UP], before=[UP])
    said = "b was no host of it" if what == "a host that came" else f"{UP.name} was not there"
    with pytest.raises(RunFailed, match=said):
        hosts.run(Policy(keeps_to=plan))
    assert hosts.switched() == []
    assert (hosts.last.outcome, hosts.last.changed) == ("failed", False)


def test_a_restart_that_fails_stops_before_the_next_batch(hosts: Hosts) -> None:
    """What was not restarted is recorded as it is; the failed restart is what is resumed."""

    class Refusing(FakeRunner):
        def restart(self, *given: Any, **more: Any) -> None:
            raise RunFailed("exited with 3", where="shop-prod-web-1")

    last = hosts.run()
    for name in NAMES:
        hosts.runners[name] = (Refusing if name == "a" else FakeRunner)([UP])
    with pytest.raises(RunFailed, match="host a"):
        restart(last, (), hosts.fleet())
    assert [(host.name, host.outcome) for host in hosts.last.hosts] == [
        ("c", "running"),
        ("a", "failed"),
        ("b", "untouched"),
    ]
    assert "restart" not in hosts.runners["b"].calls
    assert to_resume("prod", hosts.ledger, hosts.heard) == hosts.last
