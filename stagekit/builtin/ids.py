"""How builds and releases are named: the ``id`` setting of a project, and of an environment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stagekit.errors import InputError
from stagekit.ledger.releases import counted
from stagekit.plugins.spec import hookimpl
from stagekit.records import CI, Source

_PIPELINE_LIMIT = 100
"""Characters of a pipeline's name: a tag has 128, and its counter must not be cut off."""

_COMMIT_LENGTH = 12


@hookimpl
def stagekit_build_id(
    scheme: str, ci: CI | None, source: Source, now: datetime, taken: Sequence[str]
) -> str | None:
    """``auto`` is the CI's pipeline and counter, so that what runs is traced to the job that built
    it; else the time. ``timestamp``, ``commit`` and ``counter`` are these everywhere."""
    if scheme == "auto" and ci and ci.pipeline and ci.counter:
        attempt = f".{ci.attempt}" if ci.attempt else ""
        return f"{ci.pipeline[:_PIPELINE_LIMIT]}-{ci.counter}{attempt}"
    if scheme in ("auto", "timestamp"):
        return now.strftime("%Y.%m.%d-%H.%M")
    if scheme == "commit":
        return _by_commit(ci, source)
    return _next(taken) if scheme == "counter" else None


@hookimpl
def stagekit_release_id(
    scheme: str, ci: CI | None, now: datetime, taken: Sequence[str]
) -> str | None:
    """``counter`` is v1, v2, …; ``timestamp`` the time, to the second, in UTC; ``ci`` the counter
    of the CI's job."""
    if scheme == "counter":
        return _next(taken)
    if scheme == "timestamp":
        return now.strftime("%Y-%m-%d-%H:%M:%S")
    return _by_ci(ci) if scheme == "ci" else None


def _by_ci(ci: CI | None) -> str:
    if ci is None or not ci.counter:
        raise InputError(
            "there is no CI whose counter could name a release",
            where='config.toml [stagekit] id = "ci"',
            hint='release on the CI, or choose another id: "counter" or "timestamp"',
        )
    return f"{ci.counter}.{ci.attempt}" if ci.attempt else ci.counter


def _by_commit(ci: CI | None, source: Source) -> str:
    commit = source.commit or (ci.commit if ci else None)
    if not commit:
        raise InputError(
            "there is no commit to name a build after",
            where='pyproject.toml [tool.stagekit] id = "commit"',
            hint="git init and commit, or choose another id",
        )
    return f"{commit[:_COMMIT_LENGTH]}{'-dirty' if source.dirty else ''}"


def _next(taken: Sequence[str]) -> str:
    return next(counted(taken))
