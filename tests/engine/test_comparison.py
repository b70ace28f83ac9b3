"""Two releases side by side on a real engine: apart, asked, and gone without a trace."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from stagekit.containers import COMPARISON
from tests.conftest import Machine
from tests.engine.test_secrets_run import ledger_bytes
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

TEMPLATE = """\
services:
  web:
    image: ${IMAGE_APP}
    container_name: NAME-web
    hostname: web.example.com
    command: ["sh", "-c", "mkdir -p /www/sub; echo \\"$$GREETING\\" > /www/index.html; \\
      echo \\"$$GREETING\\" >> /data/log; cp /data/log /www/log; \\
      sleep 0.3; exec httpd -f -p 8080 -h /www"]
    stop_signal: SIGKILL
    ports: ["PORT:8080", "127.0.0.1:PORTS:8080"]
    environment:
      GREETING: {{ GREETING | yaml }}
    volumes: ["data:/data", "/anonymous"]
    networks: {back: {ipv4_address: 172.29.77.5}}
    labels: {traefik.enable: "true"}
  other:
    image: ${IMAGE_APP}
    command: ["sh", "-c", "until wget -q -O - http://NAME-web:8080/; do sleep 0.1; done; \\
      exec sleep 1000"]
    stop_signal: SIGKILL
    networks: [back]
networks: {back: {name: NAME-back, ipam: {config: [{subnet: 172.29.77.0/24}]}}}
volumes: {data: {name: NAME-data}}
"""


@pytest.fixture
def shop(
    deployed: Repository, machine: Machine, free_port: Callable[[], int]
) -> Iterator[Repository]:
    """Two releases of dev that answer differently, whose document names and fixes all it can."""
    text = TEMPLATE.replace("NAME", deployed.name).replace("PORTS", str(free_port()))
    deployed.write("templates/compose.yaml.j2", text.replace("PORT", str(free_port())))
    deployed.inv("build")
    deployed.inv("release", "--env", "dev")
    deployed.inv("release", "--env", "dev", "--set", "GREETING=servus")
    yield deployed
    for kind in made(machine).values():
        assert not kind
    with closing(machine.client()) as client:
        for volume in client.volumes.list():
            if volume.name == f"{deployed.name}-data":
                deployed.inv("run.stop", "--env", "dev")
                volume.remove()


def made(machine: Machine) -> dict[str, list[str]]:
    """What there is of comparisons on the engine."""
    label = {"label": COMPARISON}
    with closing(machine.client()) as client:
        found = client.containers.list(all=True, filters=label, ignore_removed=True)
        return {
            "containers": [item.name for item in found],
            "networks": [item.name for item in client.networks.list(filters=label)],
            "volumes": [item.name for item in client.volumes.list(filters=label)],
        }


def everything(machine: Machine) -> dict[str, set[str]]:
    """All that the engine has, by what it is called."""
    with closing(machine.client()) as client:
        return {
            "containers": {
                item.id for item in client.containers.list(all=True, ignore_removed=True)
            },
            "networks": {item.name for item in client.networks.list()},
            "volumes": {item.name for item in client.volumes.list()},
        }


def test_pages_that_differ_beside_what_runs(shop: Repository, machine: Machine) -> None:
    """dev runs, with its name, ports, addresses and data; both run beside it, with none of those,
    and everything that was made for them goes."""
    shop.inv("run", "--env", "dev", "--release", "v1")
    before = everything(machine)
    started = machine.engine.containers(f"{shop.name}-dev")

    done = shop.attempt(
        "run.compare", "dev/v1", "dev/v2", "--url", "/,/log", "--url", "/sub/", "--exit-code"
    )

    assert done.code == 1, done.text
    assert "-hello, dev\n+servus\n" in done.stdout
    assert done.stdout.count("-hello, dev\n+servus\n") == 2  # volumes began empty
    assert "= /sub/: the same, 404" in done.stdout
    assert "http://127.0.0.1:" in done.stdout
    assert f"both run without services.web.container_name {shop.name}-web" in done.stderr
    assert "both run without services.web.labels traefik.enable" in done.stderr
    assert "172.29.77.0/24" in done.stderr
    assert everything(machine) == before
    assert machine.engine.containers(f"{shop.name}-dev") == started
    assert shop.inv("run.history", "--env", "dev", "--json").json[0]["n"] == 1

    [record] = shop.inv("run.comparisons", "--json").json
    assert (record["outcome"], record["n"]) == ("different", 1)
    assert [item["differs"] for item in record["compared"]] == [True, True, False]
    assert record["old"]["release"]["digest"].startswith("sha256:")
    assert record["old"]["project"] != record["new"]["project"]
    assert [item["proven"] for item in record["new"]["containers"]] == [True, True]
    listed = shop.inv("run.comparisons").stdout.splitlines()[1].split()
    assert listed[:4] == ["1", "dev/v1", "dev/v2", "different"]


def test_a_command_is_run_for_each(shop: Repository) -> None:
    """On this machine, with its address, project and release; what is the same is said so."""
    script = 'echo "$STAGEKIT_COMPARE_URL"; echo "$STAGEKIT_COMPARE_PROJECT" >&2; exit 4'
    same = shop.inv(
        "run.compare", "dev/v1", "dev/v2", "--json", "--exit-code", "--", "sh", "-c", script
    )
    [compared] = same.json["compared"]
    assert (compared["kind"], compared["differs"]) == ("command", False)
    assert (compared["old"]["code"], compared["new"]["code"]) == (4, 4)
    assert f"dev/v2 | {shop.name}-compare-" in same.stderr

    script = 'test "$STAGEKIT_COMPARE_RELEASE" = dev/v1'
    other = shop.inv("run.compare", "dev/v1", "dev/v2", "--", "sh", "-c", script)
    assert "-ended with 0\n+ended with 1\n" in other.stdout


def test_one_that_does_not_come_up(shop: Repository, machine: Machine) -> None:
    """Its last words are told and recorded, and the other one goes too."""
    before = everything(machine)
    text = shop.read("templates/compose.yaml.j2")
    shop.write("templates/compose.yaml.j2", text.replace("sleep 0.3;", "echo no luck; exit 7;"))
    shop.inv("release", "--env", "prod")
    failed = shop.attempt("run.compare", "dev/v1", "prod/v1", "--url", "/")
    assert (failed.code, "exited with 7" in failed.stderr) == (5, True), failed.text
    assert "| no luck" in failed.stderr
    assert "inv release.diff dev/v1 prod/v1" in failed.stderr
    assert "rollback" not in failed.stderr
    assert everything(machine) == before
    [record] = shop.inv("run.comparisons", "--json").json
    assert (record["outcome"], record["failure"]["step"]) == ("failed", "up prod/v1")


def test_what_cannot_be_had_twice_is_refused(shop: Repository, machine: Machine) -> None:
    """Every reason is told, and nothing was brought up or recorded."""
    text = shop.read("templates/compose.yaml.j2").replace('"/anonymous"', '"/srv:/srv"')
    shop.write("templates/compose.yaml.j2", text.replace("name: NAME-data", "driver: local"))
    shop.inv("release", "--env", "dev")
    refused = shop.attempt("run.compare", "dev/v1", "dev/v3")
    assert (refused.code, "both would write to /srv of the host" in refused.stderr) == (5, True)
    shop.write(
        "templates/compose.yaml.j2",
        text.replace("networks: {back: {name:", "networks: {back: {external: true, name:").replace(
            ", ipam: {config: [{subnet: 172.29.77.0/24}]}", ""
        ),
    )
    shop.inv("release", "--env", "dev")
    both = shop.attempt("run.compare", "dev/v4", "dev/v1")
    assert "for 2 reasons" in both.stderr
    assert f"networks.back: {shop.name}-back is external" in both.stderr
    assert made(machine) == {"containers": [], "networks": [], "volumes": []}
    assert shop.inv("run.comparisons", "--json").json == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_somebody_stops_it(shop: Repository, machine: Machine, number: signal.Signals) -> None:
    """While the second is brought up: nothing is left, and that is recorded."""
    with under_way(shop, "run.compare", "dev/v1", "dev/v2", "--url", "/") as comparing:
        wait_until(lambda: len(made(machine)["networks"]) == 2, "the second")
        comparing.send_signal(number)
        assert comparing.wait(60) == 130
    assert made(machine) == {"containers": [], "networks": [], "volumes": []}
    [record] = shop.inv("run.comparisons", "--json").json
    assert record["outcome"] == "cancelled"


def test_what_a_killed_one_left_goes_with_the_next(shop: Repository, machine: Machine) -> None:
    """And is recorded as interrupted; another one under way is not touched."""
    words = ("run.compare", "dev/v1", "dev/v2", "--keep", "--limit", "600")
    with under_way(shop, *words) as killed, under_way(shop, *words) as living:
        wait_until(lambda: len(made(machine)["containers"]) == 8, "all four")
        killed.kill()
        killed.wait()
        next_one = shop.inv("run.compare", "dev/v1", "dev/v1", "--url", "/")
        assert "removed what a comparison left behind" in next_one.stderr
        assert "was interrupted" in next_one.stderr
        assert {kind: len(names) for kind, names in made(machine).items()} == {
            "containers": 4,
            "networks": 2,
            "volumes": 2,
        }
        living.send_signal(signal.SIGINT)
        assert living.wait(60) == 0
    found = shop.inv("run.comparisons", "--json").json
    assert sorted(record["outcome"] for record in found) == ["different", "interrupted", "same"]


def test_what_cannot_be_removed_now(shop: Repository, machine: Machine) -> None:
    """A network that somebody else has joined: all the rest goes, it is told, and the network goes
    with the next."""
    words = ("run.compare", "dev/v1", "dev/v2", "--url", "/", "--keep", "--limit", "600")
    with under_way(shop, *words) as comparing, closing(machine.client()) as client:
        wait_until(lambda: len(made(machine)["containers"]) == 4, "all four")
        [network, _] = sorted(made(machine)["networks"])
        guest = client.containers.run(
            "busybox:1", ["sleep", "1000"], detach=True, network=network, stop_signal="SIGKILL"
        )
        try:
            comparing.send_signal(signal.SIGINT)
            _, said = comparing.communicate(timeout=60)
        finally:
            guest.remove(force=True)
    assert "not all that was made for it is removed" in said
    assert made(machine) == {"containers": [], "networks": [network], "volumes": []}
    again = shop.inv("run.compare", "dev/v1", "dev/v1", "--url", "/")
    assert f"removed what a comparison left behind: network {network}" in again.stderr


@contextmanager
def on_terminal(shop: Repository, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run ``inv`` with a terminal for everything; gives the other end."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", *words],
        cwd=shop.root,
        env=shop.environ,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as command:
        os.close(its)
        try:
            yield command, ours
        finally:
            command.kill()
            os.close(ours)


def read_until(ours: int, text: str, limit: float = 60.0) -> str:
    """Read from a terminal until it has shown ``text``."""
    said = ""
    deadline = time.monotonic() + limit
    while text not in said:
        assert time.monotonic() < deadline, said
        if select.select([ours], [], [], 0.2)[0]:
            said += os.read(ours, 4096).decode("utf-8", "replace")
    return said


def test_a_person_looks_at_both(shop: Repository, machine: Machine) -> None:
    """On a terminal, without a question: both stay up until Enter. What they differ in on paper is
    shown."""
    with on_terminal(shop, "run.compare", "dev/v1", "dev/v2") as (comparing, ours):
        said = read_until(ours, "both stay up until Enter")
        assert "+servus" in said.replace('"', "") or "servus" in said
        assert len(made(machine)["containers"]) == 4
        os.write(ours, b"\n")
        read_until(ours, "comparisons/1.toml")
        assert comparing.wait(60) == 0
    assert made(machine)["containers"] == []


def test_both_are_kept_until_ctrl_c(shop: Repository, machine: Machine) -> None:
    """After they were asked; it ends well."""
    words = ("run.compare", "dev/v1", "dev/v2", "--url", "/", "--keep")
    with on_terminal(shop, *words) as (comparing, ours):
        assert "servus" in read_until(ours, "both stay up until Ctrl-C")
        assert len(made(machine)["containers"]) == 4
        comparing.send_signal(signal.SIGINT)
        read_until(ours, "comparisons/1.toml")
        assert comparing.wait(60) == 0
    assert shop.inv("run.comparisons", "--json").json[0]["outcome"] == "different"
    nobody = shop.attempt("run.compare", "dev/v1", "dev/v2", "--keep")
    assert (nobody.code, "--keep --limit 600" in nobody.stderr) == (2, True)


def test_secrets_and_release_commands(deployed: Repository, machine: Machine) -> None:
    """Both get their secrets as a run would, and nothing shows them; the release command is run
    only where that is asked for, before its release comes up."""
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n"
        "  web:\n"
        "    image: ${IMAGE_APP}\n"
        "    stop_signal: SIGKILL\n"
        '    ports: ["8080"]\n'
        "    volumes: [data:/data]\n"
        "    environment: {TOKEN: '${SECRET_TOKEN}'}\n"
        "    command: ['sh', '-c', 'mkdir -p /www; cd /www; echo $$TOKEN > token;"
        " cp /data/migrated .; exec httpd -f -p 8080 -h /www']\n"
        "volumes: {data: {}}\n",
    )
    deployed.write(
        "environments/dev/config.toml",
        '[stagekit]\nsecret_provider = "env"\n[stagekit.release_command]\nservice = "web"\n'
        'command = ["sh", "-c", "echo by $TOKEN > /data/migrated"]\n',
    )
    deployed.environ["STAGEKIT_SECRET_TOKEN"] = "correct horse battery"  # noqa: S105  # it opens nothing
    deployed.inv("build")
    deployed.inv("release", "--env", "dev")
    asked = ("run.compare", "dev/v1", "dev/v1", "--url", "/token,/migrated")
    without = deployed.inv(*asked, "--json")
    assert "its release command is not run (--release-command)" in without.stderr
    assert [item["old"]["code"] for item in without.json["compared"]] == [200, 404]
    ran = deployed.inv(*asked, "--json", "--release-command")
    assert [item["new"]["code"] for item in ran.json["compared"]] == [200, 200]
    assert ran.json["commands_ran"] == ["dev/v1", "dev/v1"]
    script = 'wget -q -O - "$STAGEKIT_COMPARE_URL/token" || curl -s "$STAGEKIT_COMPARE_URL/token"'
    told = 'echo "$STAGEKIT_COMPARE_PROJECT" | grep -q -- -old- && echo one || echo two'
    shown = deployed.inv("run.compare", "dev/v1", "dev/v1", "--", "sh", "-c", f"{script}; {told}")
    assert " ***\n" in shown.stdout
    assert "-one\n+two\n" in shown.stdout
    shown_to_anybody = without.text + ran.text + shown.text
    assert b"correct horse" not in ledger_bytes(deployed) + shown_to_anybody.encode()
    assert made(machine) == {"containers": [], "networks": [], "volumes": []}
