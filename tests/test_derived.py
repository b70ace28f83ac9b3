"""A document derived from a sealed one: apart from it in every name, port and address; and what
keeps a release from running beside another."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit.cancel import Cancel
from stagekit.containers import COMPARISON
from stagekit.engine.compose import Document, find_compose
from stagekit.inputs.derived import Offer, derive, offers
from stagekit.inputs.document import parse, to_yaml
from stagekit.inputs.files import take_in
from stagekit.inputs.seal import model_of, replicas, seal
from stagekit.inputs.sharing import shared
from tests.test_seal import PIN, normalised

Tree = dict[str, Any]
LABELS = {COMPARISON: "boot pid:[1] 7 99", "stagekit.release": "dev/v1"}
KINDS = ("networks", "volumes", "secrets", "configs")

NASTY = """
services:
  web:
    image: web:1
    container_name: shop
    hostname: web.example.com
    mac_address: 02:42:ac:11:65:43
    labels: {traefik.enable: "true"}
    ports: ["8080:80", "127.0.0.1:8081:80", "8443:443", "9000-9002:90/udp", "99"]
    networks: {back: {ipv4_address: 172.28.0.5, aliases: [www]}, default: {}}
    volumes: ["data:/data", "/srv/conf:/conf:ro", "/anon", {type: tmpfs, target: /t}]
    secrets: [token]
    configs: [page]
    depends_on: [many]
  db:
    image: db:1
    container_name: shop-db
    volumes_from: ["web:ro"]
    pid: "service:web"
  many: {image: m:1, deploy: {replicas: 2}}
  tail: {image: t:1, network_mode: "service:web"}
  lonely: {image: l:1, network_mode: none}
networks:
  back:
    name: shop-back
    labels: {a: b}
    driver_opts: {com.docker.network.bridge.name: br-shop}
    ipam: {config: [{subnet: 172.28.0.0/16, gateway: 172.28.0.1}]}
  unused: {external: true}
volumes:
  data: {name: shop-data, labels: ["q=1"]}
  memory: {driver_opts: {type: tmpfs, device: tmpfs}}
  unused: {external: true, name: elsewhere}
secrets: {token: {environment: TOKEN}}
configs: {page: {content: "<p>$$5</p>"}}
"""


def derived(document: Tree, project: str = "shop-compare-1-old-dev") -> Tree:
    return derive(document, project=project, labels=LABELS, host="127.0.0.1").document


def a_service(**keys: Any) -> Tree:
    return {"name": "shop-dev", "services": {"web": {"image": "web:1", **keys}}}


@pytest.fixture
def nasty(tmp_path: Path) -> Tree:
    """A sealed document that names and fixes all that it can."""
    model = normalised(find_compose(os.environ, {}), NASTY, tmp_path)
    pins = dict.fromkeys(model["services"], PIN)
    taken = take_in(model, tmp_path).model
    return parse(seal(taken, pins=pins, project="shop", env="dev").encode())


def test_all_that_is_named_and_fixed_is_left_out(nasty: Tree) -> None:
    """And said, each with what it was called."""
    assert shared(nasty) == ()
    result = derive(nasty, project="shop-x", labels=LABELS, host="127.0.0.1")
    web = result.document["services"]["web"]
    assert web["networks"] == {
        "back": {"aliases": ["www", "shop"]},
        "default": {"aliases": ["shop"]},
    }
    assert result.document["services"]["db"]["networks"] == {"default": {"aliases": ["shop-db"]}}
    assert "networks" not in result.document["services"]["tail"]
    assert web["ports"] == [
        {"mode": "ingress", "protocol": "tcp", "target": 80, "host_ip": "127.0.0.1"},
        {"mode": "ingress", "protocol": "tcp", "target": 443, "host_ip": "127.0.0.1"},
        {"mode": "ingress", "protocol": "udp", "target": 90, "host_ip": "127.0.0.1"},
        {"mode": "ingress", "protocol": "tcp", "target": 99, "host_ip": "127.0.0.1"},
    ]
    assert (web["hostname"], web["mac_address"]) == ("web.example.com", "02:42:ac:11:65:43")
    assert replicas(result.document) == replicas(nasty)
    assert set(result.document["volumes"]) == {"data"}
    assert set(result.document["networks"]) == {"back", "default"}
    assert result.left_out == (
        "services.db.container_name shop-db, which stays a name in its networks",
        "services.web.container_name shop, which stays a name in its networks",
        "services.web.labels traefik.enable",
        "services.web.networks.back 172.28.0.5",
        "networks.back.name shop-back",
        "volumes.data.name shop-data",
        "networks.back.ipam 172.28.0.1, 172.28.0.0/16",
        "networks.back.driver_opts com.docker.network.bridge.name br-shop",
    )


def test_compose_gives_it_names_of_its_project_alone(nasty: Tree, tmp_path: Path) -> None:
    """The real one: of two that are derived, nothing has the same name."""
    names = []
    for project in ("shop-prod", "shop-compare-1-old-dev", "shop-compare-1-new-dev"):
        document = nasty if project == "shop-prod" else derived(nasty, project)
        output = find_compose(os.environ, {}).config(
            [Document(text=to_yaml(document), where="compose.yaml")],
            name=project,
            folder=tmp_path,
            variables={},
            cancel=Cancel(),
            warn=lambda _: None,
        )
        model = model_of(output)
        found = {item["name"] for kind in KINDS for item in (model.get(kind) or {}).values()}
        found |= {it.get("container_name") or f"{project}-{name}" for name, it in services(model)}
        names.append(found)
    assert all(not one & other for one in names for other in names if one is not other)


def services(document: Tree) -> list[tuple[str, Tree]]:
    return list(document["services"].items())


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def maybe(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    """Some of the keys."""
    return st.fixed_dictionaries({}, optional=keys)


NAMES = some("back", "default", "front")
NUMBERS = some(80, 443, 8080)
SERVICE = maybe(
    container_name=some("shop", "shop-db"),
    hostname=some("shop", "web"),
    labels=st.dictionaries(some("traefik.enable", "stagekit.env", "a"), some("$$5", "b")),
    environment=st.dictionaries(some("A", "B"), some("shop", "x$$y", "10.0.0.1")),
    network_mode=some("none", "bridge", "service:other"),
    restart=some("no", "always"),
    networks=st.dictionaries(
        NAMES,
        st.none()
        | maybe(
            ipv4_address=some("172.28.0.5", "172.28.0.6"),
            ipv6_address=some("fd00::5"),
            link_local_ips=st.lists(some("169.254.1.1")),
            aliases=st.lists(some("shop", "www"), min_size=1, unique=True),
        ),
    ),
    ports=st.lists(
        st.builds(
            lambda target, protocol, more: {"target": target, "protocol": protocol, **more},
            NUMBERS,
            some("tcp", "udp"),
            maybe(
                published=some("80", "9000-9002", ""), host_ip=some("10.1.2.3"), mode=some("host")
            ),
        )
    ),
    volumes=st.lists(
        some(
            {"type": "volume", "source": "data", "target": "/d"},
            {"type": "volume", "target": "/anonymous"},
            {"type": "bind", "source": "/srv", "target": "/s", "read_only": True},
            {"type": "tmpfs", "target": "/t"},
        )
    ),
    secrets=st.lists(some({"source": "token", "target": "/run/token"}), max_size=1),
    configs=st.lists(some({"source": "page", "target": "/page"}), max_size=1),
)


def valid(service: Tree) -> Tree:
    """Compose takes one of both."""
    if "network_mode" in service:
        service.pop("networks", None)
    return service


OWN = maybe(name=some("shop", "shop-dev_data"), labels=some({"a": "b"}, ["a=b"]))
NETWORK = maybe(
    name=some("shop", "shop-dev_back"),
    labels=some({"a": "b"}),
    driver=some("bridge", "overlay"),
    internal=st.booleans(),
    driver_opts=some({}, {"com.docker.network.bridge.name": "br0", "mtu": "1400"}),
    ipam=some({}, {"driver": "default", "config": [{"subnet": "172.28.0.0/16"}]}),
)
DOCUMENT = st.fixed_dictionaries(
    {
        "name": st.just("shop-dev"),
        "services": st.dictionaries(some("web", "db", "x"), SERVICE.map(valid), min_size=1),
        "networks": st.fixed_dictionaries({"back": NETWORK, "default": NETWORK, "front": NETWORK}),
        "volumes": st.fixed_dictionaries({"data": OWN}),
        "secrets": st.just({"token": {"name": "shop-dev_token", "environment": "X"}}),
        "configs": st.just({"page": {"name": "shop-dev_page", "content": "a"}}),
    }
)


def check_apart(made: Tree) -> None:
    """Nothing in it is named, fixed or found by anything but its own project and labels."""
    for kind in KINDS:
        for item in (made.get(kind) or {}).values():
            assert not {"name", "external", "ipam"} & set(item)
            assert "com.docker.network.bridge.name" not in (item.get("driver_opts") or {})
            assert item.get("labels") == (LABELS if kind in ("networks", "volumes") else None)
    for _, service in services(made):
        assert service["labels"] == LABELS
        assert "container_name" not in service
        for it in (service.get("networks") or {}).values():
            assert not {"ipv4_address", "ipv6_address", "link_local_ips"} & set(it or {})
        ports = service.get("ports") or []
        assert all(port["host_ip"] == "127.0.0.1" and "published" not in port for port in ports)
        assert len({(port["target"], port["protocol"]) for port in ports}) == len(ports)


@given(DOCUMENT)
def test_whatever_is_derived_is_apart_and_otherwise_the_same(document: Tree) -> None:
    """Once more derived it is the same; what it was derived from stays as it was."""
    before = copy.deepcopy(document)
    made = derived(document)
    assert document == before
    check_apart(made)
    assert parse(to_yaml(made).encode()) == made
    assert derived(made) == made
    other = derived(document, "shop-compare-1-new-dev")
    assert {**other, "name": made["name"]} == made
    assert offers(made) == tuple(
        Offer(one.service, one.target, (), one.scheme) for one in offers(document)
    )
    for name, service in services(document):
        ours = made["services"][name]
        same = ("image", "environment", "hostname", "network_mode", "restart", "volumes", "secrets")
        assert {key: ours.get(key) for key in same} == {key: service.get(key) for key in same}
        called = service.get("container_name")
        if called and not service.get("network_mode"):
            assert all(called in it["aliases"] for it in ours["networks"].values())
            assert set(ours["networks"]) == set(service.get("networks") or {"default"})
        named = {mount.get("source") for mount in service.get("volumes") or []}
        assert "data" not in named or "data" in made["volumes"]
        if not service.get("network_mode"):
            assert set(service.get("networks") or {"default"}) <= set(made["networks"])


MOUNT = {"type": "bind", "source": "/srv", "target": "/srv"}
NET = {"networks": {"back": {}}}
VOLUME = {"volumes": [{"type": "volume", "source": "data", "target": "/d"}]}
READ = {"volumes": [{**VOLUME["volumes"][0], "read_only": True}]}
FIXED = {"networks": {"back": {"ipam": {"config": [{"subnet": "172.28.0.0/16"}]}}}}


@pytest.mark.parametrize(
    ("service", "more", "where", "what"),
    [
        ({"network_mode": "host"}, {}, "services.web.network_mode", "the host's own network"),
        ({"network_mode": "container:x"}, {}, "services.web.network_mode", "container:x is not"),
        ({"network_mode": "lan"}, {}, "services.web.network_mode", "lan is not the release's own"),
        ({"ipc": "host"}, {}, "services.web.ipc", "memory segments"),
        ({"pid": "container:x"}, {}, "services.web.pid", "end the processes"),
        ({"volumes_from": ["container:x:ro"]}, {}, "services.web.volumes_from", "container:x:ro"),
        ({"external_links": ["db:db"]}, {}, "services.web.external_links", "db:db"),
        ({"volumes": [MOUNT]}, {}, "services.web.volumes", "both would write to /srv"),
        (
            {"volumes": [{**MOUNT, "source": "/run/docker.sock", "read_only": True}]},
            {},
            "services.web.volumes",
            "the same program",
        ),
        ({"volumes": [{**MOUNT, "type": "npipe"}]}, {}, "services.web.volumes", "npipe"),
        (NET, {"networks": {"back": {"external": True}}}, "networks.back", "back is external"),
        (NET, {"networks": {"back": {"driver": "macvlan"}}}, "networks.back", "macvlan"),
        (
            VOLUME,
            {"volumes": {"data": {"external": True, "name": "pg"}}},
            "volumes.data",
            "pg is external",
        ),
        (VOLUME, {"volumes": {"data": {"driver": "nfs"}}}, "volumes.data", "the driver nfs"),
        (
            VOLUME,
            {"volumes": {"data": {"driver_opts": {"type": "nfs", "device": ":/x"}}}},
            "volumes.data",
            "both would write to :/x",
        ),
        (
            {"secrets": [{"source": "s"}]},
            {"secrets": {"s": {"external": True, "name": "key"}}},
            "secrets.s",
            "key is external",
        ),
        (
            {"configs": [{"source": "c"}]},
            {"configs": {"c": {"external": True}}},
            "configs.c",
            "c is external",
        ),
        (
            {
                "networks": {"back": {"ipv4_address": "172.28.0.5"}},
                "environment": {"DB": "172.28.0.5:6"},
            },
            {},
            "services.web.environment.DB",
            "the fixed address 172.28.0.5,",
        ),
        (
            {**NET, "command": ["--trust", "172.28.0.0/16"]},
            FIXED,
            "services.web.command",
            "172.28.0.0/16",
        ),
        (
            {"networks": {"back": {"ipv6_address": "fd00::5"}}, "extra_hosts": ["db:FD00::5"]},
            {},
            "services.web.extra_hosts",
            "FD00::5",
        ),
    ],
)
def test_what_cannot_be_had_twice(service: Tree, more: Tree, where: str, what: str) -> None:
    """Each reason names its place; and a hint says what else to write."""
    reasons = shared({**a_service(**service), **more})
    assert [reason.where for reason in reasons] == [where]
    assert what in reasons[0].what
    assert reasons[0].hint


@pytest.mark.parametrize(
    ("service", "more"),
    [
        ({"volumes": [{**MOUNT, "read_only": True}]}, {}),
        (READ, {"volumes": {"data": {"driver_opts": {"type": "nfs", "device": ":/x"}}}}),
        (VOLUME, {"volumes": {"data": {"driver_opts": {"o": "addr=1,ro", "device": ":/x"}}}}),
        (VOLUME, {"volumes": {"data": {"driver_opts": {"type": "tmpfs", "device": "tmpfs"}}}}),
        ({"network_mode": "service:db", "pid": "service:db", "ipc": "shareable"}, {}),
        ({"volumes_from": ["db:ro"]}, {}),
        ({}, {"networks": {"x": {"external": True}}, "volumes": {"y": {"external": True}}}),
        (
            {
                "networks": {"back": {"ipv4_address": "172.28.0.5"}},
                "environment": {"OTHERS": "172.28.0.50 1172.28.0.5 172.28.0.5.9"},
            },
            FIXED,
        ),
    ],
)
def test_what_can(service: Tree, more: Tree) -> None:
    """What is only read, or unused, or of the document, or looks like something else."""
    assert shared({**a_service(**service), **more}) == ()


def test_a_file_that_counts_on_an_address_is_found() -> None:
    """One that the release mounts."""
    document = a_service(networks={"back": {"ipv4_address": "172.28.0.5"}})
    [reason] = shared(document, {"files/0/a.conf": b"up 172.28.0.5;", "files/0/b": b"\xff"})
    assert reason.where == "files/0/a.conf"


def test_ports_by_what_they_speak() -> None:
    """The number in the container, all that it is published as, and TLS where it is known."""
    ports = [
        {"target": 8080, "published": "80", "protocol": "tcp"},
        {"target": 8080, "published": "81"},
        {"target": 443, "protocol": "tcp"},
        {"target": 9000, "protocol": "tcp", "app_protocol": "https"},
        {"target": 53, "protocol": "udp"},
    ]
    assert offers(a_service(ports=ports)) == (
        Offer("web", 443, (), "https"),
        Offer("web", 8080, ("80", "81"), "http"),
        Offer("web", 9000, (), "https"),
    )


def test_dollars_in_a_label_arrive(nasty: Tree) -> None:
    """Compose undoubles them."""
    made = derive(nasty, project="x", labels={"l": "a$b"}, host="0.0.0.0").document  # noqa: S104
    assert made["services"]["web"]["labels"] == {"l": "a$$b"}
