"""Where the source of a build stands, asked from git."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from stagekit import process
from stagekit.inputs.project import NOT_SOURCE
from stagekit.process import Cancel
from stagekit.records import Source

_LIMIT = 20.0


def read_source(root: Path) -> Source:
    """Return commit, branch, remote and whether there are uncommitted changes of the source.

    A folder outside git, or a machine without git, has an empty Source.
    """
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if not commit:
        return Source()
    excluded = [f":(exclude){name}" for name in NOT_SOURCE]
    changes = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", ".", *excluded)
    branch = _git(root, "symbolic-ref", "--short", "--quiet", "HEAD")
    remote = _git(root, "config", "--get", "remote.origin.url")
    return Source(
        commit=commit,
        branch=branch or None,
        dirty=bool(changes),
        remote=_without_credentials(remote) if remote else None,
    )


def commits_between(root: Path, old: str | None, new: str | None) -> tuple[str, ...]:
    """Return ``<short commit> <subject>`` of what came after ``old`` up to ``new``, newest first;
    empty where git cannot tell."""
    if not old or not new or old == new:
        return ()
    log = _git(root, "log", "--no-decorate", "--format=%h %s", "--max-count=100", f"{old}..{new}")
    return tuple((log or "").splitlines())


def _git(root: Path, *arguments: str) -> str | None:
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
    result = process.run(argv, env=environment, limit=_LIMIT, cancel=Cancel())
    return result.stdout.strip() if result.ok else None


def _without_credentials(remote: str) -> str:
    parts = urlsplit(remote)
    if "@" not in parts.netloc:
        return remote
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
