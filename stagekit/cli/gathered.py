"""What a build is decided from. A release asks too, which build is of the source at hand."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from stagekit.cli.app import App

if TYPE_CHECKING:
    from stagekit.inputs.fingerprint import ImageInputs
    from stagekit.inputs.project import Project
    from stagekit.pipeline.build import Facts
    from stagekit.pipeline.presence import Presence
    from stagekit.protocols import Builder
    from stagekit.records import Source


class Gathered:
    """What a build is decided from, each part read on first use.

    Args:
        app: the repository's.
        pull: pull base images now, and ask registries what those are that the engine has not.
        read_only: ask for all of them instead, to tell what would be built.
    """

    def __init__(self, app: App, *, pull: bool, read_only: bool = False) -> None:
        self.app = app
        self.pull = pull
        self.read_only = read_only

    @cached_property
    def project(self) -> Project:
        return _with_registry(self.app.project)

    @cached_property
    def builder(self) -> Builder:
        return self.app.plugins.builder(self.project.builder, self.app.engine, os.environ)

    @cached_property
    def inputs(self) -> dict[str, ImageInputs]:
        from stagekit.inputs.bases import BaseImages
        from stagekit.pipeline.sources import read_all_inputs

        app, builder = self.app, self.builder.name
        bases = BaseImages(
            app.engine,
            self.project.cache / "bases.json",
            fresh=self.pull,
            read_only=self.read_only,
            emit=app.console.emit,
            cancel=app.cancel,
        )
        return read_all_inputs(self.project, builder=builder, bases=bases)

    @cached_property
    def source(self) -> Source:
        from stagekit.inputs.source import read_source

        return read_source(self.app.root, self.app.console.emit)

    @cached_property
    def presence(self) -> Presence:
        from stagekit.pipeline.presence import Presence

        return Presence(self.app.engine, emit=self.app.console.emit, cancel=self.app.cancel)

    def facts(self, wanted: str, *, force: bool) -> Facts:
        from stagekit.pipeline import build as stage
        from stagekit.pipeline.known import inputs_before, known_images

        app, ledger = self.app, self.app.ledger
        known, lacking = known_images(self.inputs, ledger=ledger, presence=self.presence)
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
                taken=(*ledger.builds(), *ledger.builds_under_way())
                if self.project.id == "counter"
                else (),
            ),
            actor=app.actor,
            inputs=self.inputs,
            before=inputs_before(ledger),
            known=known,
            lacking=lacking,
            force=force,
        )


def _with_registry(project: Project) -> Project:
    """Push to the private registry of ``inv engine.start`` where the project names none."""
    if project.registries:
        return project
    from msgspec.structs import replace

    from stagekit.engine import registry
    from stagekit.engine.home import home_of

    if private := registry.running(home_of(os.environ)):
        return replace(project, registries=(private.address,))
    return project
