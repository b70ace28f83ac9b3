"""Runs during which something else breaks: the engine, the disk, the registry. After each, one
whole release runs or nothing does, the record tells it, and no lock is left."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.conftest import Machine
from tests.engine.bare import Bare
from tests.engine.test_embedded import client, dockerd_pid, home, load_busybox
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

WAITS = '["sh", "-c", "touch at; while test -e at; do sleep 0.1; done"]'
FILLS = '["sh", "-c", "cat /dev/zero >artifacts/filler 2>/dev/null || true"]'


def settings(repository: Repository, *lines: str) -> None:
    text = "\n".join(["[stagekit]", "settle = 1", "timeout = 10", *lines, ""])
    repository.write("environments/prod/config.toml", text)


def outcomes(repository: Repository) -> list[tuple[str, str]]:
    history = repository.inv("run.history", "--env", "prod", "--json").json
    return [(item["release"]["id"], item["outcome"]) for item in reversed(history)]


def is_whole(repository: Repository, release: str) -> None:
    """The release runs, every container of it, and nobody holds the environment."""
    [status] = repository.inv("run.status", "--env", "prod", "--json").json
    assert (status["release"], status["as_released"]) == (release, True)
    assert repository.inv("run.unlock", "--env", "prod").stdout == "nobody holds prod\n"


@pytest.mark.parametrize("moment", ["before_up", "after_up", "after_settle"])
def test_an_engine_that_dies_and_comes_back(
    alone: Repository, bare: Bare, machine: Machine, moment: str
) -> None:
    """``kill -9`` of dockerd in the middle of a run: the run ends in seconds and says so; with the
    engine back, the next one makes it whole."""
    alone.inv("engine.start")
    load_busybox(alone, machine)
    settings(alone)
    alone.inv("build")
    alone.inv("release", "--env", "prod")
    alone.inv("run", "--env", "prod")
    settings(alone, "[stagekit.hooks]", f"{moment} = {WAITS}")
    alone.inv("release", "--env", "prod", "--set", "GREETING=new")
    with under_way(alone, "run", "--env", "prod") as run:
        wait_until((alone.root / "at").exists, "the step")
        bare.do("sh", "-c", f"kill -KILL {dockerd_pid(alone)}")
        (alone.root / "at").unlink()
        _, said = run.communicate(timeout=60)
    assert run.returncode not in (0, 70), said
    assert "the engine does not" in said
    assert outcomes(alone)[:2] == [("v1", "running"), ("v2", "failed")]

    alone.inv("engine.start")
    settings(alone)
    alone.inv("release", "--env", "prod", "--set", "GREETING=newer")
    alone.inv("run", "--env", "prod")
    assert outcomes(alone)[-1] == ("v3", "running")
    is_whole(alone, "v3")


def test_a_registry_that_is_gone_and_comes_back(
    alone: Repository, bare: Bare, machine: Machine
) -> None:
    """An image that has to be pulled cannot be: what runs goes on, and the same release runs once
    the registry is back."""
    alone.inv("engine.start")
    load_busybox(alone, machine)
    settings(alone)
    alone.inv("build")
    alone.inv("release", "--env", "prod")
    alone.inv("run", "--env", "prod")
    alone.write("app/index.html", "another page\n")
    image = alone.inv("build", "--json").json["images"]["app"]
    alone.inv("release", "--env", "prod")
    with closing(client(alone)) as engine:
        engine.images.remove(image["image_id"], force=True)
    before = alone.inv("run.status", "--env", "prod", "--json").json[0]["services"]
    registry = tomllib.loads((home(alone) / "registry.toml").read_text())["process"]["pid"]
    bare.do("sh", "-c", f"kill -KILL {registry}")

    failed = alone.attempt("run", "--env", "prod")

    assert failed.code == 5
    assert "cannot be pulled" in failed.stderr
    assert "bring the registry back" in failed.stderr
    [status] = alone.inv("run.status", "--env", "prod", "--json").json
    assert (status["release"], status["services"]) == ("v1", before)
    alone.inv("engine.start")
    alone.inv("run", "--env", "prod")
    is_whole(alone, "v2")


@pytest.fixture
def cramped(deployed: Repository) -> Iterator[Repository]:
    """A repository whose artifacts/ are on a disk of their own, a small one."""
    folder = deployed.root / "artifacts"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, timeout=10)
    yield deployed
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


@pytest.mark.parametrize("moment", ["before_up", "before_settle", "after_prove"])
def test_a_disk_that_fills_up(cramped: Repository, moment: str) -> None:
    """The journal cannot be written any more: the run stops, says what to do, and what it could not
    record is found by the next one."""
    settings(cramped)
    cramped.inv("build")
    cramped.inv("release", "--env", "prod")
    cramped.inv("run", "--env", "prod")
    settings(cramped, "[stagekit.hooks]", f"{moment} = {FILLS}")
    cramped.inv("release", "--env", "prod", "--set", "GREETING=new")

    failed = cramped.attempt("run", "--env", "prod")

    assert failed.code not in (0, 70), failed.text
    assert "no space left on device" in failed.stderr
    assert "free some space" in failed.stderr
    full = cramped.attempt("run", "--env", "prod")
    assert full.code not in (0, 70), full.text
    (cramped.root / "artifacts/filler").unlink()
    settings(cramped)
    cramped.inv("release", "--env", "prod", "--set", "GREETING=newer")
    after = cramped.inv("run", "--env", "prod")
    assert "was interrupted" in after.stderr
    assert outcomes(cramped)[-1] == ("v3", "running")
    assert ("v2", "running") not in outcomes(cramped)
    is_whole(cramped, "v3")
    assert not list((cramped.root / "artifacts").rglob(".tmp-*"))
