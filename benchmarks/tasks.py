"""How long it takes to find that a task of one's own has nothing to do.

python -m benchmarks.tasks [skipped] [many]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import Command, compare

_INV = (sys.executable, "-m", "invoke")
_TASKS = """\
import stagekit


@stagekit.task(inputs=["app/**/*.ts"], outputs=["dist/"])
def assets(c):
    c.run("mkdir -p dist && cat app/*/*.ts > dist/app.js")


ns = stagekit.collection(assets)
"""


def _project(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / "app" / f"part{number % 50}" / f"file{number}.ts"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"export const file{number} = {number};\n" * 20)
    (folder / "tasks.py").write_text(_TASKS)


def skipped(folder: Path) -> None:
    _compared(folder, 2_000, goal=1.25)


def many(folder: Path) -> None:
    _compared(folder, 20_000)


def _compared(folder: Path, count: int, *, goal: float | None = None) -> None:
    _project(folder, count)
    ours = Command([(*_INV, "assets")], folder, {})
    time.sleep(3)  # what was written a moment ago is read again (git's racy entries)
    ours.seconds()
    time.sleep(3)
    ours.seconds()
    compare(
        f"a task with {count} inputs, nothing changed",
        ours,
        Command([(*_INV, "--list")], folder, {}),
        name="inv --list",
        goal=goal,
        rounds=21,
    )


def main() -> None:
    known = {"skipped": skipped, "many": many}
    for name in sys.argv[1:] or known:
        folder = Path(tempfile.mkdtemp(prefix="stagekit-bench-"))
        try:
            known[name](folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
