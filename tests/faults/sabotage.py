"""What is broken on purpose, one promise each, for those to find who look whether promises hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


def _a_record_is_edited() -> None:
    """A cancellation strikes a release out in its own record."""
    from stagekit.ledger.files import FileLedger

    real = FileLedger.cancel_release

    def cancel(self: FileLedger, cancellation: Any) -> Any:
        record = self.release_folder(cancellation.env, cancellation.id) / "release.toml"
        record.write_bytes(record.read_bytes() + b"# cancelled\n")
        return real(self, cancellation)

    FileLedger.cancel_release = cancel  # type: ignore[method-assign]


def _a_record_is_lost() -> None:
    """A release takes its build's away."""
    from stagekit.ledger.files import FileLedger

    real = FileLedger.add_release

    def add(self: FileLedger, release: Any, files: Any, **named: Any) -> Any:
        (self.root / f"builds/{release.build.id}.toml").unlink(missing_ok=True)
        return real(self, release, files, **named)

    FileLedger.add_release = add  # type: ignore[method-assign]


def _ids_count_down() -> None:
    from stagekit.ledger import releases
    from stagekit.ledger.files import FileLedger

    def down(taken: Sequence[str]) -> Iterator[str]:
        return (f"v{'0' * number}" for number in range(1, len(taken) + 2))

    releases.counted = down
    FileLedger.add_release.__kwdefaults__["ids"] = down


def _the_lease_is_kept() -> None:
    from stagekit.engine.lease import HeldLease

    HeldLease.release = lambda self: self._released.set()  # type: ignore[method-assign]


def _what_is_in_force_is_not_noted() -> None:
    from stagekit.engine import standing

    standing.keep = lambda *_: None


def _two_are_in_force() -> None:
    """What was in force before is not taken away."""
    from stagekit.engine.client import Client

    real = Client.remove_volume

    def remove(self: Client, name: str) -> None:
        if not name.startswith("stagekit-state-"):
            real(self, name)

    Client.remove_volume = remove  # type: ignore[method-assign]


def _another_release_comes_up() -> None:
    """Its containers are told what they were told before."""
    from stagekit.builtin.compose import ComposeRunner

    real = ComposeRunner.up

    def up(self: Any, release: Any, document: bytes, *rest: Any, **named: Any) -> Any:
        return real(self, release, document.replace(b"newer", b"older"), *rest, **named)

    ComposeRunner.up = up  # type: ignore[method-assign]


def _what_is_left_stays() -> None:
    from stagekit import temporary

    temporary.sweep = lambda _: None


def _history_is_rewritten() -> None:
    """The shared ledger begins anew with each entry."""
    from stagekit.ledger.git import commits

    real = commits._commit

    def commit(signature: Any, text: str, before: str | None) -> Iterator[bytes]:
        return real(signature, text, None)

    commits._commit = commit


def _nothing_is_sent() -> None:
    """What is owed to the shared ledger stays here."""
    from stagekit.ledger.git.exchange import Exchange

    Exchange.settle = Exchange.send = lambda *_: None  # type: ignore[assignment,method-assign]


SABOTAGE: dict[str, Callable[[], None]] = {
    name.strip("_").replace("_", " "): broken
    for name, broken in list(globals().items())
    if name.startswith("_") and callable(broken) and getattr(broken, "__module__", "") == __name__
}
"""Each by its name; called in the process of a command, before it begins."""
