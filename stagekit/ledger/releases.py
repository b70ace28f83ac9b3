"""Releases as files.

<env>/<id>/                 a release: its record and what it covers; exists whole or not at all
<env>/<id>.cancelled.toml   it is not to be run any more
<env>/<id>.pruned.toml      it was put away: its id stays taken, its digests known

A folder's name is the id without colons, which not every file system allows. What has a name
that no id could have, such as ``v1 (copy)``, is none of ours, and passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec

from stagekit import durable
from stagekit.envelope import decode, encode
from stagekit.errors import InputError, LedgerError
from stagekit.ledger.named import by_promotions
from stagekit.ledger.names import (
    checked_name,
    created_in,
    file_bytes,
    is_name,
    names_among,
    names_in,
    read_record,
    same,
)
from stagekit.ledger.order import newest_first
from stagekit.protocols import Ids
from stagekit.records import Cancellation, Pruning, Release, Stored

RELEASE_RECORD = "release.toml"

_CANCELLED = ".cancelled.toml"
_PRUNED = ".pruned.toml"
_GOING = ".pruned-"
_NAMED = 5
_TIMED = re.compile(r"(\d{4}-\d\d-\d\d-\d\d)(\d\d)(\d\d)((?:[.-]\d+)?)")

Mark = TypeVar("Mark", Release, Cancellation, Pruning)


def counted(taken: Sequence[str]) -> Iterator[str]:
    """Yield the ids v1, v2, … after the highest that was ever taken."""
    named = [id for id in taken if id[:1] == "v"]
    highest = 0
    for length in sorted({*map(len, named)}, reverse=True):
        if highest >= 10 ** (length - 1) - 1:
            break  # what is as short counts no higher: of very many, few are read as numbers
        numbers = (id[1:] for id in named if len(id) == length)
        highest = max([highest, *map(int, filter(str.isdecimal, numbers))])
    return (f"v{number}" for number in count(highest + 1))


class _There:
    """What was seen in an environment's folder, in one look.

    Args:
        folders: the names of its folders.
        files: the names of its files.
    """

    def __init__(self, folders: Sequence[str], files: Sequence[str]) -> None:
        self.folders = folders
        self._files = files
        self.pruned = _ids_of(names_among(self.marked(_PRUNED)))

    @property
    def ids(self) -> set[str]:
        """The ids that have a folder."""
        return _ids_of(names_among(self.folders))

    def marked(self, suffix: str) -> list[str]:
        """Return the folders, there or not, that something is said of."""
        return [name.removesuffix(suffix) for name in self._files if name.endswith(suffix)]


class Releases:
    """The releases below one folder."""

    def __init__(self, folder: Path) -> None:
        self._root = folder

    def add(
        self,
        release: Release,
        files: Mapping[str, bytes],
        ids: Ids,
        by_runs: Iterable[tuple[str, str]],
    ) -> Stored[Release]:
        folder = self._root / checked_name(release.env)
        with durable.writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        there = self._look(release.env)
        gone = self._gone(release.env, there, by_runs)
        taken = [*there.ids, *there.pruned, *gone]
        for id in ids(taken):
            target = self.folder(release.env, id)
            if id in taken or target.exists():
                continue
            data = encode(msgspec.structs.replace(release, id=id))
            if durable.write_folder(target, {**files, RELEASE_RECORD: data}):
                return decode(Release, data, where=str(target / RELEASE_RECORD))
        raise InputError(
            f"no id is left for a release to {release.env}: those there could be are taken",
            where=str(folder),
        )

    def environments(self) -> Sequence[str]:
        """Return those that anything was ever released to, by name."""
        return sorted(names_among(names_in(self._root)[0]))

    def foreign(self, env: str | None = None) -> Sequence[str]:
        """Return the names of the folders and marks that no release could have, or without ``env``
        no environment."""
        folders, files = names_in(self._root / checked_name(env) if env else self._root)
        marks = [name for name in files if name.endswith((_CANCELLED, _PRUNED)) and env]
        found = [*folders, *marks]
        return sorted({*found}.difference(names_among(found)))

    def gone(self, env: str, by_runs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
        """Return the releases that were neither found nor pruned, though something names them.

        Args:
            env: the environment's name.
            by_runs: ids, each with the run that names it.
        """
        return self._gone(env, self._look(env), by_runs)

    def _gone(
        self, env: str, there: _There, by_runs: Iterable[tuple[str, str]]
    ) -> Mapping[str, Sequence[str]]:
        cancelled = ((_id_of(folder), "its cancellation") for folder in there.marked(_CANCELLED))
        others = [
            self._root / other / folder / RELEASE_RECORD
            for other in self.environments()
            if other != env
            for folder in names_in(self._root / other)[0]
        ]
        known = {*there.folders, *there.marked(_PRUNED)}
        found: dict[str, list[str]] = {}
        for id, by in (*by_runs, *cancelled, *by_promotions(env, others)):
            if id.replace(":", "") not in known and is_name(id.replace(":", "")):
                found.setdefault(id, []).append(by)
        return found

    def ids(self, env: str) -> Sequence[str]:
        there = self._look(env)
        kept = there.ids - there.pruned  # killed in between, a pruned one may still have its folder
        return newest_first(kept, lambda one: created_in(self.folder(env, one) / RELEASE_RECORD))

    def read(self, env: str, id: str) -> Stored[Release]:
        path = self.folder(env, id) / RELEASE_RECORD
        if pruned := self.pruned(env, id):
            raise _pruned_error(pruned.record)
        if not path.parent.is_dir():
            raise no_release(env, id, self.ids(env), where=str(path.parent))
        if path.parent.is_symlink():
            raise LedgerError(
                "a link to a folder, not a release: what it leads to can change",
                where=str(path.parent),
                hint="put the folder itself there",
            )
        return _read(Release, path, env, id)

    def folder(self, env: str, id: str) -> Path:
        return self._root / checked_name(env) / checked_name(id.replace(":", ""))

    def files(self, env: str, id: str) -> Mapping[str, bytes]:
        folder = self.folder(env, id)
        paths = [
            path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()
        ]
        return {
            str(path.relative_to(folder)): file_bytes(path)
            for path in paths
            if path != folder / RELEASE_RECORD
        }

    def cancel(self, cancellation: Cancellation) -> Stored[Cancellation]:
        path = self._beside(cancellation.env, cancellation.id, _CANCELLED)
        durable.write_new_file(path, encode(cancellation))
        return _read(Cancellation, path, cancellation.env, cancellation.id)

    def cancelled(self, env: str, id: str) -> Stored[Cancellation] | None:
        path = self._beside(env, id, _CANCELLED)
        return _find(Cancellation, path, env, id)

    def prune(self, pruning: Pruning) -> Stored[Pruning]:
        """Put a release away. Its record comes first: killed after that, it counts as pruned and
        the next call for it takes away what is left."""
        path = self._beside(pruning.env, pruning.id, _PRUNED)
        durable.write_new_file(path, encode(pruning))
        folder = self.folder(pruning.env, pruning.id)
        durable.remove_folder(folder, _going(folder))
        return _read(Pruning, path, pruning.env, pruning.id)

    def pruned(self, env: str, id: str) -> Stored[Pruning] | None:
        path = self._beside(env, id, _PRUNED)
        return _find(Pruning, path, env, id)

    def pruned_ids(self, env: str) -> Sequence[str]:
        pruned = self._look(env).pruned
        return newest_first(pruned, lambda one: created_in(self._beside(env, one, _PRUNED)))

    def half_pruned(self, env: str) -> Sequence[str]:
        """Return the pruned ones of which something is left: that process was killed."""
        there = self._look(env)
        hidden = {id for id in there.pruned if _going(self.folder(env, id)).is_dir()}
        return sorted((there.ids & there.pruned) | hidden)

    def _look(self, env: str) -> _There:
        return _There(*names_in(self._root / checked_name(env)))

    def _beside(self, env: str, id: str, suffix: str) -> Path:
        folder = self.folder(env, id)
        return folder.with_name(f"{folder.name}{suffix}")


def no_release(env: str, id: str, there: Sequence[str], *, where: str) -> InputError:
    """Say that there is none of that id, and which there are."""
    newest = ", ".join(there[:_NAMED])
    return InputError(
        f"no release {env}/{id}",
        where=where,
        hint=f"there are: {newest}" if newest else f"inv release --env {env} makes one",
    )


def _find(kind: type[Mark], path: Path, env: str, id: str) -> Stored[Mark] | None:
    return _read(kind, path, env, id) if os.path.lexists(path) else None


def _read(kind: type[Mark], path: Path, env: str, id: str) -> Stored[Mark]:
    """Read a record that must not stand in another's place; ``id`` may come without its colons."""
    stored = read_record(kind, path)
    found = stored.record.id
    as_found = found.replace(":", "") == id.replace(":", "")
    return same(stored, path, env=env, id=found if as_found else id)


def _going(folder: Path) -> Path:
    return folder.with_name(f"{_GOING}{folder.name}")


def _ids_of(folders: Sequence[str]) -> set[str]:
    return {_id_of(folder) if folder[4:5] == "-" else folder for folder in folders}


def _id_of(folder: str) -> str:
    timed = _TIMED.fullmatch(folder)
    return "{}:{}:{}{}".format(*timed.groups()) if timed else folder


def _pruned_error(pruning: Pruning) -> InputError:
    day = pruning.created.date().isoformat()
    return InputError(
        f"release {pruning.env}/{pruning.id} was pruned on {day} by {pruning.actor}",
        hint=f"it was made from build {pruning.build.id}: "
        f"inv release --env {pruning.env} --build {pruning.build.id}",
    )
