"""What was built, released and run."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.stages.within import within

if TYPE_CHECKING:
    from stagekit.records import Build, Release, Run


def builds(*, last: int = 20, root: Path | None = None) -> tuple[Build, ...]:
    """Return the newest builds, failed ones among them, the newest first.

    Args:
        last: how many.
        root: the repository's folder.

    Raises:
        LedgerError: one is not what was recorded.
    """
    with within(root) as app:
        return tuple(app.ledger.build(id).record for id in islice(app.ledger.builds(), last))


def releases(*, env: str, last: int = 20, root: Path | None = None) -> tuple[Release, ...]:
    """Return an environment's newest releases, the newest first; damaged ones are warned of.

    Args:
        env: the environment's name.
        last: how many.
        root: the repository's folder.
    """
    from stagekit.pipeline.history import readable_releases

    with within(root) as app:
        app.check_environment(env)
        found = readable_releases(app.ledger, env, app.console.emit)
        return tuple(stored.record for stored in islice(found, last))


def runs(*, env: str, last: int = 20, root: Path | None = None) -> tuple[Run, ...]:
    """Return an environment's newest runs, the newest first; damaged ones are warned of.

    Args:
        env: the environment's name.
        last: how many.
        root: the repository's folder.
    """
    from stagekit.pipeline.history import readable_runs

    with within(root) as app:
        app.check_environment(env)
        found = readable_runs(app.ledger, env, app.console.emit)
        return tuple(stored.record for stored in islice(found, last))
