# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""The tasks of run on a fleet: which hosts they ask, and what they say where one cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.cli import engines, fleet
from stagekit.cli.unlock import unlock
from stagekit.containers import LogsAsked
from stagekit.errors import Busy, EngineError, InputError
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run import services
from stagekit.pipeline.run.fleet import logs
from stagekit.pipeline.run.fleet.stopping import stop
from stagekit.records import Deploy, EngineFacts, HostRun, Release
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, Heard
from stagekit.testing.records import a_build, ran, released
from tests.fakes import platform
from tests.fleets import BOB, UP, URLS, Hosts, outcomes, sealed


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    ledger = FileLedger(tmp_path)
    sealed(ledger)
    return Hosts(ledger)


class Console:
    """Remembers what it printed."""

    def __init__(self, hosts: Hosts) -> None:
        self.emit = hosts.heard
        self.said: list[str] = []
        self.note = self.result = self.said.append

    def ask(self, _question: str) -> str:
        return "prod"


@pytest.fixture
def app(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What tasks get as their first argument, where hosts are reached that are none."""

    class Engines:
        def __init__(self, sessions: int, environ: Mapping[str, str]) -> None: ...

        def engine(self, name: str, url: str) -> FakeEngine:
            return hosts.engines[name]

        def open(self, name: str, url: str, cancel: Cancel) -> EngineFacts:
            if name in hosts.away:
                raise hosts.away[name]
            return hosts.engines[name].facts()

        def close(self) -> None: ...

    monkeypatch.setattr("stagekit.engine.hosts.Hosts", Engines)
    local = FakeEngine(images=dict(hosts.engines["c"].images), url="unix:///local")

    def on(*, wait: float = 0.0, engine: Any = None) -> Any:
        name = next((name for name, one in hosts.engines.items() if one is engine), "")
        runner = hosts.runners.get(name) or FakeRunner([UP])
        return platform(hosts.ledger, runner, engine or local, hosts.cancel, hosts.heard)

    return SimpleNamespace(
        ledger=hosts.ledger,
        console=Console(hosts),
        platform=on,
        cancel=hosts.cancel,
        engine=local,
        runner=lambda _kind: FakeRunner([UP]),
        check_environment=lambda _env: None,
        project=SimpleNamespace(name="shop"),
    )


def freed(app: Any) -> str:
    unlock.body(app, env="prod")
    return str(app.console.said[-1])


# freeing an environment


def test_a_first_run_that_hangs_is_freed(hosts: Hosts, app: Any) -> None:
    """No run says which hosts it is on: the release does."""
    for engine in hosts.engines.values():
        engine.held_by = BOB
    with pytest.raises(Busy):
        fleet.run(app, "prod", None, "run")
    assert "it was held by 'inv run' by bob" in freed(app)
    assert [engine.held_by for engine in hosts.engines.values()] == [None, None, None]


def test_hosts_that_a_newer_release_adds_are_freed(hosts: Hosts, app: Any) -> None:
    sealed(hosts.ledger, hosts=("ssh://c", "ssh://a"))
    hosts.run(fleet=hosts.fleet(("c", "a")))
    sealed(hosts.ledger)
    hosts.engines["b"].held_by = BOB
    assert "prod is free" in freed(app)
    assert hosts.engines["b"].held_by is None


def test_a_host_that_is_away_stays_no_others_freeing(hosts: Hosts, app: Any) -> None:
    """It is said, and the exit code is that of an engine that does not answer."""
    hosts.run()
    hosts.engines["a"].held_by = hosts.engines["b"].held_by = BOB
    hosts.away["c"] = EngineError("no route", where="ssh://c")
    with pytest.raises(EngineError, match="ssh://c: no route") as raised:
        freed(app)
    assert raised.value.exit_code == 6
    assert "prod is free where it was reached" in app.console.said[-1]
    assert hosts.engines["a"].held_by is hosts.engines["b"].held_by is None


def test_a_host_that_was_left_and_is_gone_is_not_asked(hosts: Hosts, app: Any) -> None:
    """The run that recorded that still names it."""
    hosts.run()
    sealed(hosts.ledger, hosts=("ssh://c", "ssh://a"))
    hosts.run(fleet=hosts.fleet(("c", "a")))
    hosts.away["b"] = EngineError("no route", where="ssh://b")
    fleet.stop(app, "prod", host="b", gone=True)
    assert freed(app) == "nobody holds prod"


def test_a_host_at_another_address_is_another_engine(hosts: Hosts, app: Any) -> None:
    """Although it is called the same: it moved with the newest release."""
    hosts.run()
    sealed(hosts.ledger, hosts={"c": "ssh://c", "a": "ssh://a", "b": "ssh://new"})
    hosts.engines["b"].held_by = BOB
    hosts.engines["ssh://new"] = copy(hosts.engines["b"])
    freed(app)
    assert hosts.engines["b"].held_by is hosts.engines["ssh://new"].held_by is None


def test_where_nobody_holds_it_nobody_is_asked(hosts: Hosts, app: Any) -> None:
    hosts.run()
    app.console.ask = None
    assert freed(app) == "nobody holds prod"


def test_one_engine_is_freed_where_the_environment_is_on_that(hosts: Hosts, app: Any) -> None:
    sealed(hosts.ledger, hosts=())
    app.engine.held_by = BOB
    freed(app)
    assert app.engine.held_by is None


def test_where_no_engine_answers_nobody_knows_who_holds_it(
    hosts: Hosts, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one that there is: its error is all there is to say."""

    def away(_project: str) -> None:
        raise EngineError("does not answer", where="context x")

    sealed(hosts.ledger, hosts=())
    fleet.run(app, "prod", None, "run")
    hosts.heard.events.clear()
    monkeypatch.setattr(app.engine, "lock_holder", away)
    with pytest.raises(EngineError) as raised:
        freed(app)
    assert str(raised.value) == "context x: does not answer"
    assert app.console.said == []
    assert hosts.heard.text == ""


# what is run


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_release_that_there_is_not_is_said_to_be_that(
    hosts: Hosts, app: Any, keep_going: bool
) -> None:
    """Nothing is said of one engine, and nobody is told to take the hosts down."""
    hosts.run()
    with pytest.raises(InputError, match="no release prod/v99") as raised:
        fleet.run(app, "prod", "v99", "run", keep_going=keep_going)
    assert raised.value.hint == "there are: v1"


def test_one_engine_does_not_take_over_from_hosts(hosts: Hosts, app: Any) -> None:
    """Those that left the fleet count as well."""
    hosts.run()
    sealed(hosts.ledger, hosts=("ssh://c", "ssh://a"))
    hosts.run(fleet=hosts.fleet(("c", "a")))
    sealed(hosts.ledger, hosts=())
    with pytest.raises(InputError, match=r"prod runs on hosts \(c, a, b\)"):
        fleet.run(app, "prod", None, "run")
    with pytest.raises(InputError, match=r"prod runs on hosts \(c, a, b\)"):
        fleet.plan(app, "prod", None, "run")
    fleet.stop(app, "prod")
    assert fleet.run(app, "prod", None, "run").record.hosts == ()


# what is stopped


def test_the_command_that_a_run_names_takes_a_host_down(hosts: Hosts, app: Any) -> None:
    """After the run that warned of it; by its address as well, and twice is as good as once."""
    fleet.run(app, "prod", None, "run")
    sealed(hosts.ledger, hosts=("ssh://c", "ssh://a"))
    fleet.run(app, "prod", None, "run")
    assert "inv run.stop --env prod --host b takes it down" in hosts.heard.text
    first = fleet.stop(app, "prod", host="b")
    assert [(host.name, host.outcome) for host in first.record.left] == [("b", "stopped")]
    hosts.runners["b"] = FakeRunner([])
    assert fleet.stop(app, "prod", host="ssh://b").record.n == first.record.n
    with pytest.raises(InputError, match="prod has no host 'd'"):
        fleet.stop(app, "prod", host="d")


def test_a_host_that_is_gone_is_not_asked(hosts: Hosts, app: Any) -> None:
    hosts.run()
    hosts.away["b"] = EngineError("no route", where="ssh://b")
    with pytest.raises(EngineError) as raised:
        fleet.stop(app, "prod")
    assert "inv run.stop --env prod --host NAME --gone" in str(raised.value.hint)
    run = fleet.stop(app, "prod", host="b", gone=True).record
    assert outcomes(run)[2] == ("b", "stopped", None)
    with pytest.raises(InputError, match="which host is gone"):
        fleet.stop(app, "prod", gone=True)
    assert fleet.stop(app, "prod").record.outcome == "stopped"
    assert "b, where nothing was left, is passed over: ssh://b: no route" in hosts.heard.text
    with pytest.raises(EngineError, match="no route"):
        fleet.stop(app, "prod", host="b")


def test_a_fleet_is_stopped_whatever_became_of_its_release(hosts: Hosts, app: Any) -> None:
    """What runs is known by its project's name; the release only says how much is asked at once."""
    hosts.run()
    (hosts.ledger.release_folder("prod", "v1") / "release.toml").write_text("schema = 1\n")
    assert freed(app) == "nobody holds prod"
    assert fleet.stop(app, "prod").record.outcome == "stopped"


# what is done in what runs


def test_a_command_runs_on_a_host_that_runs_the_release(hosts: Hosts, app: Any) -> None:
    """Not on the first that has the service, where that was stopped; where none runs it, there."""
    last = hosts.run()
    stop(last, hosts.fleet(("c",)))
    with engines.platform_for(app, "prod", "web", "") as on:
        assert on.engine.url == "ssh://a"


@pytest.mark.parametrize("which", ["of all hosts", "of one"])
def test_secrets_of_the_release_before_are_masked(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, which: str
) -> None:
    """A host that failed may still run it, with the values that it has."""
    for _ in range(2):
        released(hosts.ledger, secrets=("KEY",), deploy=Deploy(hosts=URLS))
    told = [
        HostRun(name="c", url="ssh://c", outcome="running", release="v3", before="v1"),
        HostRun(name="b", url="ssh://b", outcome="failed", before="v2"),
    ]
    ran(hosts.ledger, "v3", outcome="failed", changed=True, hosts=tuple(told))

    def its_own(release: Release, *_: object) -> dict[str, str]:
        return {"KEY": f"key-of-{release.id}"}

    monkeypatch.setattr(services, "values", its_own)
    masks = []
    if which == "of one":
        masks.append(services.logs("prod", LogsAsked(), hosts.fleet().base, tmp_path).mask)
    else:
        monkeypatch.setattr(logs, "lines", lambda *_, **given: masks.append(given["mask"]) or ())
        logs.logs("prod", LogsAsked(), hosts.fleet(), tmp_path, hosts.heard)
    assert masks
    assert all(mask == ("key-of-v2", "key-of-v3") for mask in masks)


def test_a_damaged_build_costs_status_the_commit_alone(hosts: Hosts, app: Any) -> None:
    """Each host is looked at all the same."""
    hosts.run()
    hosts.ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    record = hosts.ledger.root / "builds/b1.toml"
    record.chmod(0o644)
    record.write_text(record.read_text() + "# cut\n")
    heard = Heard()
    report = fleet.status(app, "prod", heard)
    assert report is not None
    assert (report.commit, [host.release for host in report.hosts]) == (None, ["v1"] * 3)
    assert "the commit that prod/v1 is of is not known: " in heard.text
