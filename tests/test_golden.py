"""Whole releases, byte for byte: ``python -m tests.test_golden`` writes them anew.

Beside each project in golden/ stand the files of its release to prod, by one version of Compose:
the wheel's. Where the machine has another one, that is no less a failure: its releases differ.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.releasing import plan_of

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir())
EXPECTED = "expected"


def sealed(case: str) -> dict[str, bytes]:
    """The files of a release of the case, made in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        shutil.copytree(GOLDEN / case, root, ignore=shutil.ignore_patterns(EXPECTED))
        return plan_of(root).files


@pytest.mark.parametrize("case", CASES)
def test_a_release_is_these_bytes(case: str) -> None:
    """compose.yaml, variables.toml and each file that is mounted; nothing more."""
    folder = GOLDEN / case / EXPECTED
    expected = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert sealed(case) == expected


def write_anew() -> None:
    for case in CASES:
        folder = GOLDEN / case / EXPECTED
        shutil.rmtree(folder, ignore_errors=True)
        for name, data in sealed(case).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    write_anew()
