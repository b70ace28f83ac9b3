"""What a Swarm holds for a release: configs, secrets and files."""

from __future__ import annotations

from typing import Any

import pytest

from stagekit.engine.swarm import objects
from stagekit.engine.swarm.fit import unfit
from stagekit.engine.swarm.stack import stack_of
from stagekit.errors import EngineError, RunFailed
from stagekit.testing.records import PIN, sha
from tests.managers import Manager

PATH = "files/abc/nginx.conf"


def document(source: str = PATH, **more: Any) -> dict[str, Any]:
    mount = {"type": "bind", "source": f"./{source}", "target": "/etc/nginx.conf"}
    return {"services": {"web": {"image": PIN.pinned, "volumes": [mount]}}, **more}


def mounts(manager: Manager) -> list[str]:
    """The configs that a service gets, which mounts a file."""
    made = stack_of(
        document(), held={}, files=objects.placed(manager), given={}, key=b"k", scale={}
    )
    return [item["source"] for item in made["services"]["web"]["configs"]]


def test_a_file_that_is_placed_again_is_young() -> None:
    """A run of another environment that ends meanwhile does not remove it."""
    manager = Manager()
    objects.place(manager, {PATH: b"x"}, ())
    manager.later(days=2)
    objects.place(manager, {PATH: b"x"}, ())
    objects.prune_files(manager)
    assert mounts(manager) == [objects.file_config(PATH)]
    manager.later(days=2)
    objects.prune_files(manager)
    assert manager.configs == {}


def test_a_file_that_is_removed_meanwhile_is_placed_again() -> None:
    """As it was asked for; between two questions to the manager."""
    manager = Manager()
    objects.place(manager, {PATH: b"x"}, ())

    def removed_then() -> str:
        if len(asked) == 2:
            manager.configs.clear()
        asked.append("")
        return ""

    asked: list[str] = []
    manager.refuses = removed_then
    objects.place(manager, {PATH: b"x"}, {PATH})
    assert mounts(manager) == [objects.file_config(PATH)]


def test_a_service_does_not_come_up_without_a_file() -> None:
    """Which it mounts, and which somebody removed."""
    manager = Manager()
    objects.place(manager, {"files/abc/other": b"x"}, ())
    with pytest.raises(RunFailed, match=r"services\.web\.volumes.* /etc/nginx\.conf") as raised:
        mounts(manager)
    assert "inv run" in str(raised.value.hint)


def test_what_something_uses_is_left_where_it_is() -> None:
    """Another environment's run may have begun to use it a moment ago."""
    manager = Manager()
    manager.refuses = lambda: "config 'a' is in use by the following service: shop-prod_web"
    manager.remove("configs", "a")
    manager.refuses = lambda: "permission denied"
    with pytest.raises(EngineError, match="permission denied"):
        manager.remove("configs", "a")


@pytest.mark.parametrize(
    ("tree", "where"),
    [
        ({"configs": {"motd": {"content": ""}}}, "shop-prod, configs.motd"),
        ({"configs": {"motd": {"content": "${STAGEKIT_SECRET_NONE}"}}}, "shop-prod, configs.motd"),
        ({"secrets": {"no": {"environment": "STAGEKIT_SECRET_NONE"}}}, "shop-prod, secrets.no"),
    ],
)
def test_what_is_empty_is_refused_by_its_place(tree: dict[str, Any], where: str) -> None:
    """A Swarm has no config and no secret without content; that is no missing external one."""
    given = {"STAGEKIT_SECRET_NONE": ""}
    held = objects.held_of(tree, stack="shop-prod", given=given, key=b"k" * 32)
    with pytest.raises(RunFailed, match="it is empty") as raised:
        objects.hold(Manager(), "shop-prod", held)
    assert raised.value.where == where


def test_an_external_one_that_is_missing_is_named() -> None:
    """And how it is made; one that is there is left alone."""
    manager = Manager()
    tree = {"configs": {"theirs": {"external": True, "name": "theirs"}}}
    held = objects.held_of(tree, stack="shop-prod", given={}, key=b"k" * 32)
    with pytest.raises(RunFailed, match="theirs is external") as raised:
        objects.hold(manager, "shop-prod", held)
    assert raised.value.hint == "docker config create theirs FILE"
    manager.create("configs", "theirs", b"x", {})
    objects.hold(manager, "shop-prod", held)


def test_an_empty_file_is_refused_when_it_is_placed() -> None:
    """By its path, and not as one that is too large."""
    with pytest.raises(RunFailed, match=r"files/abc/__init__\.py: it is empty") as raised:
        objects.place(Manager(), {"files/abc/__init__.py": b""}, ())
    assert "1000 KB" not in str(raised.value.hint)


def test_what_is_empty_is_refused_when_it_is_released() -> None:
    """As far as the document tells."""
    empty = sha("").removeprefix("sha256:")
    found = unfit(
        document(
            f"files/{empty}/.gitkeep",
            configs={"motd": {"content": ""}, "theirs": {"external": True, "name": "theirs"}},
        )
    )
    assert [it.where for it in found] == ["services.web.volumes, /etc/nginx.conf", "configs.motd"]
    assert all(it.what.startswith("it is empty") for it in found)
