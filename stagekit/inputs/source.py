"""Where the source of a build stands, asked from git."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from stagekit import process
from stagekit.events import Emit, Warned
from stagekit.inputs.names import NOT_SOURCE
from stagekit.process import Cancel, Result
from stagekit.records import Source

_LIMIT = 20.0
_CHANGED_LIMIT = 100


def read_source(root: Path, emit: Emit) -> Source:
    """Return commit, branch, remote and whether there are uncommitted changes of the source.

    A folder outside git, or a machine without git, has an empty Source; a repository that git
    refuses to look at, too, with a warning. What git cannot tell to be clean counts as dirty.
    """
    found = _git(root, "log", "-1", "--format=%H %cI")
    if not found or not found.ok:
        if found and "dubious ownership" in found.stderr:
            emit(Warned(f"git does not tell the commit: {found.stderr.strip().splitlines()[0]}"))
        return Source(dirty=(root / ".git").exists())
    commit, _, committed = found.stdout.strip().partition(" ")
    changed = _changed(root)
    return Source(
        commit=commit,
        branch=_said(root, "symbolic-ref", "--short", "--quiet", "HEAD"),
        dirty=changed is None or bool(changed),
        remote=without_credentials(_said(root, "config", "--get", "remote.origin.url") or "")
        or None,
        committed=datetime.fromisoformat(committed).astimezone(UTC),
        changed=tuple(changed or ())[:_CHANGED_LIMIT],
    )


def _changed(root: Path) -> list[str] | None:
    """Return the files with uncommitted changes, None where git cannot tell."""
    excluded = [f":(exclude){name}" for name in NOT_SOURCE]
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=normal")
    found = _git(root, "status", *options, "--", ".", *excluded)
    if not found or not found.ok:
        return None
    return [entry[3:] for entry in found.stdout.split("\0") if entry]


def commits_between(root: Path, old: str | None, new: str | None) -> tuple[str, ...]:
    """Return ``<short commit> <subject>`` of what came after ``old`` up to ``new``, newest first;
    empty where git cannot tell."""
    if not old or not new or old == new:
        return ()
    log = _said(root, "log", "--no-decorate", "--format=%h %s", "--max-count=100", f"{old}..{new}")
    return tuple((log or "").splitlines())


def without_credentials(url: str) -> str:
    """Leave out of a URL, or of git's ``user@host:path``, what could let somebody in."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        user, at, place = url.rpartition("@")
        return f"{user.partition(':')[0]}{at}{place}"
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}".partition("?")[0]


def _said(root: Path, *arguments: str) -> str | None:
    found = _git(root, *arguments)
    return found.stdout.strip() or None if found and found.ok else None


def _git(root: Path, *arguments: str) -> Result | None:
    program = shutil.which("git")
    if program is None:
        return None
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
    argv = (program, "-C", str(root), *arguments)
    return process.run(argv, env=environment, limit=_LIMIT, cancel=Cancel())
