"""A clock that jumps, back and ahead: what came later stays what came later, and nobody's lock is
taken for one that ran out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.packages import unpack_of_suite
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

BACK, AHEAD = "-400d", "+400d"
WAITS = '["sh", "-c", "touch at; while test -e at; do sleep 0.1; done"]'


@pytest.fixture(scope="module")
def faketime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The library that tells a process another time (https://github.com/wolfcw/libfaketime)."""
    folder = tmp_path_factory.mktemp("faketime")
    unpack_of_suite("bookworm", ["libfaketime"], folder)
    yield next(folder.rglob("libfaketime.so.1"))
    shutil.rmtree(folder)


@pytest.fixture
def shop(deployed: Repository) -> Repository:
    deployed.write("environments/prod/config.toml", "[stagekit]\nsettle = 0\n")
    return deployed


def at(time: str, faketime: Path) -> dict[str, str]:
    """The environment of a command whose clock shows another time."""
    return {"LD_PRELOAD": str(faketime), "FAKETIME": time} if time else {}


def test_ids_and_runs_go_on(shop: Repository, faketime: Path) -> None:
    """Ordered by what was recorded, whatever time each of them has; all of it can be verified."""
    for number, time in enumerate((AHEAD, BACK, "")):
        clock = at(time, faketime)
        shop.write("app/index.html", f"{number}\n")
        shop.inv("build", **clock)
        told = shop.inv("release", "--env", "prod", **clock).stderr
        run = shop.inv("run", "--env", "prod", "--json", **clock).json
    assert (run["n"], run["release"]["id"], run["outcome"]) == (3, "v3", "running")
    assert "is from the future: a clock is wrong" in told
    released = shop.inv("release.list", "--env", "prod", "--json").json
    assert [item["id"] for item in released] == ["v3", "v2", "v1"]
    history = shop.inv("run.history", "--env", "prod", "--json").json
    assert [item["n"] for item in history] == [3, 2, 1]
    assert len({item["created"][:4] for item in history}) > 1
    assert shop.inv("run.rollback", "--env", "prod", "--json").json["release"]["id"] == "v2"
    shop.inv("release.verify", "--all")


@pytest.mark.parametrize("time", [BACK, AHEAD])
def test_a_lock_runs_out_by_the_engines_clock(shop: Repository, faketime: Path, time: str) -> None:
    """One that is held is held, for those whose clock is far ahead as well."""
    settings = f"[stagekit]\nsettle = 0\n[stagekit.hooks]\nbefore_up = {WAITS}\n"
    shop.write("environments/prod/config.toml", settings)
    shop.inv("build")
    shop.inv("release", "--env", "prod")
    with under_way(shop, "run", "--env", "prod") as run:
        wait_until((shop.root / "at").exists, "the step")
        refused = shop.attempt("run", "--env", "prod", **at(time, faketime))
        assert refused.code == 9, refused.text
        (shop.root / "at").unlink()
        assert run.wait(timeout=60) == 0
