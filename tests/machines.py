"""Machines that share a ledger: each is a folder that knows nothing of the others."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.events import Event, Noted, Warned
from stagekit.ledger.git.address import parse_address
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.opening import open_ledger
from stagekit.testing.records import released


def git(*arguments: object, cwd: Path | None = None, **environ: str) -> str:
    done = subprocess.run(
        ["git", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@dataclass
class Team:
    """A bare repository, and machines that write to it."""

    folder: Path
    heard: list[Event] = field(default_factory=list)

    @property
    def remote(self) -> Path:
        return self.folder / "remote.git"

    def ledger(self, machine: str = "ann", cancel: Cancel | None = None) -> GitLedger:
        """The ledger as the next command on a machine has it."""
        address = parse_address(f"{self.remote}#ledger", self.folder, where="a test")
        return open_ledger(
            address,
            self.folder / machine,
            actor=f"{machine}@laptop",
            emit=self.heard.append,
            environ=os.environ,
            cancel=cancel,
        )

    def said(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Warned | Noted)]

    def go_away(self) -> None:
        self.remote.rename(self.folder / "gone")

    def come_back(self) -> None:
        (self.folder / "gone").rename(self.remote)

    def hook(self, name: str, script: str) -> Path:
        path = self.remote / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def by_hand(self, change: Callable[[Path], object], *arguments: str) -> None:
        """Change the branch as somebody with a clone would, and push it."""
        clone = self.folder / "clone"
        git("clone", "--quiet", "--branch", "ledger", self.remote, clone)
        change(clone)
        git("add", "--all", cwd=clone)
        git("commit", "--quiet", "--allow-empty", *arguments, cwd=clone, **NOBODY)
        git("push", "--quiet", "--force", "origin", "ledger", cwd=clone)
        shutil.rmtree(clone)


NOBODY = {
    f"GIT_{role}_{what}": "nobody@laptop"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


def release_elsewhere(folder: Path, number: int) -> str:
    return released(Team(folder).ledger(f"machine{number}")).record.id


def release_here(folder: Path, _number: int) -> str:
    return released(Team(folder).ledger()).record.id
