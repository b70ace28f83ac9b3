"""What this machine exchanges with the shared history: the newest index, ids, records.

Where the remote is away, what was seen last is read, and that is said once; an id for a run can be
chosen, which is settled later; all else that writes is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.cancel import Shield
from stagekit.envelope import decode, encode
from stagekit.errors import LedgerAway, LedgerError, StagekitError
from stagekit.events import Emit, Noted, Warned
from stagekit.ledger.git.commits import New
from stagekit.ledger.git.copies import Copies
from stagekit.ledger.git.index import Index
from stagekit.ledger.git.objects import name_of
from stagekit.ledger.git.owed import Debt, Owed
from stagekit.ledger.git.series import BUILDS, INPUTS, RUNS, Kind, Listed, Series
from stagekit.ledger.git.shared import Draft, Proposal, Shared
from stagekit.records import Comparison, Run

_LAST_WORDS = 15.0
"""Seconds for which a record that is written is sent though somebody asked to stop: a CI that
cancels a job takes the folder away in which it would wait."""


class Exchange:
    """Args:
    shared: the history.
    copies: the records that lie here.
    owed: those that are not in the history yet.
    emit: told of what is read or kept instead.
    shield: keeps requests to stop off while a record that is written is sent.
    """

    def __init__(
        self, shared: Shared, copies: Copies, owed: Owed, emit: Emit, shield: Shield
    ) -> None:
        self.shared = shared
        self.copies = copies
        self.owed = owed
        self._emit = emit
        self._shield = shield
        self._index: Index | None = None
        self._away = False

    @property
    def where(self) -> str:
        """The address of the shared history, for errors."""
        return str(self.shared.address)

    @property
    def index(self) -> Index:
        """The newest index; where the remote is away, the one that was seen last.

        Raises:
            LedgerAway: it is away, and nothing was seen yet.
        """
        if self._index is None:
            try:
                self._index = self.shared.refreshed()
            except LedgerAway as error:
                self._index = self._last_seen(error)
            else:
                self._away = False
                self.send()
        return self._index

    def look_again(self) -> None:
        """Ask the remote anew before the next reading."""
        self._index = None

    def look_back(self) -> None:
        """Read what was seen last, and ask nobody."""
        self._index = self.shared.known()

    def add(self, draft: Draft) -> None:
        """Add records to the shared history.

        Raises:
            LedgerAway: the remote does not answer.
        """
        self._index = self.shared.append(draft)
        self._away = False

    def mark(self, series: Series, id: str, data: bytes, why: str) -> None:
        """Add what is said of a record later, unless that was said before, and have it here.

        Raises:
            LedgerAway: the remote does not answer.
        """

        def draft(index: Index) -> Proposal:
            said = id in index.series(series.kind, series.env)
            records = () if said else (New(series=series, id=id, content=data),)
            return Proposal(why=why, records=records)

        self.add(draft)
        self.have(series.kind, id, series.env)

    def take(self, series: Series, choose: Callable[[Listed], str], why: str) -> Debt:
        """Take an id, for a record that follows.

        Args:
            series: what the record is added to.
            choose: returns an id that is free, given what there is.
            why: what the id is for, with ``{id}`` in its place.

        Raises:
            LedgerAway: the remote does not answer.
        """
        chosen = ""
        self._forget_abandoned()

        def draft(index: Index) -> Proposal:
            nonlocal chosen
            chosen = choose(index.series(series.kind, series.env))
            reserved = New(series=series, id=chosen, content=None)
            return Proposal(why=why.format(id=chosen), records=(reserved,))

        self.add(draft)
        debt = Debt(series=series, id=chosen)
        self.owed.add(debt)
        return debt

    def take_anyway(self, series: Series, choose: Callable[[Listed], str], why: str) -> Debt:
        """Take an id as `take` does; where the remote is away, one that may change later."""
        try:
            if not (self.index and self._away):
                return self.take(series, choose, why)
        except LedgerAway as error:
            self._emit(Warned(f"{error.in_a_line}; the record will be sent when it does"))
        debt = Debt(
            series=series,
            id=choose(self.index.series(series.kind, series.env)),
            provisional=True,
        )
        self.owed.add(debt)
        return debt

    def settle(self, why: str) -> None:
        """Send what is owed, now that a record is written here. What cannot be sent is kept, and
        the next command sends it.

        Whatever keeps it from being sent is a warning: what the record is of has come to its end,
        and did not fail because of that.
        """
        try:
            with self._shield.raised(_LAST_WORDS):
                self._send(why)
        except StagekitError as error:
            self._say_kept(error)
        except OSError as error:
            self._say_kept(durable.refusal(error) or LedgerError(str(error)))

    def send(self) -> LedgerError | None:
        """Send what an earlier command had to keep.

        Returns:
            Why that cannot be done, which is a warning, too; None where nothing is left to send.
        """
        if not [*self.kept()]:
            return None
        try:
            sent = self._send("what was kept while the ledger was away")
        except LedgerError as error:
            self._say_kept(error)
            return error
        if sent:  # another process may have sent them meanwhile
            paths = ", ".join(debt.path for debt in sent)
            self._emit(Noted(f"sent to the shared ledger: {paths}"))
        return None

    def kept(self) -> Iterator[Debt]:
        """Yield what is owed and is written here: not what is under way."""
        for debt in self.owed.all():
            if self.copies.content(debt.series, debt.id) is not None:
                yield debt

    def ids(self, kind: Kind, env: str | None = None) -> list[str]:
        """Return the ids that have a record, here or in the shared history, the oldest first."""
        series = Series(kind=kind, env=env)
        recorded = self.index.series(kind, env).recorded()
        kept = [debt.id for debt in self.kept() if debt.series == series]
        return [*recorded, *(id for id in kept if id not in set(recorded))]

    def have(self, kind: Kind, id: str, env: str | None = None) -> bool:
        """Have a record's files here; tell whether there is one."""
        series = Series(kind=kind, env=env)
        if self.copies.have(series, id, self.index):
            return True
        return any((debt.series, debt.id) == (series, id) for debt in self.kept())

    def others(self, kind: Kind, id: str, env: str | None = None) -> bytes | None:
        """Return another machine's record where it has the number of one that this machine owes,
        or has under way: its copy would be taken for that one. None where there is none such."""
        series, index = Series(kind=kind, env=env), self.index
        if not self.owed.has(series, id):
            return None
        content = self.copies.original(series, id, index)
        return content if isinstance(content, bytes) else None

    def _forget_abandoned(self) -> None:
        """Owe no longer what never was begun: whoever took the id was killed before it could."""
        for debt in self.owed.abandoned():
            journal = (self.copies.folder / debt.path).with_suffix(".journal")
            if not journal.exists() and self.copies.content(debt.series, debt.id) is None:
                self.owed.settle(debt)

    def _say_kept(self, error: StagekitError) -> None:
        kept = "what was recorded"
        with suppress(StagekitError, OSError):  # it may be what lies here that cannot be read
            kept = ", ".join(debt.path for debt in self.kept())
        text = f"{error.in_a_line}; kept here, sent by the next command: {kept}"
        away = isinstance(error, LedgerAway)  # that comes back by itself
        self._emit(Warned(text if away or not error.hint else f"{text}; next: {error.hint}"))

    def _send(self, why: str) -> list[Debt]:
        """Send what is kept; return what is in the history then, under the ids it has there."""
        sent: list[Debt] = []

        def draft(index: Index) -> Proposal:
            sent.clear()
            records = []
            for debt in list(self.kept()):
                due = self._due(debt, index)
                sent.append(due or debt)
                if due:
                    content = self.copies.content(due.series, due.id)
                    records.append(New(series=due.series, id=due.id, content=content))
            return Proposal(why=why, records=tuple(records))

        self.add(draft)
        for debt in sent:
            self.owed.settle(debt)
            if debt.series.kind == BUILDS:  # it may have been made from nothing that is known
                self.owed.settle(Debt(series=Series(kind=INPUTS), id=debt.id))
        return sent

    def _due(self, debt: Debt, index: Index) -> Debt | None:
        """Return the record that is to be sent, under another number where its own was taken by
        somebody else meanwhile; None where it was sent before."""
        listed = index.series(debt.series.kind, debt.series.env)
        object = listed.object(debt.id)
        if debt.provisional:
            content = self.copies.content(debt.series, debt.id)
            if content is not None and object == name_of(content, index.format):
                return None
            return self._renumbered(debt, listed) if debt.id in listed else debt
        return None if object else debt

    def _renumbered(self, debt: Debt, listed: Listed) -> Debt:
        """Give a record a number above all that are given, and all that this machine owes."""
        old = self.copies.folder / debt.path
        record = _numbered_record(debt.series, old)
        owed = [int(one.id) for one in self.owed.all() if one.series == debt.series]
        for n in count(next_number(listed, max(owed) + 1)):
            new = msgspec.structs.replace(debt, id=str(n))
            renumbered = encode(msgspec.structs.replace(record, n=n))
            if durable.write_new_file(self.copies.folder / new.path, renumbered):
                break
        self.owed.renumber(debt, new)
        with durable.writing(old):
            old.unlink()
        self._emit(Warned(f"{debt.path} is {new.path} now: another one has that number"))
        return new

    def _last_seen(self, error: LedgerAway) -> Index:
        known = self.shared.known()
        contacted = self.shared.repository.contacted
        if known.commit is None or contacted is None:
            raise error
        if not self._away:  # it was said
            ago = _in_words(datetime.now(UTC) - contacted)
            self._emit(Warned(f"{error.in_a_line}; read as it was {ago} ago"))
        self._away = True
        return known


def _numbered_record(series: Series, path: Path) -> Run | Comparison:
    if series.kind == RUNS:
        return decode(Run, path.read_bytes(), where=str(path)).record
    return decode(Comparison, path.read_bytes(), where=str(path)).record


def next_number(listed: Listed, least: int = 1) -> int:
    """Return the number after the highest of a series that counts."""
    return max(max(map(int, listed.taken()), default=0) + 1, least)


def _in_words(passed: timedelta) -> str:
    seconds = int(passed.total_seconds())
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {word}"
    return f"{seconds} s"
