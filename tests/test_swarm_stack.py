"""From a sealed document to a stack file: what Swarm takes, what it is told, what it cannot do."""

from __future__ import annotations

import copy
import subprocess
from typing import Any

import pytest

from stagekit.containers import CommandAsked, LogsAsked
from stagekit.engine.swarm import program
from stagekit.engine.swarm.api import fitting
from stagekit.engine.swarm.fit import passed_over, unfit
from stagekit.engine.swarm.objects import PlacedFile, held_of, opened
from stagekit.engine.swarm.stack import (
    DEFINITION,
    ONCE,
    definitions_of,
    once_of,
    only,
    stack_of,
    with_dependencies,
)

PIN = "registry.example/app@sha256:" + "a" * 64
KEY = b"a key"
GIVEN = {"STAGEKIT_SECRET_TOKEN": "sesame"}
DOCUMENT: dict[str, Any] = {
    "name": "shop-prod",
    "services": {
        "web": {
            "command": None,
            "entrypoint": None,
            "image": PIN,
            "cpus": 0.5,
            "mem_limit": "134217728",
            "depends_on": {"db": {"condition": "service_healthy", "required": True}},
            "environment": {"PRICE": "5$$", "TOKEN": "${STAGEKIT_SECRET_TOKEN}"},
            "extra_hosts": ["db.example=10.0.0.1", "ip6=::1"],
            "healthcheck": {"test": ["CMD", "true"], "interval": "1s", "start_interval": "1s"},
            "labels": {"stagekit.env": "prod"},
            "networks": {"default": None, "front": {"aliases": ["shop"]}},
            "ports": [
                {"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"},
                {"mode": "host", "target": 53, "protocol": "udp", "app_protocol": "dns"},
            ],
            "restart": "on-failure:3",
            "configs": [{"source": "plain", "mode": 0o440}, {"source": "mixed", "target": "/m"}],
            "secrets": [{"source": "token", "uid": "7"}, {"source": "theirs"}],
            "volumes": [
                {"type": "volume", "source": "data", "target": "/data", "volume": {}},
                {"type": "bind", "source": "./files/12/motd", "target": "/etc/motd"},
                {"type": "bind", "source": "./files/34/site", "target": "/www"},
                {"type": "bind", "source": "/run/x", "target": "/x", "bind": {"selinux": "z"}},
                {"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": "64"}},
            ],
            "deploy": {
                "replicas": 2,
                "resources": {"limits": {"pids": 9}, "reservations": {"cpus": 0.1}},
                "update_config": {"order": "start-first", "failure_action": "rollback"},
                "placement": {"constraints": ["node.role == worker"]},
            },
        },
        "db": {"image": PIN, "depends_on": {"disk": {}}, "scale": 1},
        "disk": {"image": PIN, "deploy": {"mode": "global"}},
    },
    "networks": {
        "default": {"name": "shop-prod_default", "ipam": {}},
        "front": {"name": "front", "external": True},
    },
    "volumes": {"data": {"name": "shop-prod_data"}},
    "configs": {
        "plain": {"name": "shop-prod_plain", "content": "a $${b}\n"},
        "mixed": {"name": "shop-prod_mixed", "content": "t=${STAGEKIT_SECRET_TOKEN}"},
    },
    "secrets": {
        "token": {"name": "shop-prod_token", "environment": "STAGEKIT_SECRET_TOKEN"},
        "theirs": {"name": "theirs", "external": True},
    },
}
FILES = {
    "files/12/motd": PlacedFile(config="motd.12"),
    "files/34/site/index.html": PlacedFile(config="index.34"),
    "files/34/site/bin/run": PlacedFile(config="run.34", executable=True),
    "files/56/other": PlacedFile(config="other.56"),
}


def made(document: dict[str, Any] = DOCUMENT, **scale: int) -> dict[str, Any]:
    held = held_of(document, stack="shop-prod", given=GIVEN, key=KEY)
    return stack_of(document, held=held, files=FILES, given=GIVEN, key=KEY, scale=scale)


def changed(service: str = "web", **keys: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["services"][service] |= keys
    return document


def definition(document: dict[str, Any], token: str = "sesame") -> str:  # noqa: S107
    given = {"STAGEKIT_SECRET_TOKEN": token}
    held = held_of(document, stack="shop-prod", given=given, key=KEY)
    return definitions_of(document, held=held, given=given, key=KEY)["web"]


def test_a_service_as_the_stack_file_has_it() -> None:
    """Everything that Swarm knows in its own form, and nothing that it does not."""
    web = made()["services"]["web"]
    assert web.pop("configs")[2:] == [
        {"source": "run.34", "target": "/www/bin/run", "mode": 0o555},
        {"source": "index.34", "target": "/www/index.html", "mode": 0o444},
    ]
    assert {item["target"] for item in web.pop("secrets")} == {"token", "theirs", "/m"}
    labels = web.pop("labels")
    assert labels.pop(DEFINITION) == definition(DOCUMENT)
    assert labels == {"stagekit.env": "prod"}
    assert web == {
        "image": PIN,
        "environment": {"PRICE": "5$$", "TOKEN": "${STAGEKIT_SECRET_TOKEN}"},
        "extra_hosts": ["db.example:10.0.0.1", "ip6:::1"],
        "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
        "networks": {"default": None, "front": {"aliases": ["shop"]}},
        "ports": [
            {"mode": "ingress", "target": 80, "published": 8080, "protocol": "tcp"},
            {"mode": "host", "target": 53, "protocol": "udp"},
        ],
        "volumes": [
            {"type": "volume", "source": "data", "target": "/data"},
            {"type": "bind", "source": "/run/x", "target": "/x"},
            {"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": 64}},
        ],
        "deploy": {
            "replicas": 2,
            "resources": {
                "limits": {"memory": "134217728", "cpus": "0.5", "pids": 9},
                "reservations": {"cpus": "0.1"},
            },
            "restart_policy": {"condition": "on-failure", "max_attempts": 3},
            "update_config": {"order": "start-first", "failure_action": "pause"},
            "placement": {"constraints": ["node.role == worker"]},
        },
    }


def test_what_services_share() -> None:
    """Networks are Swarm's; configs and secrets are there already, under their own names."""
    stack = made()
    assert stack["networks"] == {
        "default": {"name": "shop-prod_default"},
        "front": {"name": "front", "external": True},
    }
    assert stack["volumes"] == {"data": {"name": "shop-prod_data"}}
    assert all(it == {"external": True, "name": name} for name, it in stack["configs"].items())
    assert "theirs" in stack["secrets"]
    assert "sesame" not in str(stack)


@pytest.mark.parametrize(
    ("service", "asked", "replicas"),
    [("web", {"web": 5}, 5), ("web", {}, 2), ("db", {}, 1), ("disk", {"disk": 2}, None)],
)
def test_numbers_of_containers(service: str, asked: dict[str, int], replicas: int | None) -> None:
    """Those that are asked for, else the document's; one on each node has none."""
    assert made(**asked)["services"][service]["deploy"].get("replicas") == replicas


def test_names_stand_for_content() -> None:
    """Another content is another name; a secret's tells nothing to who has not the key."""
    held = held_of(DOCUMENT, stack="shop-prod", given=GIVEN, key=KEY)
    assert held["configs", "plain"].data == b"a ${b}\n"
    assert held["configs", "mixed"].kind == "secrets"
    assert held["configs", "mixed"].data == b"t=sesame"
    assert held["secrets", "theirs"].name == "theirs"
    other = held_of(DOCUMENT, stack="shop-prod", given={"STAGEKIT_SECRET_TOKEN": "other"}, key=KEY)
    keyed = held_of(DOCUMENT, stack="shop-prod", given=GIVEN, key=b"another")
    for found in (other, keyed):
        assert found["configs", "plain"] == held["configs", "plain"]
        assert found["secrets", "token"].name != held["secrets", "token"].name
        assert found["configs", "mixed"].name != held["configs", "mixed"].name
    long = held_of(DOCUMENT, stack="s" * 80, given=GIVEN, key=KEY)
    assert all(len(item.name) <= 64 for item in long.values())


def test_a_name_that_is_too_long_ends_in_a_digest() -> None:
    """Swarm takes 64 characters."""
    assert fitting("short") == "short"
    long = fitting("x" * 100)
    assert len(long) == 64
    assert long != fitting("x" * 101)


def test_dollars_of_a_sealed_text() -> None:
    """Compose has doubled them; what is open is filled in once."""
    assert opened("$$5 ${A} $${A}", {"A": "$$x"}) == "$5 $$x ${A}"


@pytest.mark.parametrize(
    "document",
    [
        changed(deploy={**DOCUMENT["services"]["web"]["deploy"], "replicas": 7}),
        changed(depends_on={}),
        changed("db", image=PIN.replace("a", "b")),
    ],
)
def test_what_replaces_no_container(document: dict[str, Any]) -> None:
    """Their number, the order of things, another service."""
    assert definition(document) == definition(DOCUMENT)


@pytest.mark.parametrize(
    ("document", "token"),
    [
        (changed(image=PIN.replace("a", "b")), "sesame"),
        (changed(mem_limit="1"), "sesame"),
        (changed(deploy={"replicas": 2}), "sesame"),
        (DOCUMENT, "another"),
    ],
)
def test_what_replaces_containers(document: dict[str, Any], token: str) -> None:
    """All that they are made from, secrets too."""
    assert definition(document, token) != definition(DOCUMENT)


def test_a_service_for_one_command() -> None:
    """Like the other, but for what would stand in its way, and alone."""
    once = once_of(
        made(),
        "web",
        "web-once",
        command=("echo", "$HOME"),
        changes={"user": "7"},
        labels={"a": "b"},
    )
    [(name, service)] = once["services"].items()
    assert name == "web-once"
    assert service["command"] == ["echo", "$$HOME"]
    assert (service["user"], service["healthcheck"]) == ("7", {"disable": True})
    assert not {"ports", "labels"} & service.keys()
    assert service["deploy"]["restart_policy"] == {"condition": "none"}
    assert service["deploy"]["labels"] == {ONCE: "web-once", "a": "b"}
    assert service["deploy"]["placement"] == {"constraints": ["node.role == worker"]}


def test_what_a_service_depends_on() -> None:
    """Directly or not; the stack file can be cut down to it."""
    needed = with_dependencies(DOCUMENT, "web")
    assert needed == {"db", "disk"}
    assert set(only(made(), needed)["services"]) == needed


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"privileged": True}, "services.web.privileged"),
        ({"network_mode": "host"}, "services.web.network_mode"),
        ({"devices": [{"source": "/dev/kvm"}]}, "services.web.devices"),
        ({"image": "sha256:" + "a" * 64}, "services.web.image"),
        ({"ports": [{"target": 1, "published": "1-9", "protocol": "tcp"}]}, "services.web.ports"),
        (
            {"ports": [{"target": 1, "published": "1", "host_ip": "127.0.0.1"}]},
            "services.web.ports",
        ),
        (
            {"networks": {"default": {"ipv4_address": "10.0.0.9"}}},
            "services.web.networks.default.ipv4_address",
        ),
        (
            {"volumes": [{"type": "volume", "target": "/x", "volume": {"subpath": "y"}}]},
            "services.web.volumes",
        ),
        (
            {"volumes": [{"type": "bind", "source": "${STAGEKIT_SOURCE}/x", "target": "/x"}]},
            "services.web.volumes",
        ),
        (
            {"deploy": {"resources": {"reservations": {"devices": [{}]}}}},
            "services.web.deploy.resources.reservations.devices",
        ),
        ({"deploy": {"mode": "replicated-job"}}, "services.web.deploy.mode"),
        ({"deploy": {"mode": "global-job"}}, "services.web.deploy.mode"),
    ],
)
def test_what_swarm_cannot_do(keys: dict[str, Any], where: str) -> None:
    """Each says where it stands, and the way out."""
    [reason] = unfit(changed(**keys))
    assert str(reason).startswith(f"{where}: ")
    assert reason.hint


def test_what_fits_and_what_means_nothing() -> None:
    """A document that fits has no reason; what Swarm has no use for is said once."""
    assert unfit(DOCUMENT) == ()
    assert unfit(changed(privileged=False, devices=[])) == ()
    bridge = copy.deepcopy(DOCUMENT)
    bridge["networks"]["default"]["driver"] = "bridge"
    assert [reason.where for reason in unfit(bridge)] == ["networks.default.driver"]
    [said] = passed_over(DOCUMENT)
    assert said.startswith("depends_on of web, db is left out: Swarm starts all services at once")


def test_what_the_docker_command_is_told() -> None:
    """As lists of words."""
    assert program.stack_deploy("docker", "shop-prod", detach=True, credentials=True) == (
        *("docker", "stack", "deploy", "--compose-file", "-", "--resolve-image", "never"),
        *("--detach=true", "--with-registry-auth", "shop-prod"),
    )
    asked = LogsAsked(follow=True, tail=3, since="10m", timestamps=True)
    assert program.service_logs("docker", asked) == (
        *("docker", "service", "logs", "--no-task-ids", "--follow", "--timestamps"),
        *("--tail", "3", "--since", "10m"),
    )
    command = CommandAsked(
        service="web", command=("ls", "-l"), user="7", workdir="/x", terminal=True
    )
    assert program.container_exec("docker", "abc", command) == (
        *("docker", "exec", "--interactive", "--tty", "--user", "7", "--workdir", "/x"),
        *("abc", "ls", "-l"),
    )


def test_credentials_are_handed_on_where_there_are_any(tmp_path: Any) -> None:
    """What a login left in Docker's own settings."""
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert not program.has_credentials(environ)
    (tmp_path / "config.json").write_text('{"auths": {}}')
    assert not program.has_credentials(environ)
    (tmp_path / "config.json").write_text('{"credsStore": "pass"}')
    assert program.has_credentials(environ)


def test_logs_of_several_services_come_side_by_side() -> None:
    """The docker command knows one at a time: it is run once for each, and ends as badly as one."""
    docker = program.DockerProgram("echo", {})
    assert docker.logs(["shop_web"], LogsAsked())[-1] == "shop_web"
    argv = docker.logs(["shop_web", "shop_db"], LogsAsked(tail=1))
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    said = [f"service logs --no-task-ids --tail 1 {name}" for name in ("shop_db", "shop_web")]
    assert sorted(done.stdout.splitlines()) == said
    failing = program.DockerProgram("false", {}).logs(["shop_web", "shop_db"], LogsAsked())
    assert subprocess.run(failing, check=False).returncode == 1
