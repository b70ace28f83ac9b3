"""The benchmarks on a real engine: everyone builds and runs, and nothing is left of it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from benchmarks.measures.building import ANSIBLE
from benchmarks.report import Report
from benchmarks.workshop import LABEL
from tests.conftest import Machine
from tests.pages import ROOT

pytestmark = pytest.mark.engine


def test_builds_and_runs_are_measured_and_nothing_is_left(machine: Machine, tmp_path: Path) -> None:
    """Whoever is here has figures, and the engine and the folder of temporary files are as they
    were."""
    environ = {**machine.environ, "TMPDIR": str(tmp_path)}
    only = ("--only", "build-unchanged,run-status", "--rounds", "1")
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "bench", *only, "--json"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=Report)
    assert all(contest.measured for contest in found.contests), done.stderr
    away = {row.who: row.absent for contest in found.contests for row in contest.rows if row.absent}
    assert away in ({}, {ANSIBLE: "not found here"}), done.stderr
    assert found.versions["Docker engine"]
    assert list(tmp_path.iterdir()) == []
    with closing(machine.client()) as client:
        assert client.images.list(filters={"label": LABEL}) == []
        names = [item.name for item in client.containers.list(all=True, ignore_removed=True)]
        names += [item.name for item in client.volumes.list()]
        assert [name for name in names if "bench" in name] == []
