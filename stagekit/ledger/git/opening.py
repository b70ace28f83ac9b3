"""A shared ledger, put together from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stagekit.cancel import Cancel, Shield
from stagekit.events import Emit
from stagekit.ledger.git.address import Address
from stagekit.ledger.git.copies import Copies
from stagekit.ledger.git.exchange import Exchange
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.owed import Owed
from stagekit.ledger.git.repository import Repository
from stagekit.ledger.git.shared import Shared

COPIES = ".ledger"


def open_ledger(
    address: Address,
    artifacts: Path,
    *,
    actor: str,
    emit: Emit,
    environ: Mapping[str, str],
    cancel: Cancel | None = None,
) -> GitLedger:
    """Return a shared ledger. Nothing is asked of its remote before something is read.

    Args:
        address: where it is.
        artifacts: the project's folder of records; what this machine knows of the ledger lies in
            ``.ledger/<key of the address>/`` there: ``git`` can be thrown away as long as the
            remote is trusted, ``owed`` and ``files`` hold what was not sent yet.
        actor: who appends, as ``user@host``.
        emit: told of what is read or kept where the remote is away.
        environ: the process's environment.
        cancel: ends what takes long; not at once where a record is sent that is written already.
    """
    folder = artifacts / COPIES / address.key
    shield = Shield(*([cancel] if cancel else []))
    repository = Repository(folder / "git", address, environ, shield)
    shared = Shared(repository, address, actor=actor, emit=emit, cancel=shield)
    copies = Copies(folder / "files", shared, emit)
    exchange = Exchange(shared, copies, Owed(folder / "owed"), emit, shield)
    return GitLedger(exchange, artifacts / "warnings.log")
