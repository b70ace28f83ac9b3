"""A build made: what the images need first, the images themselves, and what plugins are told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.gathered import Gathered
from stagekit.cli.show import age
from stagekit.cli.told import building, told_after

if TYPE_CHECKING:
    from stagekit.cli.needed import Needed
    from stagekit.inputs.project import Project
    from stagekit.records import Build, Stored


def new_build(
    app: App, *, force: bool = False, fail_fast: bool = False, pull: bool = False, id: str = ""
) -> Stored[Build]:
    """Build a repository's images and push them; where nothing changed, return the newest build.

    Args:
        app: the repository's.
        force: build every image, also those that are what their source makes.
        fail_fast: stop everything at the first image that fails.
        pull: ask registries now what base images are.
        id: the build's; by default ``$STAGEKIT_BUILD_ID``, else what the project's ``id`` makes.

    Raises:
        InputError, BuildFailed, EngineError, RegistryError, PluginFailed, Cancelled.
    """
    from stagekit.pipeline.tags import id_of

    wanted = wanted_id(id)
    if wanted and id_of(wanted) != wanted:
        app.console.note(f"{wanted!r} is no tag of an image: the build is {id_of(wanted)}")
    work = Gathered(app, pull=pull)
    check_clean(work)
    if needed := needed_by(app, work.project):
        needed.do(fail_fast=fail_fast)
        work = Gathered(app, pull=pull)  # what was read before is what was there before
        check_clean(work)
    if not force and not wanted and (current := current_build(work)):
        app.console.note(f"nothing changed since {age(current.record.created)}")
        _tell(app, "stagekit_build_unchanged", current)
        return current
    from stagekit.pipeline import build as stage

    decided = stage.decide(work.facts(wanted, force=force))
    with building(app, [image.spec.name for image in decided.images]):
        stored = stage.apply(
            decided,
            engine=app.engine,
            builder=work.builder,
            ledger=app.ledger,
            inputs_now=lambda: Gathered(app, pull=False).inputs,
            fail_fast=fail_fast,
            emit=app.console.emit,
            cancel=app.cancel,
        )
    _tell(app, "stagekit_built", stored)
    return stored


def _tell(app: App, hook: str, build: Stored[Build]) -> None:
    facts = {"engine": app.engine, "emit": app.console.emit, "environ": os.environ}
    told_after(app, hook, build=build, **facts)


def wanted_id(asked: str) -> str:
    """Return the id that a build was asked to have, empty where nobody did."""
    return asked or os.environ.get("STAGEKIT_BUILD_ID", "")


def needed_by(app: App, project: Project) -> Needed | None:
    """Return the tasks that a project's images need; None where they need none."""
    if not any(image.needs for image in project.images.values()):
        return None
    from stagekit.cli.needed import Needed

    return Needed.of_project(app, project)


def check_clean(work: Gathered) -> None:
    from stagekit.pipeline import sources

    if work.project.require_clean:
        sources.check_clean(work.project, work.source, work.app.ci)


def current_build(work: Gathered) -> Stored[Build] | None:
    """Return the newest build where it is what the source makes."""
    from stagekit.pipeline import known

    app = work.app
    return known.current_build(
        work.project,
        work.inputs,
        ledger=app.ledger,
        presence=work.presence,
        ci=app.ci,
        source=lambda: work.source,
    )
