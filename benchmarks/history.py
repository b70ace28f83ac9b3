"""Projects with a long history: releases that were never made, as whole as those that were."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measures.releasing import SETTINGS, built, services_of
from benchmarks.place import Place, write
from stagekit import digest
from stagekit.envelope import encode
from stagekit.events import ignore
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git.address import parse_address
from stagekit.ledger.git.commits import New
from stagekit.ledger.git.opening import open_ledger
from stagekit.ledger.git.series import RELEASES, Series
from stagekit.ledger.git.shared import Proposal
from stagekit.ledger.releases import RELEASE_RECORD
from stagekit.records import Deploy, Link, Pin, Release, Versions

REMOTE = "ledger.git"

_LIMIT = 120
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


@dataclass(frozen=True)
class Made:
    """A release, and its files by name, its record among them."""

    release: Release
    content: Mapping[str, bytes]


def releases(count: int, *, mixed: bool = False) -> Iterator[Made]:
    """Yield releases to prod, the oldest first.

    Args:
        count: how many.
        mixed: the later half is named by the time, the others are numbered.
    """
    for number in range(1, count + 1):
        created = _BEGIN + timedelta(hours=number)
        timed = mixed and number > count // 2
        files = {
            "compose.yaml": f'services: {{web: {{image: "web@{_SHA}", n: {number}}}}}\n'.encode(),
            "variables.toml": f'[N]\nvalue = {number}\norigin = "x:1"\n'.encode(),
        }
        release = Release(
            id=f"{created:%Y-%m-%d-%H:%M:%S}" if timed else f"v{number}",
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
        yield Made(release, {**files, RELEASE_RECORD: encode(release)})


def in_files(place: Place, root: Path, count: int, *, mixed: bool = False) -> Path:
    """Make a project with that many releases in ``artifacts/``; return its folder."""
    _project(root)
    built(place, root)
    ledger = FileLedger(root / "artifacts")
    for made in releases(count, mixed=mixed):
        folder = ledger.release_folder("prod", made.release.id)
        folder.mkdir(parents=True)
        for name, data in made.content.items():
            (folder / name).write_bytes(data)
    subprocess.run(["sync"], check=True, timeout=_LIMIT)
    return root


def in_git(root: Path, count: int) -> Path:
    """Make a project whose shared ledger has that many releases; return its folder."""
    _project(root, f'[tool.stagekit.ledger]\nurl = "{REMOTE}#bench"\n')
    init = ["git", "init", "--quiet", "--bare", str(root / REMOTE)]
    subprocess.run(init, check=True, timeout=_LIMIT)
    address = parse_address(f"{REMOTE}#bench", root, where="here")
    ledger = open_ledger(
        address, root / "filling", actor="bench@here", emit=ignore, environ=os.environ
    )
    series = Series(kind=RELEASES, env="prod")
    records = tuple(
        New(series=series, id=made.release.id, content=made.content) for made in releases(count)
    )
    ledger.exchange.add(lambda _index: Proposal(why="import", records=records))
    shutil.rmtree(root / "filling")
    return root


def _project(root: Path, settings: str = "") -> None:
    write(
        root,
        {
            "environments/prod/config.toml": (
                '[vars]\nHOST = "redis"\nPORT = 6379\nDEBUG = "no"\n'
            ),
            "templates/compose.yaml.j2": services_of(1),
            "tasks.py": _TASKS,
            "pyproject.toml": f"{SETTINGS}{settings}",
            "app/Dockerfile": "FROM scratch\n",
            ".gitignore": "artifacts/\n",
        },
    )
