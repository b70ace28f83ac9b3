"""A comparison: two releases that ran side by side, for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from stagekit.records.parts import CI, EngineFacts, Failure, Link, Part
from stagekit.records.run import ContainerSeen

ComparisonOutcome = Literal["same", "different", "failed", "cancelled", "interrupted"]
QuestionKind = Literal["url", "command"]


class ComparedRelease(Part, frozen=True):
    """One of the two releases, and what ran of it.

    ``project`` is the Compose project that was made for it, ``document`` the digest of the document
    that was derived from its compose.yaml, ``left_out`` what that does not have of it. ``address``
    is where it was asked, ``addresses`` all ports that it published, as ``web:8080`` → address.
    ``containers`` are those that were proven.
    """

    env: str
    release: Link
    project: str
    document: str
    left_out: tuple[str, ...] = ()
    address: str | None = None
    addresses: dict[str, str] = {}
    containers: tuple[ContainerSeen, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.env}/{self.release.id}"


class Reply(Part, frozen=True):
    """What one release answered: a page its HTTP status, a command its exit code, in ``code``.

    ``failure`` says why there was no answer. ``headers`` are those that count. ``size`` is in
    bytes; ``digest`` is that of the page or the output, its secrets masked.
    """

    seconds: float
    code: int | None = None
    headers: dict[str, str] = {}
    size: int = 0
    digest: str = ""
    failure: str = ""


class Compared(Part, frozen=True):
    """One question that both were asked, and whether they answered alike.

    ``difference`` is a unified diff, secrets masked; ``more`` counts the lines that it leaves out.
    """

    kind: QuestionKind
    subject: str
    old: Reply
    new: Reply
    differs: bool
    difference: tuple[str, ...] = ()
    more: int = 0


class Comparison(Part, frozen=True):
    """Two releases, run side by side: ``artifacts/comparisons/<n>.toml``.

    ``outcome`` is same or different (by what was asked, and whether both held meanwhile; where
    nothing was asked, by what was released), failed, cancelled, or interrupted (its process died;
    written by the next command from the journal that it left). ``commands_ran`` are the releases
    whose release command was begun.
    """

    n: int
    project: str
    outcome: ComparisonOutcome
    created: datetime
    finished: datetime
    actor: str
    old: ComparedRelease
    new: ComparedRelease
    compared: tuple[Compared, ...] = ()
    engine: EngineFacts | None = None
    ci: CI | None = None
    failure: Failure | None = None
    commands_ran: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
