"""What ten thousand releases in the ledger cost, against ten.

    python -m benchmarks.releases [list] [next] [diff] [mixed]

Needs no engine. `next` is a task that does the ledger's part of a release, without Compose: it
finds the last one and the next id, and writes the new one. `mixed` lists an environment whose
releases were numbered in two ways.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from benchmarks.timing import Command, compare
from stagekit import digest
from stagekit.ledger.files import FileLedger
from stagekit.records import Deploy, Link, Pin, Release, Versions

_INV = (sys.executable, "-m", "invoke")
_FEW, _MANY = 10, 10_000
_ROUNDS = 21
_GOAL = 1.2
_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_SHA = digest.of_bytes(b"image")
_TASKS = """
import stagekit
from msgspec.structs import replace
from stagekit.cli.task import stage_task
from stagekit.pipeline.history import readable_releases


@stage_task(name="next")
def following(app):
    \"\"\"Do the ledger's part of a release.\"\"\"
    ledger = app.ledger
    last = next(readable_releases(ledger, "prod", app.console.emit)).record
    files = ledger.release_files("prod", last.id)
    ledger.add_release(replace(last, message="one more"), files)


ns = stagekit.collection(following)
"""


def project(folder: Path, count: int, *, mixed: bool = False) -> Path:
    """Make a project with that many releases to prod; ``mixed``: half of them named by the time."""
    root = folder / f"{'mixed' if mixed else 'plain'}-{count}"
    (root / "environments/prod").mkdir(parents=True)
    (root / "environments/prod/config.toml").write_text("")
    (root / "pyproject.toml").write_text('[tool.stagekit]\nname = "bench"\n')
    (root / "tasks.py").write_text(_TASKS)
    ledger = FileLedger(root / "artifacts")
    for number in range(count):
        add(ledger, number, timed=mixed and number >= count // 2)
    return root


def add(ledger: FileLedger, number: int, *, timed: bool) -> None:
    created = _BEGIN + timedelta(hours=number)
    files = {
        "compose.yaml": f'services:\n  web:\n    image: "web@{_SHA}"\n    n: {number}\n'.encode(),
        "variables.toml": f'[N]\nvalue = {number}\norigin = "x:1"\n'.encode(),
    }
    release = Release(
        id="",
        env="prod",
        project="bench",
        created=created,
        actor="bench",
        content_digest=digest.of_tree(files),
        files=digest.of_files(files),
        engine_local=False,
        build=Link(id="b1", digest=_SHA),
        deploy=Deploy(),
        versions=Versions(stagekit="0", compose="0"),
        pins={"web": Pin(asked="web", pinned=f"web@{_SHA}", kind="digest")},
    )
    id = f"{created:%Y-%m-%d-%H:%M:%S}" if timed else f"v{number + 1}"

    def ids(_taken: Sequence[str]) -> Iterable[str]:
        return (id,)

    ledger.add_release(release, files, ids=ids)


def measured(what: str, few: Path, many: Path, *argv: str) -> None:
    compare(
        what,
        Command([argv], many, {}),
        Command([argv], few, {}),
        name=f"with {_FEW}  ",
        goal=_GOAL,
        rounds=_ROUNDS,
    )


def listing(few: Path, many: Path) -> None:
    measured("release.list, of 10,000", few, many, *_INV, "release.list", "--env", "prod")


def mixed_listing(few: Path, many: Path) -> None:
    measured("the same, numbered in two ways", few, many, *_INV, "release.list", "--env", "prod")


def following(few: Path, many: Path) -> None:
    measured("the next release, its ledger's part, of 10,000", few, many, *_INV, "next")


def difference(few: Path, many: Path) -> None:
    argv = (*_INV, "release.diff", "prod/v3", "prod/latest")
    measured("release.diff, of 10,000", few, many, *argv)


@contextmanager
def without_sync() -> Iterator[None]:
    """Lay out the projects without waiting for the disk, then take all of it there at once."""
    with patch("os.fsync"):
        yield
    subprocess.run(["sync"], check=True)


def main() -> None:
    known = {"list": listing, "next": following, "diff": difference, "mixed": mixed_listing}
    folder = Path(tempfile.mkdtemp(prefix="stagekit-bench-"))
    wanted = sys.argv[1:] or list(known)
    try:
        with without_sync():
            plain = [project(folder, count) for count in (_FEW, _MANY)]
            mixed = [project(folder, count, mixed=True) for count in (_FEW, _MANY)]
        for name in wanted:
            few, many = mixed if name == "mixed" else plain
            known[name](few, many)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
