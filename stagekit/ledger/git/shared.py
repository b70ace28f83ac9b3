"""The shared history: looked at, checked against what was seen before, and appended to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic

from stagekit import durable, locks
from stagekit.cancel import Cancel
from stagekit.errors import LedgerAway, LedgerError
from stagekit.events import Emit, Noted, Warned
from stagekit.ledger.git.address import Address
from stagekit.ledger.git.commits import New, Signature, commits
from stagekit.ledger.git.entry import NONE_BEFORE, Addition, Seal, additions_of, read_seal
from stagekit.ledger.git.index import Index, files_listing
from stagekit.ledger.git.objects import format_of
from stagekit.ledger.git.repository import Repository
from stagekit.ledger.git.series import INDEX, RESERVED
from stagekit.records import Part
from stagekit.retry import patiently, pause

_PATIENCE = 300.0
"""Seconds for which one entry is tried again while others get theirs in first."""

_IN_VAIN = 8
"""Refusals in a row, with the branch as it was, after which nobody was faster: it cannot be
written."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
_ATTEMPTS = 3
_NOTHING = "0"
_NOT_RECORDED = "this was not recorded: type it again when the ledger answers"
_NOT_KNOWN = (
    "whether this was recorded is not known, its answer was lost: look (inv release.list) when the "
    "ledger answers, before you type it again"
)


class Proposal(Part, frozen=True):
    """Records to be added, and why; without records, nothing is."""

    why: str
    records: tuple[New, ...]


Draft = Callable[[Index], Proposal]
"""Says what to add, given the newest index; asked again where somebody was faster."""


class Shared:
    """Args:
    repository: this machine's copy.
    address: of the ledger.
    actor: who appends, as ``user@host``.
    emit: told of waits.
    cancel: ends them.
    """

    def __init__(
        self, repository: Repository, address: Address, *, actor: str, emit: Emit, cancel: Cancel
    ) -> None:
        self.repository = repository
        self.address = address
        self._actor = actor
        self._emit = emit
        self._cancel = cancel
        self._fresh: Index | None = None
        self._heard = repository.contacted

    def known(self) -> Index:
        """Return the index as it was when it was seen last, without the network."""
        commit = self.repository.seen()
        return Index(self.repository, commit, self._seal(commit) if commit else None)

    def refreshed(self) -> Index:
        """Return the newest index.

        Raises:
            LedgerAway: the remote does not answer.
            LedgerError: its history is not what it was.
        """
        with self._alone():
            return self._refresh()

    def append(self, draft: Draft) -> Index:
        """Add the records that ``draft`` says, all or none; return the index that has them.

        Raises:
            LedgerAway: the remote does not answer, or others write all the time; says whether
                nothing was added, or that is not known.
            LedgerError: it refuses, or its history is not what it was.
        """
        unsure: set[str] = set()

        def attempt() -> Index:
            return self._append(draft, unsure)

        try:
            with self._alone():
                return patiently(
                    attempt,
                    on_wait=lambda text: self._emit(Warned(text)),
                    cancel=self._cancel,
                    attempts=_ATTEMPTS,
                )
        except LedgerAway as error:
            error.hint = _NOT_KNOWN if unsure else _NOT_RECORDED
            raise

    def _append(self, draft: Draft, unsure: set[str]) -> Index:
        until = monotonic() + _PATIENCE
        longest = _SHORTEST_PAUSE
        refused: list[str | None] = []
        while True:
            index, self._fresh = self._fresh or self._refresh(), None
            if index.commit and any(self._has(index.commit, commit) for commit in unsure):
                self._fresh = index
                return index
            proposal = draft(index)
            if not proposal.records:
                self._fresh = index
                return index
            signature = Signature(actor=self._actor, when=datetime.now(UTC), why=proposal.why)
            # whoever reads the index goes on with it as it is where these are not taken
            grown = index.apart({new.series for new in proposal.records})
            stream, seal = commits(grown, proposal.records, signature)
            commit = self.repository.write(stream)
            try:
                refusal = self.repository.push(commit, over=index.commit)
            except LedgerAway as error:
                if error.reached:
                    unsure.add(commit)
                raise
            if refusal is None:
                self.repository.accept(commit)
                self._fresh = grown.at(commit, seal)
                return self._fresh
            refused.append(index.commit)
            if refused.count(index.commit) == _IN_VAIN:
                raise refusal
            if monotonic() > until:
                raise self._too_busy()
            length = random.uniform(0, longest)  # noqa: S311  # nosec B311  # no secret
            pause(length, self._cancel)
            longest = min(longest * 2, _LONGEST_PAUSE)

    def _too_busy(self) -> LedgerAway:
        text = "others write to the shared ledger all the time"
        error = LedgerAway(text, where=str(self.address))
        error.transient = False  # that was tried for long
        return error

    def _has(self, newest: str, commit: str) -> bool:
        return newest == commit or self.repository.continues(newest, commit)

    def _refresh(self) -> Index:
        old = self.repository.seen()
        new = self.repository.fetch(since=old)
        if new is None:
            if old:
                raise self._rewritten(old, "its branch is gone")
            return Index(self.repository, None, None)
        seal = self._checked(new, old) if old else self._seal(new)
        if new != old:
            self.repository.accept(new)
        self._fresh = Index(self.repository, new, seal)
        return self._fresh

    def _checked(self, new: str, old: str) -> Seal:
        """Make sure that a history goes on from where it was, entry by entry, and that nothing
        that was there is another."""
        seal = self._seal(old)
        if new == old:
            return seal
        if not self.repository.continues(new, old):
            raise self._rewritten(old, "what was there then is no part of it now")
        entries = self.repository.messages(new, since=old)
        seal = self._followed(entries, old, seal)
        self._check_index(new, old)
        self._say_found({commit: text for commit, _, text in entries})
        return seal

    def _say_found(self, entries: Mapping[str, str]) -> None:
        """Tell of the last entry that was sent from here, where nobody knew that it had come."""
        if found := entries.get(self.repository.attempted() or ""):
            why = found.partition("\n")[0]
            self._emit(Noted(f"the shared ledger has it, though its answer was lost: {why}"))

    def _followed(
        self, entries: Sequence[tuple[str, list[str], str]], last: str | None, seal: Seal | None
    ) -> Seal:
        """Go from entry to entry, each of which has to name the one before it."""
        for commit, parents, text in entries:
            found = read_seal(text)
            if found is None:
                raise self._foreign(commit)
            expected = (seal.number + 1, seal.digest) if seal else (1, NONE_BEFORE)
            if parents != ([last] if last else []) or (found.number, found.previous) != expected:
                how = f"commit {commit[:12]} does not name the one before it"
                raise self._rewritten(last or commit, how)
            last, seal = commit, found
        assert seal
        return seal

    def _check_index(self, new: str, old: str) -> None:
        changed = self.repository.changed(old, new, INDEX)
        grown = [item for item in changed if item[1].strip(_NOTHING)]
        for path, _, after in grown:
            if not after.strip(_NOTHING):
                raise self._rewritten(old, f"{path} was removed")
        then = self.repository.read([item[1] for item in grown])
        now = self.repository.read([item[2] for item in grown])
        for (path, _, _), was, has in zip(grown, then, now, strict=True):
            if not has.startswith(was):
                raise self._rewritten(old, f"{path} has other records than then")

    def check_history(self) -> int:
        """Fetch all of the history and check it from its first entry on; return how many entries
        it has.

        Raises:
            LedgerAway: the remote does not answer.
            LedgerError: an entry does not name the one before it, or the index lists other
                records than the entries add, or one of them is lost.
        """
        with self._alone():
            newest = self._refresh().commit
            if newest is None:
                return 0
            self.repository.bring_history()
            entries = self.repository.messages(newest, whole=True)
            last = self._followed(entries, None, None)
            added = [one for _, _, text in entries for one in additions_of(text)]
            self._check_listed(added, newest)
            self.repository.bring([one.object for one in added if one.object != RESERVED])
            return last.number

    def bring(self, objects: Sequence[str]) -> None:
        """Have objects here: what is missing, also of what another process brought meanwhile, is
        asked for.

        Raises:
            LedgerAway: the remote does not answer.
            LedgerError: it has not got them either.
        """
        with self._alone():
            self.repository.bring(objects)

    def _check_listed(self, added: Sequence[Addition], newest: str) -> None:
        stated = files_listing(added, format_of(newest))
        found = self.repository.below(newest, INDEX)
        for path in sorted({*stated, *found}):
            if stated.get(path) != found.get(path):
                copy = self.repository.folder
                raise LedgerError(
                    f"the index of the shared ledger lists other records than its entries add: "
                    f"{path} is not what they make",
                    where=str(self.address),
                    hint="ask who pushed to that branch; "
                    f"git -C {copy} log -p {newest[:12]} -- {path} shows what was changed",
                )

    def _seal(self, commit: str) -> Seal:
        [(_, _, text)] = self.repository.messages(commit)
        found = read_seal(text)
        if found is None:
            raise self._foreign(commit)
        return found

    def _foreign(self, commit: str) -> LedgerError:
        return LedgerError(
            f"commit {commit[:12]} of the shared ledger was not made by stagekit",
            where=str(self.address),
            hint="is that branch a ledger? If somebody committed to it by hand, have it taken back "
            "(git push --force-with-lease); stagekit appends to nothing else",
        )

    def _rewritten(self, seen: str, how: str) -> LedgerError:
        when = f" on {self._heard:%Y-%m-%d %H:%M} UTC" if self._heard else ""
        copy = self.repository.folder
        return LedgerError(
            f"the history of the shared ledger was rewritten since it was seen{when}: {how}",
            where=str(self.address),
            hint=f"nothing was written. Ask who pushed there; git -C {copy} log {seen[:12]} is "
            f"what was seen. To take what is there now for true: rm -r {copy}",
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process of this machine at a time talk to the remote: the others would only be
        in each other's way."""
        folder = self.repository.folder.parent
        with durable.writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with locks.locked(folder, _PATIENCE * 2, lambda seconds: pause(seconds, self._cancel)):
            self.repository.unlock()
            yield
