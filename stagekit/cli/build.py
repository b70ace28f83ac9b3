"""``inv build``: source → images, once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.gathered import Gathered
from stagekit.cli.show import age
from stagekit.cli.task import JSON, PLAN, stage_task
from stagekit.cli.told import building, told_after

if TYPE_CHECKING:
    from stagekit.cli.foreseen import Foreseen
    from stagekit.cli.needed import Needed
    from stagekit.inputs.project import Project
    from stagekit.pipeline.making import ImagePlan
    from stagekit.records import Build, Stored


@stage_task(
    name="new",
    default=True,
    help={
        "plan": PLAN,
        "json": JSON,
        "force": "build every image, also those that are what their source makes",
        "fail-fast": "stop everything at the first image that fails",
        "pull": "ask registries now what base images are; else at most once an hour",
        "id": "name the build (also STAGEKIT_BUILD_ID)",
        "progress": "auto, or plain: every line that builders print",
    },
    values={"progress": ("auto", "plain")},
)
def new(
    app: App,
    *,
    plan: bool = False,
    json: bool = False,
    force: bool = False,
    fail_fast: bool = False,
    pull: bool = False,
    id: str = "",
    progress: str = "auto",
) -> Stored[Build] | None:
    """Build the project's images from source, once, and push them.

    Writes artifacts/builds/<id>.toml, which `inv release` reads. An image whose inputs are those of
    one that is there is not built again; where all are, the newest build is returned as it is.
    Nothing is pushed before everything is built. Without a registry the build stays on this engine.
    """
    _show_output(app, progress)
    work = Gathered(app, pull=pull)
    _check_clean(work)
    wanted = id or os.environ.get("STAGEKIT_BUILD_ID", "")
    needed = needed_by(app, work.project)
    if plan:
        foreseen = list(needed.foreseen().values()) if needed else []
        _plan(work, foreseen, wanted, force=force, json=json)
        return None
    if needed:
        needed.do(fail_fast=fail_fast)
        work = Gathered(app, pull=pull)  # what was read before is what was there before
        _check_clean(work)
    if not force and not wanted and (current := _current(work)):
        app.console.note(f"nothing changed since {age(current.record.created)}")
        _show(app, current, json=json)
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
    told_after(app, "stagekit_built", build=stored, environ=os.environ)
    _show(app, stored, json=json)
    return stored


@stage_task(name="why", help={"json": JSON})
def why(app: App, *, json: bool = False) -> None:
    """Say what `inv build` would build, and what changed since the newest build that succeeded."""
    from stagekit.cli import build_plan
    from stagekit.errors import InputError
    from stagekit.pipeline import build as stage

    needed = needed_by(app, app.project)
    foreseen = needed.foreseen() if needed else {}
    images: Sequence[ImagePlan] = ()
    try:
        images = stage.decide(Gathered(app, pull=False).facts("", force=False)).images
    except InputError as error:
        if all(item.runs is False for item in foreseen.values()):
            raise
        build_plan.warn_unknown(app.console, error)
    if json:
        decided = {image.spec.name: image for image in images}
        app.console.data(
            {
                name: {
                    **_why_data(decided.get(name)),
                    **_needs_of(name, needed, foreseen),
                }
                for name in app.project.images
            }
        )
        return
    for item in foreseen.values():
        app.console.result(f"{item.task}: {item.reason}")
    for image in images:
        if image.known:
            app.console.result(f"{image.spec.name}: {image.reason}")
        for reason in image.why if image.known is None else ():
            app.console.result(f"{image.spec.name}: {reason}")


def _why_data(image: ImagePlan | None) -> dict[str, object]:
    """Say what would be done about an image; nothing of one that cannot be looked at yet."""
    known = image.known if image else None
    return {
        "build": known is None if image else None,
        "unchanged_since": known.build if known else None,
        "changes": list(image.why) if image and known is None else [],
    }


def needed_by(app: App, project: Project) -> Needed | None:
    """Return the tasks that a project's images need; None where they need none."""
    if not any(image.needs for image in project.images.values()):
        return None
    from stagekit.cli.needed import Needed

    return Needed.of_project(app, project)


def _needs_of(
    image: str, needed: Needed | None, foreseen: Mapping[str, Foreseen]
) -> dict[str, object]:
    names = needed.of_image(image) if needed else set()
    needs = [item.data for name, item in foreseen.items() if name in names]
    return {"needs": needs} if needs else {}


def _check_clean(work: Gathered) -> None:
    from stagekit.pipeline.sources import check_clean

    if work.project.require_clean:
        check_clean(work.project, work.source, work.app.ci)


def _current(work: Gathered) -> Stored[Build] | None:
    """Return the newest build where it is what the source makes."""
    from stagekit.pipeline.known import current_build

    app = work.app
    return current_build(
        work.project,
        work.inputs,
        ledger=app.ledger,
        engine=app.engine,
        ci=app.ci,
        source=lambda: work.source,
    )


def _plan(
    work: Gathered, foreseen: Sequence[Foreseen], wanted: str, *, force: bool, json: bool
) -> None:
    from stagekit.cli import build_plan
    from stagekit.errors import InputError
    from stagekit.pipeline.build import decide

    app = work.app
    try:
        current = None if force or wanted else _current(work)
        decided = None if current else decide(work.facts(wanted, force=force))
    except InputError as error:
        if all(item.runs is False for item in foreseen):
            raise
        build_plan.say_unknown(app.console, error, foreseen, json=json)
        return
    if current:
        build_plan.say_current(app.console, current, foreseen, json=json)
    if decided:
        build_plan.show(app.console, decided, work.builder, foreseen, json=json)


def _show_output(app: App, progress: str) -> None:
    from stagekit.errors import InputError

    if progress not in ("auto", "plain"):
        raise InputError(f"{progress!r} is neither auto nor plain", where="--progress")
    app.console.show_output = progress == "plain"


def _show(app: App, stored: Stored[Build], *, json: bool) -> None:
    from stagekit.envelope import plain

    build = stored.record
    if json:
        app.console.data(plain(build))
        return
    app.console.result(f"build {build.id}")
    for name, image in sorted(build.images.items()):
        app.console.result(f"  {name}  {image.pin}")
    app.console.note(f"next: inv release --env ENV   (record: artifacts/builds/{build.id}.toml)")
