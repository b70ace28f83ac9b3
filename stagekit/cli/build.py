"""``inv build``: source → images, once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.show import age
from stagekit.cli.task import JSON, PLAN, stage_task

if TYPE_CHECKING:
    from stagekit.inputs.fingerprint import ImageInputs
    from stagekit.inputs.project import Project
    from stagekit.protocols import Builder
    from stagekit.records import Build, Source, Stored
    from stagekit.stages.build import Facts, Plan


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
    from stagekit.stages.known import current_build
    from stagekit.stages.sources import check_clean

    _show_output(app, progress)
    work = _Gathered(app, pull=pull)
    if work.project.require_clean:
        check_clean(work.project, work.source, app.ci)
    wanted = id or os.environ.get("STAGEKIT_BUILD_ID", "")
    if not force and not wanted:
        current = current_build(
            work.project,
            work.inputs,
            ledger=app.ledger,
            engine=app.engine,
            ci=app.ci,
            source=lambda: work.source,
        )
        if current and plan:
            _say_current(app, current, json=json)
            return None
        if current:
            app.console.note(f"nothing changed since {age(current.record.created)}")
            _show(app, current, json=json)
            return current
    from stagekit.stages import build as stage

    decided = stage.decide(work.facts(wanted, force=force))
    if plan:
        _show_plan(app, decided, work.builder, json=json)
        return None
    stored = stage.apply(
        decided,
        engine=app.engine,
        builder=work.builder,
        ledger=app.ledger,
        inputs_now=lambda: _Gathered(app, pull=False).inputs,
        fail_fast=fail_fast,
        emit=app.console.emit,
        cancel=app.cancel,
    )
    app.plugins.built(stored, os.environ)
    _show(app, stored, json=json)
    return stored


@stage_task(name="why", help={"json": JSON})
def why(app: App, *, json: bool = False) -> None:
    """Say what `inv build` would build, and what changed since the newest build that succeeded."""
    from stagekit.stages import build as stage

    decided = stage.decide(_Gathered(app, pull=False).facts("", force=False))
    if json:
        app.console.data(
            {
                image.spec.name: {
                    "build": image.known is None,
                    "unchanged_since": image.known.build if image.known else None,
                    "changes": list(image.why) if image.known is None else [],
                }
                for image in decided.images
            }
        )
        return
    for image in decided.images:
        if image.known:
            app.console.result(f"{image.spec.name}: {image.reason}")
        for reason in image.why if image.known is None else ():
            app.console.result(f"{image.spec.name}: {reason}")


@dataclass
class _Gathered:
    """What a build is decided from, each part read on first use."""

    app: App
    pull: bool

    @cached_property
    def project(self) -> Project:
        return _with_registry(self.app.project)

    @cached_property
    def builder(self) -> Builder:
        return self.app.plugins.builder(self.project.builder, self.app.engine, os.environ)

    @cached_property
    def inputs(self) -> dict[str, ImageInputs]:
        from stagekit.inputs.bases import BaseImages
        from stagekit.stages.sources import read_all_inputs

        app, builder = self.app, self.builder.name
        bases = BaseImages(
            app.engine,
            self.project.cache / "bases.json",
            fresh=self.pull,
            emit=app.console.emit,
            cancel=app.cancel,
        )
        return read_all_inputs(self.project, builder=builder, bases=bases)

    @cached_property
    def source(self) -> Source:
        from stagekit.inputs.source import read_source

        return read_source(self.app.root, self.app.console.emit)

    def facts(self, wanted: str, *, force: bool) -> Facts:
        from stagekit.stages import build as stage
        from stagekit.stages.known import inputs_before, known_images

        app, ledger = self.app, self.app.ledger
        return stage.Facts(
            project=self.project,
            source=self.source,
            ci=app.ci,
            wanted_id=wanted
            or app.plugins.build_id(
                self.project.id,
                ci=app.ci,
                source=self.source,
                now=datetime.now(UTC),
                taken=ledger.builds() if self.project.id == "counter" else (),
            ),
            actor=app.actor,
            inputs=self.inputs,
            before=inputs_before(ledger),
            known=known_images(self.inputs, ledger=ledger, engine=app.engine),
            force=force,
        )


def _with_registry(project: Project) -> Project:
    """Push to the private registry of ``inv engine.start`` where the project names none."""
    from msgspec.structs import replace

    from stagekit.engine import registry
    from stagekit.engine.home import home_of

    if not project.registries and (private := registry.running(home_of(os.environ))):
        return replace(project, registries=(private.address,))
    return project


def _show_output(app: App, progress: str) -> None:
    from stagekit.errors import InputError

    if progress not in ("auto", "plain"):
        raise InputError(f"{progress!r} is neither auto nor plain", where="--progress")
    app.console.show_output = progress == "plain"


def _show_plan(app: App, plan: Plan, builder: Builder, *, json: bool) -> None:
    from stagekit.envelope import plain
    from stagekit.stages.build import lacks

    lacking = list(lacks(plan, builder))
    if json:
        listed = plain(plan)
        app.console.data(
            {
                "id": plan.id,
                "unchanged": False,
                "push": plan.push,
                "tags": listed["tags"],
                "cannot": lacking,
                "images": [
                    {
                        "name": image.spec.name,
                        "context": str(image.spec.context),
                        "repositories": list(image.spec.repositories),
                        "build": image.known is None,
                        "why": image.reason,
                    }
                    for image in plan.images
                ],
            }
        )
        return
    for image in plan.images:
        verb = "reuse" if image.known else "build"
        app.console.result(f"{verb}  {image.spec.name}  {image.spec.context}  ({image.reason})")
    for image in plan.images if plan.push else ():
        for repository in image.spec.repositories:
            for tag in (plan.id, *plan.tags):
                app.console.result(f"push   {repository}:{tag}")
    for what in lacking:
        app.console.warn(f"builder {builder.name} cannot: {what}")


def _say_current(app: App, stored: Stored[Build], *, json: bool) -> None:
    if json:
        app.console.data({"id": stored.record.id, "unchanged": True, "images": []})
    else:
        app.console.result(f"nothing to do: build {stored.record.id} is what the source makes")


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
