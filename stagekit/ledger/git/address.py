"""Where a shared ledger is: a git repository, and a branch of it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from stagekit.digest import of_bytes
from stagekit.errors import InputError
from stagekit.paths import check_path, expanded
from stagekit.records import Part

DEFAULT_BRANCH = "stagekit"

_OPTION = re.compile(r"(?:[^/@]*@)?-")
_REMOTE = ("ssh", "http", "https", "git", "file")
_SCP = re.compile(r"[^/:]+:(?!:|//).+")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
_LONGEST_KEY = 16


class Address(Part, frozen=True):
    """A branch of a repository. ``url`` is as git takes it."""

    url: str
    branch: str

    def __str__(self) -> str:
        return f"{self.url}#{self.branch}"

    @property
    def key(self) -> str:
        """A name for a folder that is about this ledger and no other."""
        return of_bytes(str(self).encode()).partition(":")[2][:_LONGEST_KEY]


def parse_address(text: str, root: Path, *, where: str) -> Address:
    """Read ``git+ssh://git@host/team/ledger.git#branch``, any other address that git takes, or the
    path of a bare repository.

    Args:
        text: what was written.
        root: where a relative path starts.
        where: it was written, for errors.

    Raises:
        InputError: it names no repository, holds a password, or no branch could be called that.
    """
    url, _, branch = text.strip().partition("#")
    url, branch = url.removeprefix("git+"), branch or DEFAULT_BRANCH
    if not url or url.startswith("-") or not url.isprintable():
        raise InputError(
            f"{text!r} is no git repository",
            where=where,
            hint="git+ssh://git@host/team/ledger.git#branch, or the path of a bare repository",
        )
    if not _BRANCH.fullmatch(branch) or ".." in branch or branch.endswith((".lock", "/", ".")):
        raise InputError(f"no branch can be called {branch!r}", where=where)
    return Address(url=_as_git_takes_it(url, root, where), branch=branch)


def _as_git_takes_it(url: str, root: Path, where: str) -> str:
    if "://" in url:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise InputError(f"{url!r}: {str(error).lower()}", where=where) from error
        if parts.scheme != "file" and _OPTION.match(parts.netloc):
            raise InputError(f"{parts.netloc!r} is no host", where=where)
        if parts.scheme not in _REMOTE:
            raise InputError(
                f"{parts.scheme}:// is no way to a git repository",
                where=where,
                hint=f"one of: {', '.join(f'git+{name}://' for name in _REMOTE)}",
            )
        if parts.password or (parts.username and parts.scheme.startswith("http")):
            raise InputError(
                "the address of a ledger holds no credentials",
                where=where,
                hint="give them to git: an ssh key, or a credential helper",
            )
        return url
    if "::" in url:
        raise InputError(f"{url.partition('::')[0]}:: is no way to a ledger", where=where)
    if _SCP.fullmatch(url):
        if _OPTION.match(url):
            raise InputError(f"{url.partition(':')[0]!r} is no host", where=where)
        return url
    path = root / expanded(url)
    check_path(path, where)
    return str(path.resolve())
