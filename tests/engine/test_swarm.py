"""Docker Swarm: releases as stacks on three nodes, with what goes wrong there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from secrets import token_hex
from typing import Any

import docker
import pytest
from msgspec.structs import replace

from stagekit.builtin.runners import Swarm
from stagekit.builtin.swarm import SwarmRunner
from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import RunFailed
from stagekit.events import ignore
from stagekit.protocols import Engine
from stagekit.records import Deploy, Release, ReleaseCommand
from stagekit.testing.contracts import LeaseContract, RunnerContract
from stagekit.testing.records import a_release, sha
from tests.conftest import Machine
from tests.engine.swarm import PERSON, Node, Nodes, three_nodes
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository
from tests.sshd import sshd

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
    """Status, logs, commands in and beside it, other numbers of it, and its end."""
    release(shop, env)
    ran = shop.inv("run", "--env", env, "--json").json
    assert [item["state"] for item in ran["containers"]] == ["running"] * 3
    assert all(item["proven"] and "@sha256:" in item["image_id"] for item in ran["containers"])
    assert {item["settings"]["node"] for item in ran["containers"]} == {"node1", "node2", "node3"}
    assert shop.inv("run.logs", "--env", env).stdout.count("| started") == 3
    command = ("--", "sh", "-c", 'echo "$GREETING $1"; exit 3', "-", "a  b")
    for task in ("run.exec", "run.once"):
        said = shop.attempt(task, "web", "--env", env, *command)
        assert (said.stdout, said.code) == ("hello a  b\n", 3)
    assert names(nodes.first, "service", "once") == []
    scaled = shop.inv("run.scale", "--env", env, "--set", "web=1", "--json").json
    assert len(scaled["containers"]) == 1
    shop.inv("run.status", "--env", env, "--exit-code")
    shop.inv("run.stop", "--env", env)
    assert tasks(nodes.first, stack(shop, env)) == []


def test_a_manager_that_is_reached_by_ssh(
    shop: Repository,
    nodes: Nodes,
    env: str,
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    """It runs a release, shows what that printed, and runs commands in it and beside it."""
    release(shop, env)
    with sshd(tmp_path / "sshd", free_port(), f"SetEnv DOCKER_HOST={nodes.first.url}") as server:
        program = tmp_path / "bin/ssh"
        program.parent.mkdir()
        _, _, options = server.ssh.partition(" ")
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
        program.chmod(0o755)
        there = {
            "DOCKER_HOST": f"ssh://{server.host}",
            "PATH": f"{program.parent}:{shop.environ['PATH']}",
        }
        ran = shop.inv("run", "--env", env, "--json", **there).json
        assert [item["state"] for item in ran["containers"]] == ["running"] * 3
        assert shop.inv("run.logs", "--env", env, **there).stdout.count("| started") == 3
        command = ("--", "sh", "-c", 'echo "$GREETING $1"; exit 3', "-", "a  b")
        for task in ("run.exec", "run.once"):
            said = shop.attempt(task, "web", "--env", env, *command, **there)
            assert (said.stdout, said.code) == ("hello a  b\n", 3), said.stderr


ROLLING = """\
services:
  web:
    image: ${IMAGE_APP}
    environment: {GREETING: {{ GREETING | yaml }}}
    command:
      - sh
      - -c
      - |
        echo "$$GREETING" > /www/index.html
        [ "$$GREETING" != unhealthy ] || rm /www/index.html
        httpd -f -p 8080 -h /www & trap "sleep 5; kill $$!" TERM
        wait
    stop_signal: SIGTERM
    stop_grace_period: 10s
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"]
      interval: 1s
      retries: 2
    deploy:
      replicas: 2
      endpoint_mode: dnsrr
      update_config: {order: start-first, parallelism: 1, failure_action: rollback}
      placement: {constraints: ["node.hostname == node1"]}
  worker:
    image: ${IMAGE_APP}
    environment: {GREETING: {{ GREETING | yaml }}}
    stop_signal: SIGKILL
    command: ["sleep", "1000"]
    deploy: {update_config: {order: start-first}}
  still:
    image: ${IMAGE_APP}
    command: ["sh", "-c", "echo still > /www/index.html; exec httpd -f -p 8080 -h /www"]
    stop_signal: SIGKILL
    deploy:
      endpoint_mode: dnsrr
      placement: {constraints: ["node.hostname == node1"]}
  load:
    image: ${IMAGE_APP}
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    deploy: {mode: global, placement: {constraints: ["node.hostname != node1"]}}
"""


Lost = tuple[float, float, str]
"""When a request began and ended, and what became of it."""


class SilentNode(Exception):
    """A node's engine was not told how the containers on another node are reached."""


@dataclass
class Heard:
    """What services answered who asked them all the while, and which requests were lost; also of
    the one that no release touches."""

    answers: set[str]
    lost: list[Lost]
    still_lost: list[Lost]

    def lost_by_a_release(self) -> list[Lost]:
        """What was lost while the service was reached that no release touches."""
        return [lost for lost in self.lost if not any(meet(lost, it) for it in self.still_lost)]


def meet(one: Lost, other: Lost) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@contextmanager
def asking(node: Node, stack: str, beside: str) -> Iterator[Callable[[], Heard]]:
    """Ask two services for their page, from the network of the service ``beside`` on a node:
    ``web``, which releases change, and ``still``, which they leave alone. What is yielded ends
    that, and returns what was heard since both answered. SilentNode where they never do."""
    [container] = node.docker("ps", "--quiet", "--filter", f"name={stack}_{beside}").split()
    pid = node.docker("inspect", "--format", "{{.State.Pid}}", container)
    argv = ["nsenter", "--target", pid, "--net", sys.executable, str(LOAD), "8080", "web", "still"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:

        def heard() -> Heard:
            said, _ = load.communicate("over\n", timeout=30)
            web, still = json.loads(said).values()
            assert set(still["answers"]) == {"still"}
            return Heard(set(web["answers"]), web["lost"], still["lost"])

        try:
            assert load.stdout
            if (line := load.stdout.readline()) != "asking\n":
                raise SilentNode(node, line)
            yield heard
        finally:
            load.kill()


def replaced_under_load(
    shop: Repository, there: Node, another: Node, env: str
) -> tuple[Heard, Heard]:
    """One release takes the place of another, and one fails and goes back with all its services.
    Return what was heard on the node with the containers, and on another."""
    release(shop, env, "one")
    shop.inv("run", "--env", env)
    first = containers(there, f"{stack(shop, env)}_web")
    assert len(first) == 2
    release(shop, env, "two")
    with (
        asking(there, stack(shop, env), "still") as on_it,
        asking(another, stack(shop, env), "load") as on_another,
    ):
        shop.inv("run", "--env", env)
        release(shop, env, "unhealthy")
        failed = shop.attempt("run", "--env", env)
        wait_until(
            lambda: not set(first) & set(containers(there, f"{stack(shop, env)}_web")),
            "the first containers to go",
        )
        heard = on_it(), on_another()
    assert failed.code == 8, failed.text
    for said in ("unhealthy", f"{env}/v2 runs again"):
        assert said in failed.stderr, failed.stderr
    for service in ("web", "worker"):
        assert greeting(there, f"{stack(shop, env)}_{service}") == "two"
    return heard


def test_no_request_is_lost(shop: Repository, nodes: Nodes, env: str) -> None:
    """Start-first, with a health check, and a server that goes on for a moment after it was asked
    to stop; until the first containers are gone, by who tries another address where one does not
    answer. Never on the node with the containers. On another node a second and a third try are
    allowed: nodes tell each other by UDP what comes and goes and how it is reached, and on a busy
    machine that may be lost (docs/swarm.md)."""
    shop.write("templates/compose.yaml.j2", ROLLING)
    there, *others = nodes.all
    trouble: list[str] = []
    for number, another in enumerate((*others, others[0])):
        attempt = f"{env}-{number}"
        try:
            here, across = replaced_under_load(shop, there, another, attempt)
        except SilentNode as silent:
            if silent.args[0] is there:
                raise
            trouble.append(f"{another.name}: {silent.args[1]}")
            continue
        finally:
            there.attempt("stack", "rm", stack(shop, attempt))
        assert here.lost == []
        assert here.answers == across.answers == {"one", "two"}
        if not (lost := across.lost_by_a_release()):
            return
        trouble.append(f"{another.name}: lost by a release: {lost}")
    pytest.fail("\n".join(trouble))


FAILING = """\
services:
  web:
    image: ${IMAGE_APP}
    environment: {GREETING: {{ GREETING | yaml }}}
    stop_signal: SIGKILL
    command: ["sleep", "1000"]
  worker:
    image: ${IMAGE_APP}
    environment: {GREETING: {{ GREETING | yaml }}}
    stop_signal: SIGKILL
    command: ["sh", "-c", "[ $$GREETING != bad ] || { echo no database; exit 3; }; exec sleep 999"]
    deploy: {update_config: {order: start-first}}
"""


def test_what_fails_is_shown_and_goes_back(shop: Repository, nodes: Nodes, env: str) -> None:
    """With all its services, by a run that says what failed."""
    shop.write("templates/compose.yaml.j2", FAILING)
    release(shop, env, "one")
    shop.inv("run", "--env", env)
    release(shop, env, "bad")
    failed = shop.attempt("run", "--env", env)
    assert failed.code == 8, failed.text
    for said in ("no database", "it ended with 3", f"{env}/v1 runs again"):
        assert said in failed.stderr, failed.stderr
    for service in ("web", "worker"):
        assert greeting(nodes.first, f"{stack(shop, env)}_{service}") == "one"


def containers(node: Node, part: str) -> list[str]:
    """The containers that run on a node."""
    return node.docker("ps", "--quiet", "--filter", f"name={part}").split()


def greeting(node: Node, service: str) -> str:
    """What a service's containers are told."""
    [found] = json.loads(node.docker("service", "inspect", service))
    told = found["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"]
    return next(text.removeprefix("GREETING=") for text in told if text.startswith("GREETING="))


DOCUMENT = """\
name: {project}
services:
  web:
    image: {image}
    command: ["sh", "-c", "cat /run/secrets/token /etc/app/plain /etc/app/mixed; exec sleep 999"]
    stop_signal: SIGKILL
    deploy:
      endpoint_mode: dnsrr
      update_config: {{order: start-first}}
      placement: {{constraints: ["node.hostname == node1"]}}
    depends_on: {{other: {{condition: service_started}}}}
    secrets: [{{source: token}}]
    configs:
      - {{source: plain, target: /etc/app/plain}}
      - {{source: mixed, target: /etc/app/mixed}}
    volumes: [{{type: bind, source: ./files/{file}, target: /etc/app/files}}]
  other: {{image: {image}, command: [sleep, "999"], stop_signal: SIGKILL}}
secrets: {{token: {{environment: STAGEKIT_SECRET_TOKEN}}}}
configs:
  plain: {{content: "plain {value} $$5\\n"}}
  mixed: {{content: "mixed ${{STAGEKIT_SECRET_TOKEN}}"}}
"""


@dataclass
class Stack:
    """A stack that the runner is handed documents of."""

    runner: SwarmRunner
    engine: Engine
    release: Release
    image: str
    node: Node

    def document(self, value: str) -> bytes:
        file = f"{sha(value).removeprefix('sha256:')}/motd"
        self.engine.place({f"files/{file}": b"\x00\xff"}, executable=(), image=self.image)
        return DOCUMENT.format(project=self.name, image=self.image, value=value, file=file).encode()

    @property
    def name(self) -> str:
        return self.release.compose_project

    def up(self, value: str) -> tuple[str, ...]:
        return self.runner.up(
            self.release,
            self.document(value),
            PurePath("/nowhere"),
            scale={},
            secrets={"TOKEN": f"{value} secret\n"},
            source=None,
            emit=ignore,
            cancel=Cancel(),
        )

    def once(self, *command: str) -> tuple[int, tuple[str, ...]]:
        return self.runner.once(
            self.release,
            self.document("once"),
            PurePath("/nowhere"),
            ReleaseCommand(service="web", command=command),
            dependencies=True,
            secrets={"TOKEN": "a secret\n"},
            source=None,
            emit=ignore,
            cancel=Cancel(),
        )

    def held(self) -> set[tuple[str, str]]:
        """The configs and secrets that the Swarm holds for it."""
        part = f"{self.name}_"
        return {(kind, it) for kind in ("secret", "config") for it in names(self.node, kind, part)}


def runner_on(node: Node, environ: Mapping[str, str]) -> tuple[SwarmRunner, Engine]:
    """The runner on a manager, and that as the runner's releases see it."""
    engine = DockerEngine(Endpoint(node.url, "a test"), environ)
    runner = Swarm().stagekit_runner("swarm", engine, environ)
    assert isinstance(runner, SwarmRunner)
    return runner, runner.engine_for(engine)


def image_of(shop: Repository) -> str:
    """What the project's image is pinned to."""
    build = shop.inv("build", "--json").json
    return "{repository}@{digest}".format(**build["images"]["app"])


@pytest.fixture
def stack_of_two(shop: Repository, nodes: Nodes) -> Iterator[Stack]:
    """The runner, and a release that it knows nothing of yet."""
    runner, engine = runner_on(nodes.first, shop.environ)
    release = a_release(
        id="v1", project=f"two{token_hex(3)}", deploy=Deploy(engine="swarm", timeout=60)
    )
    yield Stack(runner, engine, release, image_of(shop), nodes.first)
    nodes.first.attempt("stack", "rm", release.compose_project)


def test_secrets_configs_and_files_rotate(stack_of_two: Stack) -> None:
    """Each content has a name of its own, which tells nothing of a secret; what is neither what
    runs nor what ran before goes, and comes back with the release that needs it."""
    stack = stack_of_two
    seen = []
    for value in ("first", "second", "third"):
        assert stack.up(value) == ()
        seen.append(stack.held())
    first, second, third = seen
    kinds = sorted(kind for kind, _ in first)
    assert kinds == ["config", "secret", "secret"]  # the config that a secret is filled into is one
    assert first < second
    assert second - first < third
    assert not first & third
    [web] = stack.runner.observe(stack.name).of("web")
    wait_until(lambda: stack.engine.logs(web.id, 9), "it to print")
    assert stack.engine.logs(web.id, 9) == ("third secret", "plain third $5", "mixed third secret")
    code, printed = stack.engine.execute(web.id, ["cat", "/etc/app/files"], limit=10)
    assert (code, printed) == (0, b"\x00\xff")
    assert stack.up("first") == ()
    assert first < stack.held()


def test_a_command_of_the_release(stack_of_two: Stack, nodes: Nodes) -> None:
    """It has the release's secrets and networks, comes after what it depends on, and is removed."""
    stack = stack_of_two
    script = "cat /run/secrets/token; rev /run/secrets/token; nslookup other; exit 4"
    code, lines = stack.once("sh", "-c", script)
    assert code == 4
    assert lines[:2] == ("***", "terces a")
    assert any("other" in line for line in lines)
    assert [it.service for it in stack.runner.observe(stack.name).containers] == ["other"]
    assert names(nodes.first, "service", stack.name) == [f"{stack.name}_other"]


def test_a_container_on_another_node(stack_of_two: Stack, nodes: Nodes, tmp_path: Path) -> None:
    """A manager does not reach into it, and says what helps; where the node's label says where that
    is reached, it is."""
    stack = stack_of_two
    stack.up("first")
    node, other = nodes.all[:2]
    runner, _ = runner_on(other, os.environ)
    asked = CommandAsked(service="web", command=("cat", "/etc/app/plain"), index=1)
    with pytest.raises(RunFailed, match=f"is on node {node.name}") as caught:
        runner.inside(stack.name, asked, tmp_path)
    assert "docker node update --label-add stagekit.address=ssh://" in str(caught.value.hint)
    other.docker("node", "update", "--label-add", f"stagekit.address={node.url}", node.name)
    found = runner.inside(stack.name, asked, tmp_path)
    done = subprocess.run(found.argv, env=found.env, capture_output=True, text=True, check=True)
    assert done.stdout == "plain first $5\n"
    other.docker("node", "update", "--label-rm", "stagekit.address", node.name)


def test_what_is_changed_by_hand_is_seen(stack_of_two: Stack, nodes: Nodes) -> None:
    """Other containers than the release's are of no definition that anybody knows."""
    stack = stack_of_two
    stack.up("first")
    [before] = stack.runner.observe(stack.name).of("web")
    nodes.first.docker("service", "update", "--detach", "--env-add", "X=1", f"{stack.name}_web")
    changed = {it.service: it.definition for it in stack.runner.observe(stack.name).containers}
    assert changed["web"] == "changed by docker service update" != before.definition
    assert changed["other"] != changed["web"]
    stack.up("first")
    [after] = stack.runner.observe(stack.name).of("web")
    assert after.definition == before.definition
    assert stack.runner.restart(stack.name, ["web"], emit=ignore, cancel=Cancel()) == ()
    [again] = stack.runner.observe(stack.name).of("web")
    assert (again.id != after.id, again.definition) == (True, after.definition)


ELSEWHERE = """\
name: {project}
services:
  web:
    image: {image}
    command: [sleep, "999"]
    stop_signal: SIGKILL
    environment: {{GREETING: "{greeting}"}}
    deploy: {deploy}
"""


def bring_up(runner: SwarmRunner, release: Release, **given: str) -> tuple[str, ...]:
    """Bring up one service, ``web``, of an image, with a greeting, deployed in some way."""
    document = ELSEWHERE.format(project=release.compose_project, **given)
    return runner.up(
        release,
        document.encode(),
        PurePath("/nowhere"),
        scale={},
        secrets={},
        source=None,
        emit=ignore,
        cancel=Cancel(),
    )


def test_a_node_that_never_signed_in_pulls(
    stack_of_two: Stack, nodes: Nodes, shop: Repository, tmp_path: Path
) -> None:
    """From a registry with a password: it gets the credentials that a login left on the machine
    that runs the release."""
    first, other = nodes.all[:2]
    person, password = PERSON
    config = ("--config", str(tmp_path))
    login = ("login", "--username", person, "--password", password, nodes.guarded)
    first.docker(*config, *login)
    first.docker("pull", stack_of_two.image)
    first.docker("tag", stack_of_two.image, f"{nodes.guarded}/app:1")
    first.docker(*config, "push", f"{nodes.guarded}/app:1")
    image = f"{nodes.guarded}/app@{stack_of_two.image.partition('@')[2]}"
    assert not other.attempt("pull", image)
    runner, _ = runner_on(first, {**shop.environ, "DOCKER_CONFIG": str(tmp_path)})
    deploy = f'{{placement: {{constraints: ["node.hostname == {other.name}"]}}}}'
    said = bring_up(runner, stack_of_two.release, image=image, greeting="hello", deploy=deploy)
    assert said == ()
    [web] = runner.observe(stack_of_two.name).of("web")
    assert (web.state, web.image_id, web.settings["node"]) == ("running", image, other.name)


def test_one_on_each_node(stack_of_two: Stack) -> None:
    """It is up when each node runs one, and again when each runs one of the next release."""
    runner, release = stack_of_two.runner, stack_of_two.release
    everywhere = "{mode: global, update_config: {parallelism: 0}}"
    for greeting in ("one", "two"):
        given = {"image": stack_of_two.image, "greeting": greeting, "deploy": everywhere}
        assert bring_up(runner, release, **given) == ()
        seen = runner.observe(stack_of_two.name)
        assert {it.settings["node"] for it in seen.of("web")} == {"node1", "node2", "node3"}
        assert [it.state for it in seen.containers] == ["running"] * 3
        assert seen.numbers == {"web": 3}
    nowhere = '{mode: global, placement: {constraints: ["node.hostname == nowhere"]}}'
    short = replace(release, deploy=Deploy(engine="swarm", timeout=2))
    given = {"image": stack_of_two.image, "greeting": "three", "deploy": nowhere}
    assert "no node has got one" in bring_up(runner, short, **given)[-1]


def test_a_node_goes_during_a_run(shop: Repository, nodes: Nodes, env: str) -> None:
    """What it had is started on the others, and the run ends well."""
    slow = TEMPLATE.replace("parallelism: 0", "parallelism: 1, delay: 1s")
    shop.write("templates/compose.yaml.j2", slow)
    release(shop, env, "one")
    shop.inv("run", "--env", env)
    release(shop, env, "two")
    last = nodes.all[-1]

    def elsewhere() -> bool:
        there = tasks(nodes.first, stack(shop, env))
        running = [it["Node"] for it in there if it["CurrentState"].startswith("Running")]
        return len(running) == 3 and "node3" not in running

    with under_way(shop, "run", "--env", env) as run:
        wait_until(lambda: _replaced(nodes, shop, env), "the first container to be replaced")
        last.kill()
        try:
            _, said = run.communicate(timeout=90)
            assert run.returncode == 0, said
            wait_until(elsewhere, "what it had to run on the others")
        finally:
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


RACER = """\
import sys
from stagekit.builtin.runners import Swarm
from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import Busy
from stagekit.events import ignore
from stagekit.records import Holder
from stagekit.testing.records import NOON
import os
engine = DockerEngine(Endpoint(sys.argv[1], "a test"), os.environ)
engine = Swarm().stagekit_runner("swarm", engine, os.environ).engine_for(engine)
holder = Holder(actor=sys.argv[3], host="here", pid=1, command="inv run", since=NOON)
sys.stdin.readline()
try:
    lease = engine.lease(sys.argv[2], holder, seconds=60, wait=0, emit=ignore, cancel=Cancel())
    lease.check()
    print("taken", flush=True)
except Busy:
    print("busy", flush=True)
sys.stdin.readline()
"""


def test_one_of_many_gets_the_lock(shop: Repository, nodes: Nodes) -> None:
    """Six processes at once, two at each manager."""
    lock = f"{shop.name}-race"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, nodes.all[n % 3].url, lock, f"racer {n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=shop.environ,
        )
        for n in range(6)
    ]
    try:
        for racer in racers:
            assert racer.stdin
            racer.stdin.write("go\n")
            racer.stdin.flush()
        said = [racer.stdout.readline().strip() for racer in racers if racer.stdout]
        assert sorted(said) == ["busy"] * 5 + ["taken"]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


class TestSwarmRunner(RunnerContract):
    restarts_in_place = False  # Swarm puts others in their place

    @pytest.fixture
    def runner(self, shop: Repository, nodes: Nodes) -> Iterator[SwarmRunner]:
        for node in nodes.all:  # whichever gets a container, its engine is asked for it
            label = f"stagekit.address={node.url}"
            nodes.first.docker("node", "update", "--label-add", label, node.name)
        yield runner_on(nodes.first, shop.environ)[0]
        for node in nodes.all:
            nodes.first.docker("node", "update", "--label-rm", "stagekit.address", node.name)

    @pytest.fixture
    def image(self, shop: Repository) -> str:
        return image_of(shop)


class TestSwarmLease(LeaseContract):
    @pytest.fixture
    def engine(self, shop: Repository, nodes: Nodes) -> Engine:
        return runner_on(nodes.all[1], shop.environ)[1]


def test_what_swarm_cannot_do_is_refused_when_it_is_released(shop: Repository, env: str) -> None:
    """By its place in the document, and with the way out."""
    shop.write(
        "templates/compose.yaml.j2", "services: {web: {image: '${IMAGE_APP}', privileged: true}}\n"
    )
    refused = shop.attempt("release", "--env", env)
    assert (refused.code, "services.web.privileged" in refused.stderr) == (4, True), refused.text
