"""Plugins that are told of a stage: before it they can stop it, after it they cannot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stagekit.cli.app import App
from stagekit.errors import Cancelled

if TYPE_CHECKING:
    from stagekit.records import Build, Stored


def told_after(app: App, hook: str, **facts: Any) -> None:
    """Tell plugins of what is done and recorded. What one raises is told, and kept in
    ``artifacts/warnings.log``: the record that it is about is written.

    Raises:
        Cancelled: somebody stopped it meanwhile.
    """
    for error in app.plugins.tell_all(hook, **facts):
        if isinstance(error, Cancelled):
            continue
        app.console.warn(error.in_a_line)
        if error.hint:
            app.console.note(f"  next: {error.hint}")
        app.ledger.warn(error.in_a_line)
    app.cancel.check()


@contextmanager
def building(app: App, images: list[str]) -> Iterator[None]:
    """Tell plugins that a build begins, and of its record where it failed."""
    app.plugins.tell("stagekit_before_build", root=app.root, images=images, environ=os.environ)
    begun = datetime.now(UTC)
    try:
        yield
    except Exception:
        if failed := _failed_since(app, begun):
            told_after(app, "stagekit_build_failed", build=failed, environ=os.environ)
        raise


@contextmanager
def releasing(app: App, env: str, build: Stored[Build]) -> Iterator[None]:
    """Tell plugins that a release begins, and that it could not be made."""
    facts = {"root": app.root, "env": env, "environ": os.environ}
    app.plugins.tell("stagekit_before_release", build=build, **facts)
    try:
        yield
    except Exception as error:
        told_after(app, "stagekit_release_failed", env=env, error=error, environ=os.environ)
        raise


def _failed_since(app: App, begun: datetime) -> Stored[Build] | None:
    newest = next(iter(app.ledger.builds()), None)
    stored = app.ledger.find_build(newest) if newest else None
    made_now = stored is not None and stored.record.created >= begun
    return stored if stored and made_now and not stored.record.succeeded else None
