"""What a ledger has, read as plain files and by plain git: with none of the code that wrote it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BRANCH = "stagekit"
_RECORDS = (".toml", ".inputs", ".pruned", ".json")
_COUNTED = re.compile(r"v?(\d+)(\.(cancelled|pruned)\.toml|\.toml|\.journal|\.unreadable)?")
_COUNT = ("releases", "runs", "comparisons")
_INDEX = "index"


@dataclass(frozen=True)
class Records:
    """What there is at a moment.

    Attributes:
        files: every file of a record, by its path.
        given: the numbers that were ever given, by what is numbered: ``releases/prod``.
        tip: the newest entry of a shared history; none of files, and of an empty one.
    """

    files: Mapping[str, bytes]
    given: Mapping[str, frozenset[int]]
    tip: str | None = None

    def gone_or_changed(self, then: Records) -> Iterator[str]:
        """Yield what became of records that are not as they were, those that were put away left
        out."""
        for path, data in self.files.items():
            if path not in then.files:
                if not _put_away(path, then.files):
                    yield f"{path} is gone"
            elif then.files[path] != data:
                yield f"{path} is not what it was"

    def not_higher(self, then: Records) -> Iterator[str]:
        """Yield numbers that were given since, and are not higher than all that were before."""
        for series, numbers in then.given.items():
            before = self.given.get(series, frozenset())
            for number in sorted(numbers - before):
                if number <= max(before, default=0):
                    yield f"{number} of {series} was given after {max(before)}"


def in_files(root: Path) -> Records:
    """Return what lies in a folder, as the file ledger has it."""
    files: dict[str, bytes] = {}
    given: dict[str, set[int]] = {}
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if any(part.startswith(".") for part in parts):
            continue
        if path.is_file() and _is_record(parts):
            files["/".join(parts)] = path.read_bytes()
        series, number = "/".join(parts[:-1]), _COUNTED.fullmatch(parts[-1])
        if number and parts[0] in _COUNT and series.count("/") == (parts[0] != "comparisons"):
            given.setdefault(series, set()).add(int(number[1]))
    return Records(files, {series: frozenset(numbers) for series, numbers in given.items()})


def in_history(repository: Path, into: Path) -> Records:
    """Return what a shared ledger has, where all who share it find it.

    Args:
        repository: the one that is pushed to.
        into: a folder that gets it as files.
    """
    tip = _git(repository, "rev-parse", "--verify", "--quiet", f"refs/heads/{_BRANCH}")
    if not tip:
        return Records({}, {})
    packed = _git(repository, "archive", "--format=tar", tip.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(into, filter="data")
    _bring_older_runs(repository, into)
    found = in_files(into)
    given = {series: set(numbers) for series, numbers in found.given.items()}
    for kind in _COUNT:
        for path in (into / _INDEX / kind).rglob("*"):
            if path.is_file():
                series = "/".join(path.relative_to(into / _INDEX).parts[:-2])
                ids = [line.split()[0] for line in path.read_text().splitlines()]
                given.setdefault(series, set()).update(int(id.removeprefix("v")) for id in ids)
    listed = {name: data for name, data in found.files.items() if not name.startswith(_INDEX)}
    numbers = {series: frozenset(found) for series, found in given.items()}
    return Records(listed, numbers, tip.decode().strip())


def add_kept(artifacts: Path, into: Path) -> None:
    """Add to what is in a shared ledger the records that are kept here until it takes them.

    Args:
        artifacts: the project's folder of records.
        into: what the shared ledger has, as files.
    """
    for ledger in artifacts.glob(".ledger/*"):
        for owed in (ledger / "owed").rglob("*.toml"):
            path = owed.relative_to(ledger / "owed")
            if (ledger / "files" / path).is_file() and not (into / path).exists():
                (into / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ledger / "files" / path, into / path)


def _bring_older_runs(repository: Path, into: Path) -> None:
    """The branch has the newest fifty of a kind as files; the index names the others. Here only
    runs come to more."""
    for path in (into / _INDEX / "runs").rglob("*"):
        if path.is_file():
            env = path.relative_to(into / _INDEX / "runs").parts[0]
            for id, object in map(str.split, path.read_text().splitlines()):
                record = into / "runs" / env / f"{id}.toml"
                if object != "-" and not record.exists():
                    record.write_bytes(_git(repository, "cat-file", "blob", object))


def goes_on(repository: Path, before: str | None, now: str | None) -> bool:
    """Tell whether a shared history still has all of what it was."""
    if before is None or before == now:
        return True
    asked = ["git", "-C", str(repository), "merge-base", "--is-ancestor", before, str(now)]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0


def _git(repository: Path, *words: str) -> bytes:
    asked = ["git", "-C", str(repository), *words]
    return subprocess.run(asked, check=False, capture_output=True).stdout


def _is_record(parts: tuple[str, ...]) -> bool:
    of_a_release = parts[0] == "releases" and len(parts) > 3
    return of_a_release or parts[-1].endswith(_RECORDS)


def _put_away(path: str, there: Mapping[str, bytes]) -> bool:
    kind, *rest = path.split("/")
    if kind == "builds":
        return f"{kind}/{rest[0].rpartition('.')[0]}.pruned" in there
    return kind == "releases" and f"{kind}/{rest[0]}/{rest[1]}.pruned.toml" in there
