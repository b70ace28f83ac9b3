"""Ports that somebody else holds are found before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from stagekit.containers import ANY_ADDRESS, Port
from stagekit.pipeline.run.ports import conflicts
from stagekit.testing.engine import FakeEngine
from stagekit.testing.records import a_container

ANY = ANY_ADDRESS


def tcp(number: object, host: str = ANY) -> Port:
    return Port(host, str(number), "tcp")


def udp(number: object, host: str = ANY) -> Port:
    return Port(host, str(number), "udp")


def other(*ports: Port) -> FakeEngine:
    """An engine on which another project publishes ``ports``."""
    return FakeEngine(running=(a_container(name="them-1", project="them", ports=ports),))


@pytest.fixture
def held() -> Iterator[int]:
    """A port of 127.0.0.1 on which this process listens."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("theirs", "host", "taken"),
    [
        (tcp(80), ANY, True),
        (tcp(80, "127.0.0.1"), ANY, True),
        (tcp(80), "127.0.0.1", True),
        (tcp(80, "::"), "127.0.0.1", True),
        (tcp(80, "127.0.0.1"), "127.0.0.1", True),
        (tcp(80, "127.0.0.2"), "127.0.0.1", False),
        (udp(80), ANY, False),
        (tcp(8080), ANY, False),
    ],
)
def test_another_containers_port_is_a_conflict(theirs: Port, host: str, taken: bool) -> None:
    """Same port, same protocol, and addresses that meet."""
    found = conflicts([("web", tcp(80, host))], "shop-prod", other(theirs))
    expected = ("port 80, which web publishes, is taken by container them-1",)
    assert found == (expected if taken else ())


def test_what_is_replaced_is_no_conflict() -> None:
    """The environment's own containers hold the port until they are replaced."""
    engine = FakeEngine(running=(a_container(project="shop-prod", ports=(tcp(80),)),), local=True)
    assert conflicts([("web", tcp(80))], "shop-prod", engine) == ()


def test_another_program_is_found_on_this_machine(held: int) -> None:
    """A socket tells what no container holds; where the engine is elsewhere, it cannot."""
    wanted = [("web", tcp(held, "127.0.0.1"))]
    assert conflicts(wanted, "shop-prod", FakeEngine(local=True)) == (
        f"port {held}, which web publishes, is taken by another program",
    )
    assert conflicts(wanted, "shop-prod", FakeEngine(local=False)) == ()


def test_our_own_port_is_not_probed(held: int) -> None:
    """What our own container holds looks taken to a socket, and is not."""
    mine = a_container(project="shop-prod", ports=(tcp(held, "127.0.0.1"),))
    engine = FakeEngine(running=(mine,), local=True)
    assert conflicts([("web", tcp(held, "127.0.0.1"))], "shop-prod", engine) == ()


def test_a_udp_port_is_probed_as_one() -> None:
    """A port taken for TCP is free for UDP, and the other way round."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        engine = FakeEngine(local=True)
        assert conflicts([("dns", udp(port, "127.0.0.1"))], "shop-prod", engine)
        assert not conflicts([("dns", tcp(port, "127.0.0.1"))], "shop-prod", engine)


def test_a_range_and_a_foreign_address_are_the_engines_to_judge() -> None:
    """The engine picks what is free in a range; an address that is not ours is not ours to bind."""
    engine = FakeEngine(running=other(tcp(8000)).running, local=True)
    assert conflicts([("web", tcp("8000-8010"))], "shop-prod", engine) == ()
    assert conflicts([("web", tcp(81, "203.0.113.1"))], "shop-prod", engine) == ()


def test_every_conflict_is_told() -> None:
    """Two ports in the way are two reasons, in the order of the document."""
    engine = other(tcp(80), tcp(443))
    wanted = [("web", tcp(443)), ("api", tcp(81)), ("old", tcp(80))]
    assert [text.split(",")[0] for text in conflicts(wanted, "shop-prod", engine)] == [
        "port 443",
        "port 80",
    ]
