"""What keeps one private engine apart from another, and from what else this machine has."""

from __future__ import annotations

from pathlib import Path

from stagekit.engine.embedded import Settings

HOME = Path("/home/ann/.local/share/stagekit")


def test_an_engine_has_the_same_network_at_each_start() -> None:
    """And another one's is another."""
    assert Settings.of(HOME) == Settings.of(HOME, {"eth0": ["192.0.2.2/24"], "lo": ["127.0.0.1/8"]})
    assert Settings.of(HOME).bridge != Settings.of(HOME / "other").bridge


def test_a_network_that_another_interface_has_is_not_taken() -> None:
    """Packets for the containers of one would go to the other's."""
    own = Settings.of(HOME)
    beside = Settings.of(HOME, {"br-1": [f"{own.network}.131.1/24"]})
    assert beside.bridge == own.bridge
    assert beside.network != own.network
    everything = {"tun0": [f"10.{number}.0.1/24" for number in range(256)]}
    assert Settings.of(HOME, everything) == own


def test_its_own_bridge_is_no_other() -> None:
    """One that a killed engine has left is used again."""
    own = Settings.of(HOME)
    assert Settings.of(HOME, {own.bridge: [f"{own.network}.0.1/24"]}) == own
