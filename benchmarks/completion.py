"""How long a TAB takes, against ``inv --list`` of the same repository.

    python -m benchmarks.completion

What the scripts ask, at several places of a line, in a repository with 1,000 releases, 1,000 builds
and a secret in each environment. No engine is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks.timing import Command, compare
from stagekit.ledger.files import FileLedger
from stagekit.testing.records import NOON, a_build, released

_INV = (sys.executable, "-m", "invoke")
_GOAL = 1.3
_ROUNDS = 15
_LINES = {
    "tasks": "inv ",
    "flags": "inv release --",
    "environments": "inv release --env ",
    "releases of 1,000": "inv release.show prod/",
    "builds of 1,000": "inv release --build ",
    "services": "inv run.exec --env prod ",
    "secrets": "inv secrets.set ",
    "variables": "inv release --env prod --set ",
}
_FILES = {
    "tasks.py": "import stagekit\n\nns = stagekit.collection()\n",
    "pyproject.toml": '[tool.stagekit]\nname = "bench"\n',
    "environments/dev/config.toml": '[vars]\nHOST = "redis"\n',
    "environments/prod/config.toml": '[vars]\nHOST = "redis"\n',
    "environments/prod/secrets.toml": (
        'schema = 1\nkey = "k"\n\n[recipients]\nana = "age1"\n\n'
        '[secrets.API_KEY]\nfingerprint = "f"\nage = "a"\n'
    ),
}


def project(folder: Path) -> None:
    """Lay out a project with its records."""
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    ledger = FileLedger(folder / "artifacts")
    for number in range(1_000):
        build = a_build(f"b{number}", created=NOON + timedelta(minutes=number))
        ledger.reserve_build(build).finish(build)
    first = ledger.release_folder("prod", released(ledger).record.id)
    for number in range(2, 1_000):
        shutil.copytree(first, first.with_name(f"v{number}"))
    released(ledger)  # v1000, whose record is its own


def measure(folder: Path) -> None:
    # As an installed one is; inv itself writes no bytecode.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "stagekit"], check=True)
    listed = Command([(*_INV, "--list")], folder, {})
    for what, line in _LINES.items():
        asked = (*_INV, "completion", "bash", "--candidates", "--", line, line.split(" ")[-1])
        shown = subprocess.run(
            asked, cwd=folder, env=os.environ, capture_output=True, text=True, check=True
        )
        assert shown.stdout, what
        compare(
            f"TAB: {what}",
            Command([asked], folder, {}),
            listed,
            name="inv --list",
            rounds=_ROUNDS,
            goal=_GOAL,
        )


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="stagekit-bench-"))
    try:
        project(place)
        measure(place)
    finally:
        shutil.rmtree(place)
