"""What each stage is done within: its repository, with signals that stop it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

from stagekit.cancel import Cancel
from stagekit.cli.app import App, repository
from stagekit.errors import InputError

if TYPE_CHECKING:
    from stagekit.records import Release


@contextmanager
def within(root: Path | None) -> Iterator[App]:
    """Give the repository as it is now: that in ``root``, by default the one this process is about.

    Raises:
        InputError: this is not the main thread.
    """
    if current_thread() is not main_thread():
        raise InputError(
            "a stage is done on the main thread",
            where="stagekit.stages",
            hint="call it from the task itself, and not from one that is needed or from a thread",
        )
    app = repository(root).anew()
    app.cancel = Cancel()  # one that was stopped before stops nothing after it
    with app.cancelling():
        try:
            yield app
        finally:
            app.close()


def id_of(app: App, release: Release | str | None, env: str) -> str | None:
    """Return the id of a release of an environment, given it or what it is called.

    Raises:
        InputError: it is another environment's.
    """
    from stagekit.cli.run import release_id

    return release_id(
        app, env, release if isinstance(release, str) else release.name if release else ""
    )
