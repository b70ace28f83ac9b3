"""`inv demo`, as README tells a newcomer to type it."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.conftest import Machine
from tests.repository import Repository

pytestmark = pytest.mark.engine

URL = "http://localhost:5000"


@pytest.fixture
def demo(hits: Repository) -> Iterator[Repository]:
    yield hits
    hits.attempt("run.stop", "--env", "dev")


def pages(text: str) -> list[tuple[int, str]]:
    """Return the hits and the debug setting of each page that the demo fetched."""
    found = re.findall(rf"^GET {URL}  →  (\d+) hits, debug: (on|off)$", text, re.MULTILINE)
    return [(int(hits), debug) for hits, debug in found]


def redis(machine: Machine, project: Repository) -> tuple[str, str]:
    """Return which container Redis runs in, and since when."""
    containers = machine.engine.containers(f"{project.name}-dev")
    return next((item.id, item.started) for item in containers if item.service == "redis")


def test_demo_goes_the_whole_way_twice(demo: Repository, machine: Machine) -> None:
    """The counter moves, a value changes without a build, it rolls back; and so it does again."""
    first = demo.inv("demo")

    assert pages(first.stdout) == [(1, "on"), (2, "on"), (3, "off"), (4, "on")]
    store = redis(machine, demo)
    (build,) = demo.inv("build.list", "--json").json
    changed = demo.inv("release.show", "dev/v2", "--json").json["created"]
    assert datetime.fromisoformat(store[1]) < datetime.fromisoformat(changed)
    runs = demo.inv("run.status", "--env", "dev", "--json").json
    assert runs[0]["well"] is True
    for path in (
        f"artifacts/builds/{build['id']}.toml",
        "artifacts/releases/dev/v1/release.toml",
        "artifacts/releases/dev/v2/release.toml",
        "artifacts/runs/dev/3.toml",
    ):
        assert f"  {path}\n" in first.stdout
        assert (demo.root / path).is_file()

    second = demo.inv("demo")

    assert pages(second.stdout) == [(5, "on"), (6, "on"), (7, "off"), (8, "on")]
    assert redis(machine, demo) == store
    assert len(demo.inv("build.list", "--json").json) == 1  # the source is the same
    with urllib.request.urlopen(URL, timeout=10) as answer:
        assert "9 hits" in answer.read().decode()
    demo.inv("run.stop", "--env", "dev")
    assert machine.engine.containers(f"{demo.name}-dev") == ()
