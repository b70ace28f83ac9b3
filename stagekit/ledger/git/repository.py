"""This machine's copy of a shared ledger: a bare repository that has what was needed so far.

It starts with the newest commit alone. Later fetches bring the commits since, so that a history
that was rewritten is seen; older records come by object, many at a time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from stagekit import durable
from stagekit.cancel import Cancel
from stagekit.errors import LedgerError, LimitExceeded
from stagekit.ledger.git import answers
from stagekit.ledger.git.address import Address
from stagekit.ledger.git.program import Git
from stagekit.ledger.git.store import ObjectStore
from stagekit.process import Result

SEEN = "refs/stagekit/seen"
"""The newest commit that was found to continue what was seen before."""

_FETCHED = "refs/stagekit/fetched"
ATTEMPT = "refs/stagekit/attempt"
_LOCKS = ("*.lock", "refs/stagekit/*.lock", "objects/maintenance.lock")
_MANY = 500
"""Objects asked for at a time."""


class Repository(ObjectStore):
    """Args:
    folder: of the copy; made when it is needed.
    address: of the ledger.
    environ: the process's environment.
    cancel: ends what takes long.
    """

    def __init__(
        self, folder: Path, address: Address, environ: Mapping[str, str], cancel: Cancel
    ) -> None:
        super().__init__(Git(folder, environ, cancel))
        self.folder = folder
        self._address = address
        self._contacted = folder / "stagekit-contacted"

    @property
    def contacted(self) -> datetime | None:
        """When the remote was last heard of."""
        try:
            return datetime.fromtimestamp(self._contacted.stat().st_mtime, UTC)
        except OSError:
            return None

    def unlock(self) -> None:
        """Remove locks of git's that a process left which was killed. Only for a caller who knows
        that no other one works here."""
        for pattern in _LOCKS:
            for path in self.folder.glob(pattern):
                with durable.writing(path):
                    path.unlink(missing_ok=True)

    def seen(self) -> str | None:
        """Return the newest commit that was accepted here, None where there was none yet."""
        return self._commit_at(SEEN)

    def attempted(self) -> str | None:
        """Return the commit that was made here last, whatever became of it."""
        return self._commit_at(ATTEMPT)

    def accept(self, commit: str) -> None:
        """Remember a commit as the newest."""
        self._git.said("update-ref", SEEN, commit)

    def fetch(self, *, since: str | None) -> str | None:
        """Bring the newest commit here, and where there is one that was seen, all after that.

        Returns:
            The commit; None where the remote has no such branch.

        Raises:
            LedgerAway: the remote does not answer.
        """
        if not self._is_there():
            self._make()
        depth = () if since else ("--depth=1",)
        refspec = f"+refs/heads/{self._address.branch}:{_FETCHED}"
        done = self._exchange("fetch", *_QUIETLY, *depth, self._address.url, refspec)
        if not done.ok and "couldn't find remote ref" in done.stderr:
            self._touch()
            return None
        self._answered(done)
        return self._git.said("rev-parse", "--verify", _FETCHED).stdout.strip()

    def push(self, commit: str, *, over: str | None) -> LedgerError | None:
        """Put a commit in the place of ``over``, which must be the newest.

        Returns:
            The refusal where another one is the newest by now, or seems to be: of a lock that was
            left there the server says the same. None where it was done.

        Raises:
            LedgerAway: the remote does not answer; where it was reached, whether it has the commit
                is not known.
            LedgerError: it refuses.
        """
        ref = f"refs/heads/{self._address.branch}"
        lease = f"--force-with-lease={ref}:{over or ''}"
        options = ("--porcelain", "--quiet", "--no-verify", lease)
        done = self._exchange("push", *options, self._address.url, f"{commit}:{ref}")
        refusal = answers.refusal(done)
        if refusal is None:
            self._answered(done)
            return None
        self._touch()
        error, outpaced = answers.refused(refusal, done, self._address)
        if outpaced:
            return error
        raise error

    def write(self, stream: bytes) -> str:
        """Make commits from the commands of git-fast-import, the last one marked ``:1``; return
        that one's name. Commits are to be made at `ATTEMPT`."""
        done = self._git.said("fast-import", "--quiet", "--done", "--force", stdin=stream)
        return done.stdout.strip()

    def bring(self, objects: Sequence[str]) -> None:
        """Have objects here: what is missing is asked for. Only for a caller who knows that no
        other process asks at the same time: that may change how much of the history is here.

        Raises:
            LedgerAway: the remote does not answer.
            LedgerError: it has not got them either.
        """
        missing = self.missing(objects)
        for start in range(0, len(missing), _MANY):
            self._bring(missing[start : start + _MANY])

    def bring_history(self) -> None:
        """Have every commit here, and all that is in them."""
        if (self.folder / "shallow").exists():
            ref = f"refs/heads/{self._address.branch}"
            options = (*_QUIETLY, "--unshallow")
            self._answered(self._exchange("fetch", *options, self._address.url, ref))

    def _bring(self, objects: Sequence[str]) -> None:
        done = self._exchange("fetch", *_QUIETLY, self._address.url, *objects)
        if not done.ok and answers.hides_objects(done):
            self.bring_history()
        else:
            self._answered(done)
        if left := self.missing(objects):
            raise LedgerError(
                f"the ledger's repository has lost {len(left)} records that its index names",
                where=str(self._address),
                hint="push them again from a copy that has them, or restore the repository",
            )

    def _exchange(self, *arguments: str) -> Result:
        try:
            return self._git.exchange(*arguments)
        except LimitExceeded as error:
            raise answers.away(error.output or (error.what,), self._address) from error

    def _answered(self, done: Result) -> None:
        if not done.ok:
            raise answers.away(done.tail(8), self._address)
        self._touch()

    def _touch(self) -> None:
        with durable.writing(self._contacted):
            self._contacted.touch()
            os.utime(self._contacted)

    def _commit_at(self, ref: str) -> str | None:
        if not self._is_there():
            return None
        found = self._git.call("rev-parse", "--verify", "--quiet", ref)
        return found.stdout.strip() or None

    def _is_there(self) -> bool:
        folders = ("refs", "objects")  # the latter comes last: it is whole, or is made again
        head = (self.folder / "HEAD").is_file()
        return head and all((self.folder / name).is_dir() for name in folders)

    def _make(self) -> None:
        with durable.writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        listed = self._exchange("ls-remote", self._address.url, "HEAD", "refs/heads/*")
        self._answered(listed)
        name = listed.stdout.split("\t", 1)[0].strip()
        format = "sha256" if len(name) == _SHA256_LENGTH else "sha1"
        self._git.said("init", "--quiet", "--bare", "--template=", f"--object-format={format}")


_QUIETLY = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
_SHA256_LENGTH = 64
