"""``inv build``: source → images, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.gathered import Gathered
from stagekit.cli.new_build import check_clean, current_build, needed_by, new_build, wanted_id
from stagekit.cli.task import JSON, PLAN, stage_task

if TYPE_CHECKING:
    from stagekit.cli.foreseen import Foreseen
    from stagekit.cli.needed import Needed
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
    if plan:
        _plan(Gathered(app, pull=pull, read_only=True), wanted_id(id), force=force, json=json)
        return None
    stored = new_build(app, force=force, fail_fast=fail_fast, pull=pull, id=id)
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


def _needs_of(
    image: str, needed: Needed | None, foreseen: Mapping[str, Foreseen]
) -> dict[str, object]:
    names = needed.of_image(image) if needed else set()
    needs = [item.data for name, item in foreseen.items() if name in names]
    return {"needs": needs} if needs else {}


def _plan(work: Gathered, wanted: str, *, force: bool, json: bool) -> None:
    from stagekit.cli import build_plan
    from stagekit.errors import InputError
    from stagekit.pipeline.build import decide

    app = work.app
    check_clean(work)
    needed = needed_by(app, work.project)
    foreseen = list(needed.foreseen().values()) if needed else []
    try:
        current = None if force or wanted else current_build(work)
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
    record = app.where_recorded(f"builds/{build.id}.toml")
    app.console.next("inv release --env ENV", f"record: {record}")
