"""Every reader of what comes from elsewhere reads what nobody wrote, within bounds that the system
holds: an answer or an error of ours, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutation import mutations
from tests.fuzz.targets import targets

COUNT = 120
GROUPS = [
    ["settings", "environment", "secrets", "sops", "identity", "command line"],
    ["template", "compose", "moving in", "sealed"],
    ["record", "plan file", "bundle", "ledger", "dockerfile", "dockerignore", "globs"],
]


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_no_bytes_break_a_reader(names: list[str]) -> None:
    """In a process with limits of time and memory; the same bytes each time."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.child", str(COUNT), *names],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines() == names


def test_every_target_is_in_a_group(tmp_path: Path) -> None:
    """A new one is fuzzed without another word."""
    assert sorted(name for group in GROUPS for name in group) == sorted(targets(tmp_path))


def test_what_is_usual_is_read(tmp_path: Path) -> None:
    """Else nothing beyond the first error would ever be reached."""
    fails = {"sops", "compose", "moving in", "ledger", "settings", "template", "secrets"}
    fails |= {"record", "identity"}  # read as several things, one of which it is
    for name, target in targets(tmp_path).items():
        if name not in fails:
            target.read(target.seeds[0], tmp_path / name)


def test_the_same_chance_makes_the_same_bytes() -> None:
    """What broke can be had again."""
    made = [list(mutations([b"abc", b"[x]"], 50, Random(1))) for _ in range(2)]  # noqa: S311
    assert made[0] == made[1]
    assert len(set(made[0])) > 30
