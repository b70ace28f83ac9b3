"""How a shared ledger and this machine stand to each other."""

from __future__ import annotations

from datetime import datetime

from stagekit.errors import LedgerAway, LedgerError
from stagekit.ledger.git.ledger import GitLedger
from stagekit.records import Part


class State(Part, frozen=True):
    """What is known here of a shared ledger.

    Attributes:
        url: of its repository.
        branch: of that.
        answers: whether the remote did, just now.
        problem: why it did not, or why it refuses what is kept here.
        commit: the newest entry that was seen.
        entries: how many there are up to that.
        contacted: when the remote was last heard of.
        kept: records that are kept here until it takes them.
        folder: of what this machine knows of it.
    """

    url: str
    branch: str
    answers: bool
    folder: str
    problem: str | None = None
    commit: str | None = None
    entries: int = 0
    contacted: datetime | None = None
    kept: tuple[str, ...] = ()


def state_of(ledger: GitLedger) -> State:
    """Ask the remote, and send what was kept.

    Raises:
        LedgerError: its history was rewritten.
    """
    exchange = ledger.exchange
    shared = exchange.shared
    problem: LedgerError | None
    try:
        shared.refreshed()
    except LedgerAway as error:
        problem = error
    else:
        problem = exchange.send()
    index = shared.known()
    return State(
        url=shared.address.url,
        branch=shared.address.branch,
        answers=not isinstance(problem, LedgerAway),
        folder=str(shared.repository.folder.parent),
        problem=problem.in_a_line if problem else None,
        commit=index.commit,
        entries=index.seal.number if index.seal else 0,
        contacted=shared.repository.contacted,
        kept=tuple(debt.path for debt in exchange.kept()),
    )
