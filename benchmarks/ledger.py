"""What a hundred thousand releases in a git ledger cost, against ten.

    python -m benchmarks.ledger [next] [fresh] [list] [seen]

Needs no engine. `next` is the ledger's part of a release on a machine that has a copy of it,
`fresh` the same on one that has none, as a CI's job; `list` shows the newest twenty. `seen`
prints how much of the repository such a machine has then.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.timing import Command, compare
from stagekit import digest
from stagekit.envelope import encode
from stagekit.events import ignore
from stagekit.ledger.git.address import parse_address
from stagekit.ledger.git.commits import New
from stagekit.ledger.git.opening import open_ledger
from stagekit.ledger.git.series import RELEASES, Series
from stagekit.ledger.git.shared import Proposal
from stagekit.ledger.releases import RELEASE_RECORD
from stagekit.records import Deploy, Link, Pin, Release, Versions

_INV = (sys.executable, "-m", "invoke")
_FEW, _MANY = 10, 100_000
_ROUNDS = 11
_GOAL = 1.5
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


def project(folder: Path, count: int) -> Path:
    """Make a project whose shared ledger has that many releases to prod."""
    root = folder / str(count)
    (root / "environments/prod").mkdir(parents=True)
    (root / "environments/prod/config.toml").write_text("")
    (root / "tasks.py").write_text(_TASKS)
    (root / "pyproject.toml").write_text(
        '[tool.stagekit]\nname = "bench"\nledger.url = "ledger.git#bench"\n'
    )
    subprocess.run(["git", "init", "--quiet", "--bare", root / "ledger.git"], check=True)
    address = parse_address("ledger.git#bench", root, where="here")
    ledger = open_ledger(
        address, root / "filling", actor="bench@here", emit=ignore, environ=os.environ
    )
    releases = tuple(_releases(count))
    ledger.exchange.add(lambda _index: Proposal(why="import", records=releases))
    shutil.rmtree(root / "filling")
    return root


def _releases(count: int) -> Iterator[New]:
    series = Series(kind=RELEASES, env="prod")
    for number in range(1, count + 1):
        files = {
            "compose.yaml": f'services: {{web: {{image: "web@{_SHA}", n: {number}}}}}\n'.encode(),
            "variables.toml": f'[N]\nvalue = {number}\norigin = "x:1"\n'.encode(),
        }
        release = Release(
            id=f"v{number}",
            env="prod",
            project="bench",
            created=_BEGIN + timedelta(minutes=number),
            actor="bench",
            content_digest=digest.of_tree(files),
            files=digest.of_files(files),
            engine_local=False,
            build=Link(id="b1", digest=_SHA),
            deploy=Deploy(),
            versions=Versions(stagekit="0", compose="0"),
            pins={"web": Pin(asked="web", pinned=f"web@{_SHA}", kind="digest")},
        )
        yield New(series=series, id=release.id, content={**files, RELEASE_RECORD: encode(release)})


def measured(what: str, few: Path, many: Path, *words: str, fresh: bool = False) -> None:
    def command(root: Path) -> Command:
        def forget() -> None:
            if fresh:
                shutil.rmtree(root / "artifacts", ignore_errors=True)

        return Command([(*_INV, *words)], root, {}, before=forget)

    compare(what, command(many), command(few), name=f"of {_FEW}", rounds=_ROUNDS, goal=_GOAL)


def seen(root: Path) -> None:
    """Print how much of the repository a machine has that made a release from nothing."""
    shutil.rmtree(root / "artifacts", ignore_errors=True)
    subprocess.run([*_INV, "next"], cwd=root, check=True, capture_output=True)
    [copy] = (root / "artifacts/.ledger").glob("*/git")
    here, there = _objects(copy), _objects(root / "ledger.git")
    commits = _git(copy, "rev-list", "--count", "refs/stagekit/seen")
    print(
        f"a copy of {root.name}: {here} of {there} objects ({here / there:.3f}), {commits} commits"
    )


def _objects(repository: Path) -> int:
    counted = dict(
        line.split(": ") for line in _git(repository, "count-objects", "-v").splitlines()
    )
    return int(counted["count"]) + int(counted["in-pack"])


def _git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", repository, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stagekit-bench-"))
    wanted = sys.argv[1:] or ["next", "fresh", "list", "seen"]
    try:
        few, many = project(folder, _FEW), project(folder, _MANY)
        if "next" in wanted:
            measured("the next release, with a copy", few, many, "next")
        if "fresh" in wanted:
            measured("the next release, with no copy", few, many, "next", fresh=True)
        if "list" in wanted:
            measured("release.list", few, many, "release.list", "--env", "prod")
        if "seen" in wanted:
            seen(many)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
