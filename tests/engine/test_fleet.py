"""Releases on several hosts, reached over ssh, as one. On real engines behind real sshds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from stagekit import stages
from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.hosts import Hosts as Engines
from stagekit.errors import LeaseLost, RunFailed
from stagekit.events import ignore
from stagekit.ledger.files import FileLedger
from stagekit.records import Holder, Run
from stagekit.testing.project import Outcome
from tests.certificates import make_certificates
from tests.conftest import Machine
from tests.engine.relay import relay
from tests.hosts import EngineHost, engine_hosts
from tests.repository import Repository

pytestmark = pytest.mark.engine

NAMES = ("a", "b", "c")
Hosts = dict[str, EngineHost]


@pytest.fixture(scope="module")
def hosts(machine: Machine) -> Iterator[Hosts]:
    """Three hosts, which reach the session's registry."""
    with engine_hosts(NAMES, int(machine.registry.rpartition(":")[2])) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def fleet(machine: Machine, hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose prod is these hosts; it is built."""
    environ = {
        **machine.environ,
        "STAGEKIT_REGISTRY": machine.registry,
        "STAGEKIT_SSH": f"ssh -F {hosts['a'].folder.parent}/ssh_config",
    }
    fleet = Repository.create(tmp_path_factory.mktemp("fleet") / "repository", environ)
    settings(fleet)
    fleet.inv("build")
    return fleet


@pytest.fixture
def running(fleet: Repository, hosts: Hosts) -> Repository:
    """The same, with one release running on all of the hosts, whatever was done to them before."""
    for host in hosts.values():
        host.mend()
    if len(set(greetings(hosts, fleet))) > 1 or greetings(hosts, fleet) == [None] * 3:
        settings(fleet)
        release(fleet, "whole")
        run(fleet)
    return fleet


def settings(fleet: Repository, *tables: str, **values: object) -> None:
    """Write how prod runs."""
    urls = ", ".join(f'"ssh://root@{name}"' for name in NAMES)
    lines = [f"hosts = [{urls}]", "timeout = 20", *(f"{k} = {v}" for k, v in values.items())]
    text = "\n".join(["[stagekit]", *lines, *tables, "", "[vars]", 'GREETING = "hello"', ""])
    fleet.write("environments/prod/config.toml", text)


def hooks(**moments: str) -> str:
    """Return hooks that run a line of shell each."""
    lines = (f"{moment} = {json.dumps(['sh', '-c', line])}" for moment, line in moments.items())
    return "\n".join(["[stagekit.hooks]", *lines])


def on(host: str, command: str) -> str:
    """Return what a hook does when it is one host's turn."""
    return f'[ "$STAGEKIT_HOST" != {host} ] || {{ {command}; }}'


def release(fleet: Repository, greeting: str) -> str:
    sealed = fleet.inv("release", "--env", "prod", "--set", f"GREETING={greeting}", "--json").json
    return str(sealed["id"])


def run(fleet: Repository, *words: str, code: int = 0) -> Outcome:
    outcome = fleet.attempt("run", "--env", "prod", *words)
    assert outcome.code == code, outcome.text
    return outcome


def greetings(hosts: Hosts, fleet: Repository) -> list[str | None]:
    """Return what the container on each host was told."""
    return [host.greetings(f"{fleet.name}-prod").get("web") for host in hosts.values()]


def recorded(fleet: Repository, back: int = 0) -> Run:
    """Return the record of the last run, or of one before it."""
    ledger = FileLedger(fleet.root / "artifacts")
    return ledger.run("prod", ledger.runs("prod")[back]).record


def outcomes(run: Run) -> list[tuple[str, str | None]]:
    """Return how a run ended on each host, and what runs there after it."""
    assert [host.name for host in run.hosts] == list(NAMES)
    return [(host.outcome, host.release) for host in run.hosts]


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def status(fleet: Repository) -> tuple[int, Any]:
    shown = fleet.attempt("run.status", "--env", "prod", "--exit-code", "--json")
    return shown.code, shown.json[0]


def test_one_connection_is_shared_and_made_anew(hosts: Hosts) -> None:
    """By everything that speaks to the engine, few at a time; it leaves nothing behind."""
    host, cancel = hosts["a"], Cancel()
    environ = {**os.environ, "STAGEKIT_SSH": f"ssh -F {host.folder.parent}/ssh_config"}
    before, engines = host.logins, Engines(6, environ)
    engines.open("a", host.url, cancel)
    engine = engines.engine("a", host.url)
    tunnel = engine.endpoint.tunnel
    assert tunnel
    assert tunnel.parent.stat().st_mode & 0o777 == 0o700
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(engine.image, ["none"] * 24)) == [None] * 24
    subprocess.run(["docker", "ps"], env=engine.environment(), check=True, capture_output=True)
    assert (host.logins - before, engine.url, engine.local) == (1, host.url, False)

    host.cut_off()
    host.let_in()
    wait_until(lambda: not tunnel.with_suffix(".ctl").exists())
    assert engine.facts().url == host.url
    assert host.logins - before == 2
    engines.close()
    assert not tunnel.parent.exists()
    found = ["pgrep", "--full", str(tunnel.parent)]
    wait_until(lambda: subprocess.run(found, check=False, capture_output=True).returncode == 1)


def test_a_host_that_dies_before_its_switch(running: Repository, hosts: Hosts) -> None:
    """Those before it go back to what they ran; it was not touched."""
    before, was = greetings(hosts, running), recorded(running).release.id
    settings(running, hooks(after_prove=on("b", hosts["c"].cut_command)))
    new = release(running, "before")
    failed = run(running, code=8)
    assert "every host runs again what it ran before" in failed.stderr
    assert greetings(hosts, running) == before
    gone, back = recorded(running, 1), recorded(running)
    assert (gone.outcome, outcomes(gone)) == (
        "failed",
        [("running", new), ("running", new), ("untouched", was)],
    )
    assert (back.reason, back.answers, back.release.id) == ("automatic rollback", gone.n, was)
    assert outcomes(back) == [("running", was), ("running", was), ("untouched", was)]


def test_a_host_that_dies_during_its_switch(running: Repository, hosts: Hosts) -> None:
    """The others go back, and nobody says that it did; once it lives, --resume brings it there."""
    before, was = greetings(hosts, running), recorded(running).release.id
    settings(running, hooks(after_up=on("c", f"kill {hosts['c'].pid}; sleep 1")))
    new = release(running, "during")
    failed = run(running, code=5)
    assert "c: not known what it runs" in failed.stderr
    assert "--resume" in failed.stderr
    assert [hosts[name].greetings(f"{running.name}-prod")["web"] for name in "ab"] == before[:2]
    gone, back = recorded(running, 1), recorded(running)
    assert outcomes(gone) == [("running", new), ("running", new), ("failed", None)]
    assert (back.outcome, back.reason) == ("failed", "automatic rollback")
    assert outcomes(back) == [("running", was), ("running", was), ("failed", None)]
    code, seen = status(running)
    assert (code, seen["mixed"]) == (1, True)
    assert seen["hosts"][2]["trouble"]

    hosts["c"].mend()
    run(running, "--resume")
    resumed = recorded(running)
    assert (resumed.resumes, resumed.reason) == (back.n, "automatic rollback")
    assert outcomes(resumed) == [("kept", was), ("kept", was), ("running", was)]
    assert greetings(hosts, running) == before
    assert "is whole" in run(running, "--resume", code=2).stderr


def test_a_host_that_dies_after_its_switch(running: Repository, hosts: Hosts) -> None:
    """That is seen before the run is said to be well; the others go back."""
    before, was = greetings(hosts, running), recorded(running).release.id
    settings(running, hooks(after_prove=on("b", hosts["a"].cut_command)))
    new = release(running, "after")
    failed = run(running, code=5)
    assert "a: not known what it runs" in failed.stderr
    assert outcomes(recorded(running, 1)) == [("failed", None), *[("running", new)] * 2]
    assert outcomes(recorded(running)) == [("failed", None), *[("running", was)] * 2]
    assert greetings(hosts, running) == ["after", *before[1:]]
    hosts["a"].mend()
    run(running, "--resume")
    assert greetings(hosts, running) == before


def test_going_on_with_the_other_hosts(running: Repository, hosts: Hosts) -> None:
    """--keep-going: none goes back, the run has failed, and the fleet is said to be mixed;
    --resume does only what is left, and brings up again what was stopped since."""
    before, was = greetings(hosts, running), recorded(running).release.id
    settings(running, batch=3)
    new = release(running, "others")
    hosts["b"].cut_off()
    failed = run(running, "--keep-going", code=5)
    assert "the fleet is mixed: b failed" in failed.stderr
    assert greetings(hosts, running) == ["others", before[1], "others"]
    assert outcomes(recorded(running)) == [("running", new), ("untouched", was), ("running", new)]
    hosts["b"].mend()
    code, seen = status(running)
    assert (code, seen["mixed"]) == (1, True)
    assert [host["release"] for host in seen["hosts"]] == [new, was, new]
    assert "mixed" in [drift["kind"] for drift in seen["hosts"][1]["drift"]]
    running.inv("run.stop", "--env", "prod", "--host", "c")
    assert not recorded(running).ran_well
    run(running, "--resume")
    assert outcomes(recorded(running)) == [("kept", new), ("running", new), ("running", new)]

    running.inv("run.rollback", "--env", "prod", "--to", was)
    assert outcomes(recorded(running)) == [("running", was)] * 3
    assert greetings(hosts, running) == before


def test_a_run_that_was_killed_is_resumed(running: Repository, hosts: Hosts) -> None:
    """The journal says how far each host had come: what was proven is left alone."""
    before, was = greetings(hosts, running), recorded(running).release.id
    running.write("armed", "")
    settings(running, hooks(before_up=on("b", "! rm armed || kill -9 $PPID")))
    new = release(running, "killed")
    run(running, code=-9)
    assert greetings(hosts, running) == ["killed", *before[1:]]
    resumed = run(running, "--resume")
    assert "was interrupted" in resumed.stderr
    dead = recorded(running, 1)
    assert (dead.outcome, outcomes(dead)) == (
        "interrupted",
        [("running", new), ("untouched", was), ("untouched", was)],
    )
    assert outcomes(recorded(running)) == [("kept", new), ("running", new), ("running", new)]
    assert greetings(hosts, running) == ["killed"] * 3


def test_nothing_is_changed_where_one_host_is_not_ready(running: Repository, hosts: Hosts) -> None:
    """A key that is refused, a lock that another run holds, a disk that is full: each is said, with
    its host, and no host is touched."""
    before = greetings(hosts, running)
    running.write("app/more", os.urandom(4 * 2**20).hex())
    running.write("app/Dockerfile", running.read("app/Dockerfile") + "COPY more /more\n")
    running.inv("build")
    settings(running)
    release(running, "not ready")

    keys = hosts["c"].keys.read_text()
    hosts["c"].keys.write_text("")
    refused = run(running, code=6)
    hosts["c"].keys.write_text(keys)
    assert "ssh://root@c: ssh does not get in" in refused.stderr
    assert "Permission denied" in refused.stderr
    assert "authorized_keys" in refused.stderr

    engine = DockerEngine(Endpoint(f"unix://{hosts['b'].socket}", "the test"), dict(os.environ))
    somebody = Holder(actor="ann", host="there", pid=1, command="inv", since=datetime.now(UTC))
    lease = engine.lease(
        f"{running.name}-prod", somebody, seconds=60, wait=0, emit=ignore, cancel=Cancel()
    )
    busy = run(running, code=9)
    assert f"{running.name}-prod on b: another run holds it" in busy.stderr
    running.inv("run.unlock", "--env", "prod", "--confirm", "prod")
    with pytest.raises(LeaseLost):
        lease.check()

    with (hosts["c"].data / "filling").open("wb") as filling:
        free = os.statvfs(hosts["c"].data)
        os.posix_fallocate(filling.fileno(), 0, free.f_bavail * free.f_frsize - 2**20)
    full = run(running, code=5)
    (hosts["c"].data / "filling").unlink()
    assert "no space left on device" in full.text
    assert "host c" in full.stderr
    assert recorded(running).changed is False
    assert greetings(hosts, running) == before
    run(running)  # no lock was left behind
    assert greetings(hosts, running) == ["not ready"] * 3


def test_hosts_that_are_named_are_there(running: Repository) -> None:
    elsewhere = running.attempt("run.logs", "--env", "prod", "--host", "d")
    assert (elsewhere.code, "there are: a, b, c" in elsewhere.stderr) == (2, True)


def test_a_plan_of_every_host_is_done_or_refused(
    running: Repository, hosts: Hosts, tmp_path: Path
) -> None:
    """Host by host, in batches; nothing is changed by it, and nothing where one host is another
    than it was."""
    settings(running, batch=2)
    was, planned = recorded(running), release(running, "planned")
    file = tmp_path / "plan.toml"
    shown = run(running, "--plan", "--plan-out", str(file))
    assert "batch 1  a, b\n  batch 2  c" in shown.stdout
    assert "a, b, c" in shown.stdout  # on which the same would be done
    plan = run(running, "--plan", "--json").json
    assert plan["batches"] == [["a", "b"], ["c"]]
    for host in plan["hosts"]:
        [action] = [it for it in host["actions"] if it["what"] == "service"]
        assert (action["name"], action["kind"]) == ("web", "recreate")
        assert any("GREETING" in reason for reason in action["reasons"])
    assert recorded(running).n == was.n

    with hosts["b"].client() as client:
        client.containers.list(ignore_removed=True)[0].remove(force=True)
    refused = run(running, "--plan-file", str(file), code=5)
    assert "on b" in refused.stderr or "b:" in refused.stderr
    assert planned not in [host.release for host in recorded(running).hosts]
    run(running, "--release", was.release.id)
    run(running, "--plan-out", str(file), "--release", planned)
    run(running, "--plan-file", str(file))
    assert greetings(hosts, running) == ["planned"] * 3
    assert recorded(running).plan
    again = run(running, "--plan")
    assert "nothing changes" in again.stdout
    settings(running)


def test_what_runs_is_restarted_and_compared(running: Repository, hosts: Hosts) -> None:
    """Every container is started anew as it is, recorded host by host; what runs is what all hosts
    run, and which host has another is said."""
    now = recorded(running).release.id

    def starts() -> list[str]:
        found = []
        for host in hosts.values():
            with host.client() as client:
                [container] = client.containers.list(ignore_removed=True)
                found.append(f"{container.id} {container.attrs['State']['StartedAt']}")
        return found

    before = starts()
    running.inv("run.restart", "--env", "prod", "--host", "b")
    one = starts()
    assert [old == new for old, new in zip(before, one, strict=True)] == [True, False, True]
    running.inv("run.restart", "--env", "prod")
    last = recorded(running)
    assert (last.reason, outcomes(last)) == ("restart", [("running", now)] * 3)
    assert all(old != new for old, new in zip(one, starts(), strict=True))
    assert [it.split()[0] for it in one] == [it.split()[0] for it in before]
    same = running.attempt("release.diff", f"prod/{now}", "prod/running", "--exit-code")
    assert same.code == 0, same.text

    with hosts["c"].client() as client:
        client.containers.list(ignore_removed=True)[0].remove(force=True)
    other = running.attempt("release.diff", f"prod/{now}", "prod/running", "--exit-code")
    assert (other.code, "c" in other.stdout) == (1, True), other.text
    hosts["b"].stop_engine()
    away = running.attempt("release.diff", f"prod/{now}", "prod/running")
    assert (away.code, "b" in away.stderr) == (6, True), away.text
    restarted = running.attempt("run.restart", "--env", "prod")
    assert restarted.code == 6, restarted.text
    hosts["b"].mend()
    run(running)


def test_what_is_stopped_already_is_no_run(running: Repository, hosts: Hosts) -> None:
    """But for what somebody started since."""
    running.inv("run.stop", "--env", "prod")
    stopped = recorded(running)
    again = running.inv("run.stop", "--env", "prod")
    assert (recorded(running).n, "nothing runs in prod" in again.stderr) == (stopped.n, True)
    run(running)
    assert len(set(greetings(hosts, running))) == 1


def test_one_engine_under_two_names_is_refused(running: Repository) -> None:
    """Named both, with what to do; nothing is changed on any."""
    was = recorded(running)
    config = running.read("environments/prod/config.toml")
    running.write("environments/prod/config.toml", config.replace("root@b", "root@a.again"))
    release(running, "twice")
    refused = run(running, code=2)
    assert "reach one and the same engine" in refused.stderr
    assert "leave out" in refused.stderr
    assert recorded(running).hosts == was.hosts
    settings(running)


def test_the_stages_go_on_and_resume(
    running: Repository, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the task does."""
    for name, value in running.environ.items():
        monkeypatch.setenv(name, value)
    settings(running, hooks(before_up=on("b", "test -e armed")))
    id = release(running, "staged")
    with pytest.raises(RunFailed):
        stages.run(env="prod", keep_going=True, root=running.root)
    assert greetings(hosts, running)[0::2] == ["staged"] * 2
    (running.root / "armed").touch()
    done = stages.run(env="prod", resume=True, root=running.root)
    assert outcomes(done) == [("kept", id), ("running", id), ("kept", id)]


def test_what_all_hosts_print_is_followed(running: Repository) -> None:
    """Each line behind its host's name; what comes until Ctrl-C."""
    template = "templates/compose.yaml.j2"
    silent = running.read(template)
    talking = ["sh", "-c", "while echo tick; do sleep 0.2; done"]
    running.write(template, f"{silent}    command: {json.dumps(talking)}\n")
    release(running, "talking")
    run(running)
    running.write(template, silent)
    printed = running.inv("run.logs", "--env", "prod", "--tail", "1").stdout.splitlines()
    assert [line.split()[0] for line in printed] == list(NAMES)
    assert all(line.endswith("tick") for line in printed)

    argv = [sys.executable, "-m", "invoke", "run.logs", "--env", "prod", "--follow", "--tail", "1"]
    with subprocess.Popen(
        argv, cwd=running.root, env=running.environ, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout
        heard = [following.stdout.readline().split()[0] for _ in range(30)]
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0
    assert {name: heard.count(name) > 1 for name in NAMES} == dict.fromkeys(NAMES, True)


def test_every_way_to_a_host_and_a_file_that_lies_there(
    running: Repository,
    hosts: Hosts,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One over ssh, one over TCP with certificates of its own, one by a docker context; what is
    mounted has been put on each before its switch, whatever becomes of it here."""
    template, port = "templates/compose.yaml.j2", free_port()
    for name, value in {
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path / "certificates"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }.items():
        monkeypatch.setitem(running.environ, name, value)
    make_certificates(tmp_path / "certificates/b")
    context = ("context", "create", "east", "--docker", f"host=unix://{hosts['c'].socket}")
    subprocess.run(["docker", *context], env=running.environ, check=True, capture_output=True)
    usual = running.read(template)
    mount = "./environments/prod/files/logo:/logo:ro"
    running.write(template, f"{usual}    volumes: ['{mount}']\n")
    logo = running.write("environments/prod/files/logo", "")
    logo.write_bytes(bytes(range(256)))
    settings(running, free_disk=10)  # c, which is on this machine, has a small one
    table = f'a = "ssh://root@a"\nb = "tcp://127.0.0.1:{port}"\nc = "context://east"'
    config = running.read("environments/prod/config.toml").splitlines()
    config = [line for line in config if not line.startswith("hosts =")]
    running.write("environments/prod/config.toml", "\n".join([*config, "[stagekit.hosts]", table]))
    id = release(running, "mounted")
    logo.unlink()
    with relay(hosts["b"].socket, "tls", str(port), str(tmp_path / "certificates/b")):
        run(running)
        assert outcomes(recorded(running)) == [("running", id)] * 3
        for host in hosts.values():
            with host.client() as client:
                [container] = client.containers.list(ignore_removed=True)
                said = container.exec_run(["sha256sum", "/logo"]).output.split()
                assert said[0].decode() == sha256(bytes(range(256))).hexdigest()
        assert status(running)[0] == 0
        shutil.rmtree(tmp_path / "certificates")
        stranger = running.attempt("run.stop", "--env", "prod")
        assert (stranger.code, "b" in stranger.stderr) == (6, True), stranger.text
    running.write(template, usual)
    settings(running)


def test_a_release_runs_on_every_host(fleet: Repository, hosts: Hosts) -> None:
    """Brought up, recorded host by host, looked into, stopped; a command connects once to each."""
    one = release(fleet, "one")
    before = [host.logins for host in hosts.values()]
    run(fleet)
    assert [host.logins - n for host, n in zip(hosts.values(), before, strict=True)] == [1, 1, 1]
    assert greetings(hosts, fleet) == ["one"] * 3
    assert outcomes(recorded(fleet)) == [("running", one)] * 3
    for host in recorded(fleet).hosts:
        steps = [step.name for step in host.steps if step.name != "pull"]
        assert steps == ["check", "up", "settle", "prove"]
        assert [(seen.service, seen.proven) for seen in host.containers] == [("web", True)]
    code, seen = status(fleet)
    assert (code, seen["mixed"], [host["release"] for host in seen["hosts"]]) == (
        0,
        False,
        [one] * 3,
    )

    told = fleet.inv("run.exec", "web", "--env", "prod", "--host", "b", "--", "hostname").stdout
    with hosts["b"].client() as client:
        [container] = client.containers.list(ignore_removed=True)
        assert told.strip() == container.short_id
    beside = fleet.inv("run.once", "web", "--env", "prod", "--", "sh", "-c", "echo $GREETING")
    assert (beside.stdout, "on a" in beside.stderr) == ("one\n", True)
    fleet.inv("run.scale", "--env", "prod", "--set", "web=2")
    assert [len(host.containers) for host in recorded(fleet).hosts] == [2, 2, 2]

    fleet.inv("run.stop", "--env", "prod", "--host", "c")
    assert greetings(hosts, fleet) == ["one", "one", None]
    fleet.inv("run.stop", "--env", "prod")
    assert (recorded(fleet).outcome, outcomes(recorded(fleet))) == (
        "stopped",
        [("stopped", None), ("stopped", None), ("untouched", None)],
    )
    assert greetings(hosts, fleet) == [None] * 3


def test_a_canary_goes_first_and_then_batches(fleet: Repository, hosts: Hosts) -> None:
    """In their order; where services have roles, each host runs its own. The release command is
    run once, on a host that has its service."""
    usual = fleet.read("templates/compose.yaml.j2")
    fleet.write(
        "templates/compose.yaml.j2",
        "services:\n"
        "  web:\n    image: ${IMAGE_APP}\n    depends_on: [worker]\n"
        "    environment: {GREETING: '${GREETING}'}\n"
        "  worker:\n    image: ${IMAGE_APP}\n    environment: {GREETING: '${GREETING}'}\n",
    )
    log = fleet.root / "order"
    settings(
        fleet,
        '[stagekit.roles]\nweb = ["a", "ssh://root@b"]\nworker = ["c"]',
        '[stagekit.release_command]\nservice = "worker"\ncommand = ["hostname"]',
        hooks(
            before_command=f"echo command >> {log}",
            before_up=f"echo up $STAGEKIT_HOST >> {log}",
            after_prove=f"echo proven $STAGEKIT_HOST >> {log}",
        ),
        canary=1,
        canary_pause=0.2,
        batch='"50%"',
    )
    release(fleet, "roles")
    run(fleet)
    order = log.read_text().splitlines()
    assert order[:3] == ["command", "up a", "proven a"]
    assert set(order[3:5]) == {"up b", "up c"}
    services = [host.greetings(f"{fleet.name}-prod") for host in hosts.values()]
    assert services == [{"web": "roles"}, {"web": "roles"}, {"worker": "roles"}]
    assert recorded(fleet).command_ran
    code, seen = status(fleet)
    listed = [[item["service"] for item in host["services"]] for host in seen["hosts"]]
    assert (code, listed) == (0, [["web"], ["web"], ["worker"]])
    fleet.inv("run.stop", "--env", "prod")
    fleet.write("templates/compose.yaml.j2", usual)
