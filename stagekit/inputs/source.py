"""Where the source of a build stands, asked from git."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.events import Emit, Warned
from stagekit.inputs.names import NOT_SOURCE
from stagekit.inputs.within import steps_to, within
from stagekit.process import Result
from stagekit.records import Part, Source

_LIMIT = 20.0
_EXCLUDED = tuple(f":(exclude){name}" for name in NOT_SOURCE)
_CHANGED_LIMIT = 100


class Commit(Part, frozen=True):
    """A commit: its short hash, the first line of its message, and who wrote it."""

    short: str
    subject: str
    author: str = ""


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
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=normal")
    found = _git(root, "status", *options, "--", ".", *_EXCLUDED)
    if not found or not found.ok:
        return None
    return [entry[3:] for entry in found.stdout.split("\0") if entry]


def commits_between(root: Path, old: str | None, new: str | None) -> tuple[str, ...]:
    """Return ``<short commit> <subject>`` of what `log_between` does."""
    return tuple(f"{commit.short} {commit.subject}" for commit in log_between(root, old, new))


def log_between(root: Path, old: str | None, new: str | None) -> tuple[Commit, ...]:
    """Return what came after ``old`` up to ``new``, newest first, a hundred at most; empty where
    git cannot tell."""
    if not old or not new or old == new:
        return ()
    form = "--format=%h%x00%an%x00%s"
    log = _said(root, "log", "--no-decorate", form, "--max-count=100", f"{old}..{new}", "--")
    if not log:
        return ()
    lines = (line.split("\0", 2) for line in log.split("\n"))
    return tuple(
        Commit(short=short, author=author, subject=subject) for short, author, subject in lines
    )


def same_source(root: Path, one: str | None, other: str | None) -> bool:
    """Tell whether two commits have the same files, but for what is no source; no where git cannot
    tell."""
    if not one or not other:
        return False
    if one == other:
        return True
    found = _git(root, "diff", "--quiet", "--no-ext-diff", one, other, "--", ".", *_EXCLUDED)
    return found is not None and found.ok


def tracked(root: Path) -> frozenset[str] | None:
    """Return the files that git knows, by their paths below ``root``; None where it cannot tell."""
    found = _git(root, "ls-files", "-z")
    if not found or not found.ok:
        return None
    return frozenset(path for path in found.stdout.split("\0") if path)


def _listed(root: Path, command: str, *arguments: str) -> list[str]:
    """Return what git lists, each path taken as it is written; nothing where it cannot tell."""
    found = _git(root, "--literal-pathspecs", command, *arguments)
    return [entry for entry in found.stdout.split("\0") if entry] if found and found.ok else []


def is_pushed(root: Path, commit: str) -> bool:
    """Tell whether a branch of a remote has a commit, as far as this clone has heard."""
    return bool(_said(root, "branch", "--remotes", "--contains", commit, "--format=%(refname)"))


def uncommitted(root: Path, folders: Sequence[Path], files: Sequence[Path] = ()) -> tuple[str, ...]:
    """Return which files are not as they are committed; none where there is no git to tell.

    Args:
        root: the project's folder.
        folders: what is below them counts, but for what git ignores.
        files: count also where git ignores them; links to them, too. One that lies outside the
            repository is not committed.
    """
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    top = _said(root, "rev-parse", "--show-toplevel")
    if top is None:
        return ()
    leading = [step for path in files for step in steps_to(path, root)]
    steps = [str(step) for step in leading if within(Path(top), step.parent)]
    changed = _listed(root, "status", *options, "--", *map(str, folders), *steps)
    names = {entry[3:] for entry in changed}
    names |= {*map(str, leading)} - {*steps}  # git, asked for one of those, would tell of no other
    if steps:
        names |= {*_listed(root, "ls-files", "--others", "--full-name", "-z", "--", *steps)}
    return tuple(sorted(names))


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
    # Set in git's settings, it says on stdout, before the format that was asked for, who signed.
    plainly = ("-c", "log.showSignature=false")
    argv = (program, "-C", str(root), *plainly, *arguments)
    return process.run(argv, env=environment, limit=_LIMIT, cancel=Cancel())
