"""What a remote, or git on its behalf, makes of what it was asked: read from git's own words."""

from __future__ import annotations

from collections.abc import Sequence

from stagekit.errors import LedgerAway, LedgerError
from stagekit.ledger.git.address import Address
from stagekit.process import Result

_TAKEN_MEANWHILE = (
    *("cannot lock ref", "failed to update ref", "incorrect old value", "failed to lock"),
    *("reference already exists", "fetch first", "non-fast-forward", "stale info"),
)
_NO_CONTACT = ("Could not read from remote repository", "fatal: unable to access")
"""Said where a connection does not come about. One that breaks later is told in other words."""

_NO_ANSWER = "inv ledger.status says whether it does; what was read before is at hand without it"
_NO_REPOSITORY = "is ledger.url right? git init --bare makes a repository that can be one"
_MAY_NOT_PUSH = "let this user push to that branch, or ask who runs the repository"
_CANNOT_UPDATE = (
    "ask who runs the repository: a lock that was left in it, a full disk, a wrong owner"
)
_ADVICE = (
    *("Please make sure you have the correct", "and the repository exists."),
    "fatal: Could not read from remote repository.",
)


def refusal(done: Result) -> str | None:
    """Return git's line that says why a remote did not take a push, None where it says none."""
    return next((line for line in done.stdout.splitlines() if line.startswith("!")), None)


def refused(line: str, done: Result, address: Address) -> tuple[LedgerError, bool]:
    """Return what to raise of a refusal, and whether another push was faster, or seems to have
    been: of a lock that was left there the server says the same."""
    outpaced = any(text in line + done.stderr for text in _TAKEN_MEANWHILE)
    error = LedgerError(
        f"the ledger's repository refuses the push: {line.rpartition(chr(9))[2]}",
        where=str(address),
        hint=_CANNOT_UPDATE if outpaced else _MAY_NOT_PUSH,
        output=done.tail(8),
    )
    return error, outpaced


def away(said: Sequence[str], address: Address) -> LedgerAway:
    """Return what to raise where a remote does not answer.

    Args:
        said: by git, all of it.
        address: of the ledger.
    """
    no_repository = any("does not appear to be a git repository" in line for line in said)
    # git's advice is what it gives to everybody
    telling = [line for line in said if line.strip() and not line.startswith(_ADVICE)]
    error = LedgerAway(
        "the shared ledger does not answer",
        where=str(address),
        hint=_NO_REPOSITORY if no_repository else _NO_ANSWER,
        output=tuple(telling or said[-1:]),
    )
    error.reached = not any(text in line for line in said for text in _NO_CONTACT)
    return error


def hides_objects(done: Result) -> bool:
    """Tell whether a server gives no object that no branch names: one before git 2.18, or one
    that was told so."""
    return any(text in done.stderr for text in ("not our ref", "unadvertised object"))
