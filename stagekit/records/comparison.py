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

    Attributes:
        release: which one.
        project: the Compose project that was made for it.
        document: digest of the document that was derived from its compose.yaml.
        left_out: what that does not have of it.
        address: where it was asked.
        addresses: all ports that it published, as ``web:8080`` → address.
        containers: those that were proven.
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
    """What one release answered.

    Attributes:
        seconds: how long that took.
        code: of a page its HTTP status, of a command its exit code.
        headers: those that count.
        size: bytes of the page or the output.
        digest: that of the page or the output, its secrets masked.
        failure: why there was no answer.
    """

    seconds: float
    code: int | None = None
    headers: dict[str, str] = {}
    size: int = 0
    digest: str = ""
    failure: str = ""


class Compared(Part, frozen=True):
    """One question that both were asked, and whether they answered alike.

    Attributes:
        kind: whether a page was asked for, or a command run.
        subject: its path, or its words.
        old: what the first answered.
        new: what the second answered.
        differs: whether that is not the same.
        difference: lines of a unified diff, secrets masked.
        more: how many lines that leaves out.
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

    Attributes:
        n: its number.
        outcome: same or different (by what was asked, and whether both held meanwhile; where
            nothing was asked, by what was released), failed, cancelled, or interrupted (its process
            died; written by the next command from the journal that it left).
        old: the first.
        new: the second.
        compared: what they were asked.
        commands_ran: the releases whose release command was begun.
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
