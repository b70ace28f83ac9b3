"""The releases of a shared ledger, and what is said of them later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from stagekit.envelope import decode, encode
from stagekit.errors import InputError
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git.commits import New
from stagekit.ledger.git.exchange import Exchange
from stagekit.ledger.git.index import Index
from stagekit.ledger.git.series import (
    CANCELLED,
    PRUNED,
    RELEASES,
    SIGNATURES,
    Listed,
    Series,
    signature_ids,
    signatures_of,
)
from stagekit.ledger.git.shared import Proposal
from stagekit.ledger.names import checked_name
from stagekit.ledger.releases import RELEASE_RECORD, no_release
from stagekit.protocols import Ids
from stagekit.records import Cancellation, Pruning, Release, Stored


class GitReleases:
    """Args:
    exchange: with the shared history.
    files: the copies that lie here.
    """

    def __init__(self, exchange: Exchange, files: FileLedger) -> None:
        self._exchange = exchange
        self._files = files

    def add(self, release: Release, files: Mapping[str, bytes], ids: Ids) -> Stored[Release]:
        series = Series(kind=RELEASES, env=checked_name(release.env))
        id, content = "", dict(files)

        def draft(index: Index) -> Proposal:
            nonlocal id, content
            listed = index.series(RELEASES, release.env)
            id = _first_free(ids, listed, release.env, self._exchange.where)
            data = encode(msgspec.structs.replace(release, id=id))
            content = {**files, RELEASE_RECORD: data}
            why = f"release {release.env}/{id}"
            why += f": {release.message}" if release.message else ""
            return Proposal(why=why, records=(New(series=series, id=id, content=content),))

        self._exchange.add(draft)
        self._exchange.have(RELEASES, id, release.env)
        return decode(Release, content[RELEASE_RECORD], where=self._exchange.where)

    def environments(self) -> Sequence[str]:
        return self._exchange.index.environments(RELEASES)

    def ids(self, env: str) -> Sequence[str]:
        pruned = set(self._exchange.index.series(PRUNED, checked_name(env)).taken())
        newest_first = self._exchange.index.series(RELEASES, env).recorded()[::-1]
        return [id for id in newest_first if id not in pruned] if pruned else newest_first

    def read(self, env: str, id: str) -> Stored[Release]:
        id = self._as_listed(env, id)
        pruned = self._exchange.have(PRUNED, id, env)
        if not pruned and not self._exchange.have(RELEASES, id, env):
            raise no_release(env, id, self.ids(env), where=self._exchange.where)
        return self._files.release(env, id)

    def folder(self, env: str, id: str) -> Path:
        id = self._as_listed(env, id)
        if id not in self._exchange.index.series(PRUNED, env):
            self._exchange.have(RELEASES, id, env)
        return self._files.release_folder(env, id)

    def files(self, env: str, id: str) -> Mapping[str, bytes]:
        self.folder(env, id)
        return self._files.release_files(env, id)

    def cancel(self, cancellation: Cancellation) -> Stored[Cancellation]:
        env, id = checked_name(cancellation.env), cancellation.id
        why = f"cancel {env}/{id}: {cancellation.reason}"
        self._exchange.mark(Series(kind=CANCELLED, env=env), id, encode(cancellation), why)
        return self._files.cancel_release(cancellation)

    def cancelled(self, env: str, id: str) -> Stored[Cancellation] | None:
        id = self._as_listed(env, id)
        there = self._exchange.have(CANCELLED, id, env)
        return self._files.cancelled(env, id) if there else None

    def prune(self, pruning: Pruning) -> Stored[Pruning]:
        env, id = checked_name(pruning.env), pruning.id
        self._exchange.mark(Series(kind=PRUNED, env=env), id, encode(pruning), f"prune {env}/{id}")
        return self._files.prune_release(pruning)

    def pruned(self, env: str, id: str) -> Stored[Pruning] | None:
        id = self._as_listed(env, id)
        return self._files.pruned(env, id) if self._exchange.have(PRUNED, id, env) else None

    def pruned_ids(self, env: str) -> Sequence[str]:
        return [*reversed(self._exchange.index.series(PRUNED, checked_name(env)).recorded())]

    def half_pruned(self, env: str) -> Sequence[str]:
        return self._files.half_pruned(env)

    def keep_signature(self, env: str, id: str, data: bytes) -> None:
        series = Series(kind=SIGNATURES, env=checked_name(env))

        def draft(index: Index) -> Proposal:
            listed = index.series(SIGNATURES, env)
            new = next(one for one in signature_ids(id) if one not in listed)
            return Proposal(
                why=f"sign {env}/{id}", records=(New(series=series, id=new, content=data),)
            )

        self._exchange.add(draft)

    def signature(self, env: str, id: str) -> bytes | None:
        listed = self._exchange.index.series(SIGNATURES, checked_name(env))
        kept = signatures_of(id, listed)
        if not kept or not self._exchange.have(SIGNATURES, kept[-1], env):
            return None
        content = self._exchange.copies.content(Series(kind=SIGNATURES, env=env), kept[-1])
        assert isinstance(content, bytes)
        return content

    def _as_listed(self, env: str, id: str) -> str:
        """Return an id as it was given, where it is named as folders are: without its colons."""
        listed = self._exchange.index.series(RELEASES, checked_name(env))
        checked_name(id.replace(":", ""))
        if id in listed or ":" in id:
            return id
        return next((one for one in listed.taken() if one.replace(":", "") == id), id)


def _first_free(ids: Ids, listed: Listed, env: str, where: str) -> str:
    taken = listed.taken()
    folders = {id.replace(":", "") for id in taken if ":" in id}
    for id in ids(taken):
        folder = checked_name(id.replace(":", ""))
        if id not in listed and folder not in listed and folder not in folders:
            return id
    raise InputError(
        f"no id is left for a release to {env}: those there could be are taken", where=where
    )
