"""What a fleet is, and what is done to which of its hosts: decided without any."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.engine.hosts import Hosts as Engines
from stagekit.errors import Busy, Cancelled, EngineError, InputError, RunFailed
from stagekit.inputs.fleet import Host, check_roles, hosts_of, services_on, size_of
from stagekit.inputs.merge import Layer, merge
from stagekit.inputs.settings import read_settings
from stagekit.pipeline.run.fleet.decide import (
    Stage,
    State,
    batches,
    is_mixed,
    may_go_on,
    other_release,
    run_by_most,
    runs_on,
    to_bring_back,
)
from stagekit.pipeline.run.fleet.hosts import failure_of
from stagekit.pipeline.run.fleet.member import part_for, scale_for
from stagekit.pipeline.verify import Verified
from stagekit.records import Deploy, HostOutcome, HostRun, HttpCheck, Link, Standing
from stagekit.testing.records import NOON, PIN, a_release, sha, stored_release

A, B = "ssh://deploy@a", "ssh://deploy@b"


def deploy(**settings: object) -> Deploy:
    """Read settings as an environment's file has them."""
    return read_settings(merge([Layer("environments/prod/config.toml", settings)]))[0]


# settings


def test_hosts_are_called_by_their_addresses() -> None:
    """Without whom to log in as, and with a port where there is one."""
    urls = [A, "ssh://b:2222", "tcp://10.0.0.1:2376", "unix:///run/c.sock", "context://d"]
    found = hosts_of(deploy(hosts=urls))
    assert [host.name for host in found] == ["a", "b:2222", "10.0.0.1:2376", "/run/c.sock", "d"]
    assert [host.url for host in found] == urls
    assert [host.address for host in found] == ["a", "b", "10.0.0.1", "localhost", "localhost"]


def test_hosts_are_called_as_their_settings_say() -> None:
    found = hosts_of(deploy(hosts={"east": A, "west": B}))
    assert found == (Host(name="east", url=A), Host(name="west", url=B))
    assert hosts_of(deploy()) == ()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"hosts": ["ftp://a"]}, "is reached in no way that is known"),
        ({"hosts": ["a"]}, "is reached in no way that is known"),
        ({"hosts": ["ssh://"]}, "names no host"),
        ({"hosts": ["ssh://-oProxyCommand=x"]}, "names no host"),
        ({"hosts": ["ssh://me@-oProxyCommand=x"]}, "names no host"),
        ({"hosts": ["ssh://me:geheim@a"]}, "has a password in it"),
        ({"hosts": ["unix://run"]}, "names no socket"),
        ({"hosts": [A, "ssh://other@a"]}, "two hosts are called a"),
        ({"hosts": {"no name": A}}, "has a name that is none"),
        ({"hosts": [A], "batch": 0}, "batch is 0"),
        ({"hosts": [A], "batch": "0%"}, "batch is '0%'"),
        ({"hosts": [A], "batch": "101%"}, "batch is '101%'"),
        ({"hosts": [A], "batch": "half"}, "batch is 'half'"),
        ({"hosts": [A], "canary": -1}, "canary must be at least 0"),
        ({"hosts": [A], "canary_pause": -1}, "canary_pause must be"),
        ({"hosts": [A], "ssh_sessions": 5}, "ssh_sessions must be"),
        ({"hosts": [A], "roles": {"web": ["b"]}}, "web is to run on 'b', which is no host"),
        ({"hosts": [A], "roles": {"web": []}}, "web is to run on no host"),
        ({"roles": {"web": ["a"]}}, "there are no hosts"),
        ({"canary": 1}, "there are no hosts"),
        ({"hosts": [A], "engine": "other"}, "a fleet is run by Compose"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, object], says: str) -> None:
    """It says what, and where; a password is not repeated."""
    with pytest.raises(InputError) as raised:
        deploy(**settings)
    assert says in str(raised.value)
    assert "environments/prod/config.toml" in str(raised.value)
    assert "geheim" not in str(raised.value)


def test_services_run_on_the_hosts_of_their_role() -> None:
    """Named by name or by address; one without a role runs on all."""
    settings = deploy(hosts=[A, B], roles={"web": ["a"], "db": [B]})
    services = ("web", "worker", "db")
    found = {host.name: services_on(host, services, settings) for host in hosts_of(settings)}
    assert found == {"a": ("web", "worker"), "b": ("worker", "db")}


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ({"network_mode": "service:db"}, "web lives in the containers of db"),
        ({"volumes_from": ["db:ro"]}, "web lives in the containers of db"),
    ],
)
def test_services_that_share_a_container_run_on_the_same_hosts(
    service: dict[str, object], says: str
) -> None:
    document = {"services": {"web": service, "db": {}}}
    check_roles(deploy(hosts=[A, B]), document, "here")
    check_roles(deploy(hosts=[A, B], roles={"web": ["a"], "db": ["a"]}), document, "here")
    with pytest.raises(InputError, match=says):
        check_roles(deploy(hosts=[A, B], roles={"db": ["b"]}), document, "here")


def test_a_role_is_of_a_service_that_there_is() -> None:
    with pytest.raises(InputError, match="there is no service 'wbe'"):
        check_roles(deploy(hosts=[A], roles={"wbe": ["a"]}), {"services": {"web": {}}}, "here")


def test_a_host_gets_its_part_of_a_release() -> None:
    """Its services' images and checks; the document's bytes and the release's name stay. Of what
    runs elsewhere there are no containers, whatever number was asked for."""
    settings = replace(
        deploy(hosts=[A, B], roles={"db": ["b"]}),
        checks=(
            HttpCheck(url="http://{host}:8000/"),
            HttpCheck(url="http://web:8000/", asked_from="web"),
            HttpCheck(url="http://db:8000/", asked_from="db"),
        ),
    )
    stored = stored_release(a_release(deploy=settings, pins={"web": PIN, "db": PIN}))
    document = {"services": {"web": {}, "db": {}}}
    whole = Verified(release=stored, text=b"sealed", document=document)
    part = part_for(whole, Host(name="a", url=A))
    assert (part.text, part.release.digest) == (b"sealed", stored.digest)
    assert list(part.document["services"]) == list(part.release.record.pins) == ["web"]
    checks = [check.url for check in part.release.record.deploy.checks]
    assert checks == ["http://a:8000/", "http://web:8000/"]
    assert scale_for({"web": 3, "db": 2}, whole, part) == {"web": 3, "db": 0}
    assert part_for(whole, Host(name="b", url=B)).document == document


# how a host is reached


def context(config: Path, name: str, host: str) -> None:
    """Keep a docker context as the docker command does."""
    folder = config / "contexts/meta" / sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))


def test_hosts_are_reached_as_their_addresses_say(tmp_path: Path) -> None:
    """A context as docker keeps it; one that is not there is that of a host that is not reached.
    ssh, also a context's, through a socket of our own."""
    context(tmp_path, "there", "ssh://me@there")
    context(tmp_path, "plain", "tcp://plain:2375")
    engines = Engines(8, {"DOCKER_CONFIG": str(tmp_path)})
    try:
        here = engines.engine("here", "unix:///run/here.sock")
        assert (here.local, here.environment()["DOCKER_HOST"]) == (True, "unix:///run/here.sock")
        plain = engines.engine("plain", "context://plain")
        assert (plain.url, plain.environment()["DOCKER_CONTEXT"]) == ("tcp://plain:2375", "plain")
        tunnels = []
        for name, url in (("a", A), ("there", "context://there")):
            engine = engines.engine(name, url)
            assert engines.engine(name, url) is engine
            assert not engine.local
            tunnel = engine.endpoint.tunnel
            assert tunnel
            assert engine.environment()["DOCKER_HOST"] == f"unix://{tunnel}"
            assert "DOCKER_CONTEXT" not in engine.environment()
            assert len(f"{tunnel.with_suffix('.ctl')}.1234567890123456") < 108
            tunnels.append(tunnel)
        assert len(set(tunnels)) == 2
        assert engines.engine("there", "context://there").url == "ssh://me@there"
        assert engines.engine("gone", "context://gone").url == "context://gone"
        with pytest.raises(EngineError, match="the docker context 'gone' names no engine"):
            engines.open("gone", "context://gone", Cancel())
    finally:
        engines.close()
    assert not tunnels[0].parent.exists()


def test_certificates_can_be_a_hosts_own(tmp_path: Path) -> None:
    """In a folder of its name; the others have those of all."""
    (tmp_path / "a").mkdir()
    engines = Engines(8, {"DOCKER_CERT_PATH": str(tmp_path), "DOCKER_TLS_VERIFY": "1"})
    found = [engines.engine(name, f"tcp://{name}:2376").endpoint for name in ("a", "b")]
    assert [endpoint.certificates for endpoint in found] == [tmp_path / "a", tmp_path]
    assert all(endpoint.verify for endpoint in found)


def test_ssh_that_is_not_let_in_says_what_to_do(tmp_path: Path) -> None:
    """In its own words, by what they mean."""
    ssh = tmp_path / "ssh"
    for said, hint in (
        ("me@a: Permission denied (publickey).", "authorized_keys"),
        ("Host key verification failed.", "compare the key"),
        ("connect to host a port 22: No route to host", "try ssh -l deploy a"),
    ):
        ssh.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
        ssh.chmod(0o755)
        engines = Engines(8, {"STAGEKIT_SSH": f"{ssh} -v"})
        with pytest.raises(EngineError) as raised:
            engines.open("a", A, Cancel())
        engines.close()
        assert said in str(raised.value)
        assert hint in (raised.value.hint or "")


# batches


@pytest.mark.parametrize(
    ("batch", "total", "size"),
    [(1, 3, 1), (5, 3, 5), ("25%", 8, 2), ("25%", 9, 3), ("1%", 3, 1), ("100%", 3, 3)],
)
def test_a_share_is_rounded_up(batch: int | str, total: int, size: int) -> None:
    assert size_of(batch, total) == size


NAMES = st.lists(st.text("abcdef", min_size=1), unique=True, max_size=12)
BATCH = st.one_of(st.integers(1, 15), st.integers(1, 100).map(lambda n: f"{n}%"))


@given(NAMES, BATCH, st.integers(0, 15))
def test_each_host_is_switched_once(names: list[str], batch: int | str, canary: int) -> None:
    """In the order of the settings, the canaries first, no batch empty or larger than it may be."""
    found = batches(names, batch, canary)
    assert [name for part in found for name in part] == names
    assert all(found)
    if canary and names:
        assert len(found[0]) == min(canary, len(names))
        found = found[1:]
    assert all(len(part) <= size_of(batch, len(names)) for part in found)
    assert all(len(part) == size_of(batch, len(names)) for part in found[:-1])


# what is brought back, and what it comes to

STAGES: tuple[Stage, ...] = get_args(Stage)


@pytest.mark.parametrize(
    ("stages", "changed"),
    list(product(product(STAGES, repeat=2), product((False, True), repeat=2))),
)
def test_what_was_changed_goes_back(
    stages: tuple[Stage, Stage], changed: tuple[bool, bool]
) -> None:
    """All of it, whether it came up or not, but for what had the release already; and after a
    failure the next batch follows only where that was asked for."""
    states = [
        State(name=name, stage=stage, changed=was)
        for name, stage, was in zip("ab", stages, changed, strict=True)
    ]
    back = to_bring_back(states)
    for state in states:
        assert (state.name in back) == (state.changed and state.stage != "kept")
    assert may_go_on(states, keep_going=True)
    assert may_go_on(states, keep_going=False) == ("failed" not in stages)


@pytest.mark.parametrize(
    ("before", "release"),
    [
        ([], None),
        ([None, None], None),
        (["v1", "v1", None], "v1"),
        (["v2", "v1", "v1"], "v1"),
        (["v2", "v1"], "v2"),
    ],
)
def test_a_run_back_is_called_by_what_most_hosts_ran(
    before: list[str | None], release: str | None
) -> None:
    assert run_by_most(before) == release


OUTCOMES: tuple[HostOutcome, ...] = get_args(HostOutcome)


@pytest.mark.parametrize(
    ("one", "other"), list(product(product(OUTCOMES, (None, "v1", "v2")), repeat=2))
)
def test_a_fleet_is_mixed_unless_all_are_known_to_run_the_same(
    one: tuple[HostOutcome, str | None], other: tuple[HostOutcome, str | None]
) -> None:
    hosts = [
        HostRun(name=name, url=A, outcome=outcome, release=release)
        for name, (outcome, release) in zip("ab", (one, other), strict=True)
    ]
    known = all(host.outcome not in ("failed", "interrupted") for host in hosts)
    assert is_mixed(hosts) == (not known or one[1] != other[1])
    for host in hosts:
        unknown = host.outcome in ("failed", "interrupted")
        assert runs_on(hosts)[host.name] == ("unknown" if unknown else host.release or "nothing")


LAST = Link(id="v2", digest=sha("v2"))


@pytest.mark.parametrize(
    ("outcome", "digest", "before", "other"),
    [
        ("running", "v2", None, None),
        ("running", "v2", "v1", "v1"),
        ("running", "v3", None, "v3"),
        ("stopped", "v3", None, None),
        (None, "", "v2", None),
        (None, "", "v1", "v1"),
        (None, "", None, None),
    ],
)
def test_a_host_runs_another_release(
    outcome: Literal["running", "stopped"] | None,
    digest: str,
    before: str | None,
    other: str | None,
) -> None:
    """By what its engine says, else by what the ledger knows of it."""
    standing = outcome and Standing(
        project="shop",
        env="prod",
        run=1,
        outcome=outcome,
        reason="run",
        release=digest,
        release_digest=sha(digest),
        build="b1",
        actor="ann",
        when=NOON,
    )
    assert other_release(standing or None, before, LAST) == other


# errors


def test_one_host_that_failed_is_named() -> None:
    error = failure_of({"c": RunFailed("no disk", where="image x")}, 3, "run it")
    assert str(error) == "host c, image x: no disk"
    error = failure_of({"c": EngineError("gone", where="ssh://c")}, 3, "be reached")
    assert str(error) == "ssh://c: gone"


def test_several_hosts_that_failed_are_told_in_one_error() -> None:
    """It is the engines' where all were, and says of each what it was."""
    gone = {"b": EngineError("gone", hint="start it"), "c": EngineError("gone, too")}
    error = failure_of(gone, 3, "be reached")
    assert isinstance(error, EngineError)
    assert str(error) == "2 of 3 hosts cannot be reached: b, c"
    assert (error.output, error.hint) == (("b: gone", "c: gone, too"), "start it")
    mixed = failure_of({**gone, "d": RunFailed("no disk", output=("line",))}, 3, "be made ready")
    assert isinstance(mixed, RunFailed)
    assert mixed.output[-2:] == ("d: no disk", "  line")
    stopped = failure_of({"b": Cancelled("stopped"), "c": Cancelled("stopped")}, 3, "run it")
    assert isinstance(stopped, Cancelled)
    assert not isinstance(stopped, Busy)
