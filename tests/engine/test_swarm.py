"""Docker Swarm: releases as stacks on three nodes, with what goes wrong there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.conftest import Machine
from tests.engine.swarm import Node, Nodes, three_nodes
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

LOAD = Path(__file__).with_name("load.py")
TEMPLATE = """\
services:
  web:
    image: ${IMAGE_APP}
    environment:
      GREETING: {{ GREETING | yaml }}
    command: ["sh", "-c", "echo started; exec sleep 1000"]
    stop_signal: SIGKILL
    deploy:
      replicas: 3
      endpoint_mode: dnsrr
      update_config: {order: start-first, parallelism: 0}
"""
CONFIG = """\
[stagekit]
engine = "swarm"
timeout = 60
{more}
[vars]
GREETING = "{greeting}"
"""


@pytest.fixture(scope="module")
def nodes(machine: Machine, docker_registry: Path) -> Iterator[Nodes]:
    with three_nodes(docker_registry) as found:
        with (
            closing(machine.client()) as here,
            closing(docker.DockerClient(base_url=found.first.url)) as there,
        ):
            [image] = there.images.load(here.images.get("busybox:1").save(named=True))
            image.tag("busybox", "1")
        yield found


@pytest.fixture(scope="module")
def shop(
    nodes: Nodes, machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Repository]:
    """A repository with a build, whose environments are stacks of the Swarm."""
    environ = {**machine.environ, "STAGEKIT_REGISTRY": nodes.registry}
    environ["DOCKER_HOST"] = nodes.first.url
    repository = Repository.create(tmp_path_factory.mktemp("shop") / "repository", environ)
    repository.inv("build")
    return repository


@pytest.fixture
def env(shop: Repository, nodes: Nodes) -> Iterator[str]:
    """An environment of the test's own."""
    name = f"e{len(list(shop.root.glob('environments/e*')))}"
    shop.write("templates/compose.yaml.j2", TEMPLATE)
    configure(shop, name)
    yield name
    nodes.first.attempt("stack", "rm", f"{shop.name}-{name}")


def configure(shop: Repository, env: str, greeting: str = "hello", more: str = "") -> None:
    text = CONFIG.format(greeting=greeting, more=more)
    shop.write(f"environments/{env}/config.toml", text)


def release(shop: Repository, env: str, greeting: str = "hello", more: str = "") -> None:
    configure(shop, env, greeting, more)
    shop.inv("release", "--env", env)


def tasks(node: Node, stack: str) -> list[dict[str, Any]]:
    """The tasks of a stack that are to run, as Docker's own command has them."""
    if not names(node, "service", f"{stack}_"):
        return []
    lines = node.docker(
        *("stack", "ps", stack, "--no-trunc", "--format", "{{json .}}"),
        *("--filter", "desired-state=running"),
    )
    return [json.loads(line) for line in lines.splitlines()]


def stack(shop: Repository, env: str) -> str:
    return f"{shop.name}-{env}"


def names(node: Node, kind: str, part: str) -> list[str]:
    found = node.docker(kind, "ls", "--format", "{{.Name}}").splitlines()
    return [name for name in found if part in name]


def test_what_runs_can_be_looked_after(shop: Repository, nodes: Nodes, env: str) -> None:
    """Status, logs, commands in and beside it, other numbers of it, a restart, and its end."""
    release(shop, env)
    ran = shop.inv("run", "--env", env, "--json").json
    assert [item["state"] for item in ran["containers"]] == ["running"] * 3
    assert all(item["proven"] and "@sha256:" in item["image_id"] for item in ran["containers"])
    assert {item["settings"]["node"] for item in ran["containers"]} == {"node1", "node2", "node3"}
    assert shop.inv("run.status", "--env", env, "--exit-code").code == 0
    assert shop.inv("run.logs", "--env", env).stdout.count("| started") == 3

    command = ("--", "sh", "-c", 'echo "$GREETING $1"; exit 3', "-", "a  b")
    inside = shop.attempt("run.exec", "web", "--env", env, *command)
    assert (inside.stdout, inside.code) == ("hello a  b\n", 3)
    beside = shop.attempt("run.once", "web", "--env", env, *command)
    assert (beside.stdout, beside.code) == ("hello a  b\n", 3)
    assert names(nodes.first, "service", "once") == []

    there = {
        item["Node"]: item["Name"].split(".")[1] for item in tasks(nodes.first, stack(shop, env))
    }
    index = ("--index", there["node2"], "--", "hostname")
    away = shop.attempt("run.exec", "web", "--env", env, *index)
    assert (away.code, "node2" in away.stderr, "stagekit.address" in away.stderr) == (5, True, True)
    label = f"stagekit.address={nodes.all[1].url}"
    nodes.first.docker("node", "update", "--label-add", label, "node2")
    assert shop.inv("run.exec", "web", "--env", env, *index).stdout

    scaled = shop.inv("run.scale", "--env", env, "--set", "web=1", "--json").json
    assert len(scaled["containers"]) == 1
    restarted = shop.inv("run.restart", "--env", env, "--json").json
    assert restarted["containers"][0]["id"] != scaled["containers"][0]["id"]
    nodes.first.docker("service", "scale", "--detach", f"{stack(shop, env)}_web=2")
    drifted = shop.attempt("run.status", "--env", env, "--exit-code")
    assert (drifted.code, "2 of 1 containers" in drifted.text) == (1, True)
    shop.inv("run.stop", "--env", env)
    assert tasks(nodes.first, stack(shop, env)) == []


ROLLING = """\
services:
  web:
    image: ${IMAGE_APP}
    environment:
      GREETING: {{ GREETING | yaml }}
    command: ["sh", "-c", "echo $$GREETING > /www/index.html; exec httpd -f -p 8080 -h /www"]
    stop_signal: SIGTERM  # as the first process it goes on until it is killed, three seconds later
    stop_grace_period: 3s
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"]
      interval: 1s
    deploy:
      replicas: 3
      endpoint_mode: dnsrr
      update_config: {order: start-first, parallelism: 1, failure_action: rollback}
  load:
    image: ${IMAGE_APP}
    command: ["sleep", "1000"]
    deploy: {placement: {constraints: ["node.hostname == node1"]}}
"""


@contextmanager
def asking(node: Node, stack: str) -> Iterator[dict[str, Any]]:
    """Ask a service for its page all the while; what became of that is there in the end."""
    [container] = node.docker("ps", "--quiet", "--filter", f"name={stack}_load").split()
    pid = node.docker("inspect", "--format", "{{.State.Pid}}", container)
    argv = ["nsenter", "--target", pid, "--net", sys.executable, str(LOAD), "web", "8080"]
    found: dict[str, Any] = {}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        try:
            assert load.stdout
            assert load.stdout.readline() == "asking\n"
            yield found
            said, _ = load.communicate("over\n", timeout=30)
            found.update(json.loads(said))
        finally:
            load.kill()


def test_no_request_is_lost(shop: Repository, nodes: Nodes, env: str) -> None:
    """While one release takes the place of another, and while it goes back: start-first, with a
    health check, and a server that goes on until it is not asked any more."""
    shop.write("templates/compose.yaml.j2", ROLLING)
    release(shop, env, "one")
    shop.inv("run", "--env", env)
    release(shop, env, "two")
    with asking(nodes.first, stack(shop, env)) as heard:
        shop.inv("run", "--env", env)
        shop.inv("run.rollback", "--env", env)
    assert heard["lost"] == []
    assert min(heard["answers"]["one"], heard["answers"]["two"]) > 0


SECRETS = """\
services:
  web:
    image: ${IMAGE_APP}
    command: ["sh", "-c", "cat /run/secrets/token /etc/app/plain /etc/app/mixed; exec sleep 1000"]
    stop_signal: SIGKILL
    deploy: {update_config: {order: start-first}}
    secrets: [{source: token}]
    configs:
      - {source: plain, target: /etc/app/plain}
      - {source: mixed, target: /etc/app/mixed}
secrets: {token: {environment: TOKEN}}
configs:
  plain: {content: "plain {{ GREETING }} $$5\\n"}
  mixed: {content: "mixed ${SECRET_TOKEN}\\n"}
"""


def test_secrets_and_configs_rotate(shop: Repository, nodes: Nodes, env: str) -> None:
    """Each content has a name of its own, which tells nothing of a secret; what is neither what
    runs nor what ran before goes, and comes back with the release that needs it."""

    def held() -> set[tuple[str, str]]:
        part = f"{stack(shop, env)}_"
        return {(it, name) for it in ("secret", "config") for name in names(nodes.first, it, part)}

    def run(value: str, *words: str) -> set[tuple[str, str]]:
        shop.inv(*words, "--env", env, STAGEKIT_SECRET_TOKEN=f"{value} secret\n")
        return held()

    shop.write("templates/compose.yaml.j2", SECRETS)
    seen = []
    for value in ("first", "second", "third"):
        release(shop, env, value, 'secret_provider = "env"')
        seen.append(run(value, "run"))
    first, second, third = seen
    kinds = sorted(kind for kind, _ in first)
    assert kinds == ["config", "secret", "secret"]  # the config that a secret is filled into is one
    assert first < second
    assert second - first < third
    assert not first & third
    printed = shop.inv("run.logs", "--env", env).stdout
    for line in ("third secret", "plain third $5", "mixed third secret"):
        assert f"| {line}" in printed
    assert first < run("first", "run.rollback", "--to", "v1")


FAILING = """\
services:
  web:
    image: ${IMAGE_APP}
    environment: {GREETING: {{ GREETING | yaml }}}
    stop_signal: SIGKILL
    command: ["sleep", "1000"]
    deploy: {update_config: {order: start-first}}
  worker:
    image: ${IMAGE_APP}
    environment: {GREETING: {{ GREETING | yaml }}}
    stop_signal: SIGKILL
    command: ["sh", "-c", "[ $$GREETING = good ] || { echo no database; exit 3; }; exec sleep 999"]
    deploy: {replicas: 2, update_config: {order: start-first}}
"""


def test_what_fails_is_shown_and_all_of_it_goes_back(
    shop: Repository, nodes: Nodes, env: str
) -> None:
    """The container's error and its last lines; and then every service is the earlier release's."""
    shop.write("templates/compose.yaml.j2", FAILING)
    release(shop, env, "good")
    shop.inv("run", "--env", env)
    release(shop, env, "bad")
    failed = shop.attempt("run", "--env", env)
    assert failed.code == 8, failed.text
    for said in ("worker | no database", "it ended with 3", f"{env}/v1 runs again"):
        assert said in failed.stderr
    for service in ("web", "worker"):
        said = nodes.first.docker("service", "inspect", f"{stack(shop, env)}_{service}")
        container = json.loads(said)[0]["Spec"]["TaskTemplate"]["ContainerSpec"]
        assert "GREETING=good" in container["Env"]
    status = shop.inv("run.status", "--env", env, "--json").json[0]
    assert [(it["service"], it["running"], it["proven"]) for it in status["services"]] == [
        ("web", 1, True),
        ("worker", 2, True),
    ]


def test_a_command_of_the_release(shop: Repository, env: str) -> None:
    """It runs before anything is replaced, and after what it depends on; one that fails stops the
    run."""
    more = "    depends_on: [other]\n  other: {image: '${IMAGE_APP}', command: [sleep, '1000']}\n"
    one = TEMPLATE.replace("replicas: 3", "replicas: 1")
    shop.write("templates/compose.yaml.j2", one + more)
    command = '[stagekit.release_command]\nservice = "web"\ncommand = ["sh", "-c", "{}"]\n'
    release(shop, env, "one", command.format("[ $GREETING = one ] && nslookup other"))
    ran = shop.inv("run", "--env", env, "--json").json
    assert (ran["command_ran"], "command" in [it["name"] for it in ran["steps"]]) == (True, True)
    release(shop, env, "two", command.format("echo cannot; exit 4"))
    failed = shop.attempt("run", "--env", env)
    assert (failed.code, "ended with 4" in failed.stderr) == (5, True), failed.text
    assert "| cannot" in failed.stderr


def test_a_node_goes_during_a_run(shop: Repository, nodes: Nodes, env: str) -> None:
    """What it had is started on the others, and the run ends well."""
    slow = TEMPLATE.replace("parallelism: 0", "parallelism: 1, delay: 2s")
    shop.write("templates/compose.yaml.j2", slow)
    release(shop, env, "one")
    shop.inv("run", "--env", env)
    release(shop, env, "two")
    last = nodes.all[-1]
    with under_way(shop, "run", "--env", env) as run:
        wait_until(lambda: _replaced(nodes, shop, env), "the first container to be replaced")
        last.kill()
        _, said = run.communicate(timeout=90)
        assert run.returncode == 0, said
    there = tasks(nodes.first, stack(shop, env))
    assert [item["CurrentState"].split()[0] for item in there] == ["Running"] * 3
    assert "node3" not in {item["Node"] for item in there}
    last.start()
    nodes.await_all()


def _replaced(nodes: Nodes, shop: Repository, env: str) -> bool:
    everything = nodes.first.docker(
        "stack", "ps", stack(shop, env), "--format", "{{.DesiredState}}"
    )
    return "Shutdown" in everything


def test_a_manager_that_is_cut_off_says_so(shop: Repository, nodes: Nodes, env: str) -> None:
    """And what it lacks, within its limit; nothing was changed."""
    release(shop, env)
    second = nodes.all[1]
    second.cut_off()
    try:
        alone = shop.attempt("run", "--env", env, DOCKER_HOST=second.url)
    finally:
        second.plug_in()
    assert (alone.code, "too few of the Swarm's managers" in alone.stderr) == (6, True), alone.text
    nodes.await_all()
    assert tasks(nodes.first, stack(shop, env)) == []


def test_two_people_exclude_each_other(shop: Repository, nodes: Nodes, env: str) -> None:
    """Whichever manager each of them speaks to."""
    waiting = "touch begun; while [ ! -e go ]; do sleep 0.1; done"
    hook = f'[stagekit.hooks]\nbefore_up = ["sh", "-c", "{waiting}"]\n'
    release(shop, env, more=hook)
    with under_way(shop, "run", "--env", env) as first:
        wait_until((shop.root / "begun").exists, "the first to hold the lock")
        second = shop.attempt("run", "--env", env, DOCKER_HOST=nodes.all[1].url)
        assert (second.code, "another run holds it" in second.stderr) == (9, True), second.text
        (shop.root / "go").touch()
        _, said = first.communicate(timeout=60)
        assert first.returncode == 0, said


def test_what_swarm_cannot_do_is_refused_when_it_is_released(shop: Repository, env: str) -> None:
    """By its place in the document, and with the way out."""
    shop.write(
        "templates/compose.yaml.j2", "services: {web: {image: '${IMAGE_APP}', privileged: true}}\n"
    )
    refused = shop.attempt("release", "--env", env)
    assert (refused.code, "services.web.privileged" in refused.stderr) == (4, True), refused.text
