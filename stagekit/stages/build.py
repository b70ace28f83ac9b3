"""Build: source → images, once. Knows no environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from stagekit.engine.context import check_dockerfile
from stagekit.errors import BuildFailed, InputError, RegistryError
from stagekit.events import Emit, Noted, Warned, step
from stagekit.inputs.project import NOT_SOURCE, Project
from stagekit.inputs.source import read_source
from stagekit.process import Cancel
from stagekit.protocols import Builder, Engine, ImageSpec, Ledger
from stagekit.records import (
    CI,
    Build,
    BuilderFacts,
    BuildStatus,
    BuiltImage,
    Failure,
    Part,
    Source,
    Stored,
)
from stagekit.stages.failure import failure_of, is_cancelled

_ID_LIMIT = 120
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")


class Facts(Part, frozen=True):
    """What a build is decided from."""

    project: Project
    source: Source
    ci: CI | None
    wanted_id: str
    actor: str


class Plan(Part, frozen=True):
    """What will be built. The id is the wanted one; where it is taken, a number follows."""

    id: str
    project: str
    push: bool
    images: tuple[ImageSpec, ...]
    source: Source
    ci: CI | None
    actor: str


def gather(
    project: Project,
    *,
    ci: CI | None,
    actor: str,
    name: Callable[[CI | None, Source], str],
    emit: Emit,
) -> Facts:
    """Read what a build is decided from; change nothing.

    Args:
        project: what to build.
        ci: the CI job this runs in.
        actor: who builds.
        name: says which id the build should have.
        emit: told of warnings.

    Raises:
        InputError: a Dockerfile is missing or empty.
    """
    for image in project.images:
        check_dockerfile(_spec(project, image, id=""))
    source = read_source(project.root, emit)
    return Facts(project=project, source=source, ci=ci, wanted_id=name(ci, source), actor=actor)


def decide(facts: Facts) -> Plan:
    """Say what will be built.

    Raises:
        InputError: the project has no image.
    """
    project = facts.project
    if not project.images:
        raise InputError(
            "there is no image to build",
            where="pyproject.toml",
            hint='add [tool.stagekit.images.web] with context = "."',
        )
    id = tag_of(facts.wanted_id)
    return Plan(
        id=id,
        project=project.name,
        push=project.registry is not None,
        images=tuple(_spec(project, name, id) for name in project.images),
        source=facts.source,
        ci=facts.ci,
        actor=facts.actor,
    )


def apply(
    plan: Plan, *, engine: Engine, builder: Builder, ledger: Ledger, emit: Emit, cancel: Cancel
) -> Stored[Build]:
    """Build all images, then push them all, and write the record.

    Nothing is pushed before everything is built: a failed build leaves ``latest`` where it was.

    Raises:
        BuildFailed, EngineError, Cancelled: after the failure was recorded.
    """
    facts = engine.facts()
    slot = ledger.reserve_build(plan.id)
    begun = datetime.now(UTC)
    if slot.id != plan.id:
        emit(Noted(f"{plan.id} is taken: this build is {slot.id}"))
    if not plan.push:
        emit(Warned("no registry is configured: this build can only run on this engine"))
    work = _Work(engine, builder, emit, cancel)

    def record(images: dict[str, BuiltImage], failed: BaseException | None = None) -> Stored[Build]:
        build = Build(
            id=slot.id,
            status=_status(failed),
            project=plan.project,
            created=begun,
            finished=datetime.now(UTC),
            actor=plan.actor,
            engine_local=not plan.push,
            source=plan.source,
            builder=BuilderFacts(
                name=builder.name, version=builder.version, engine=facts.id, platform=facts.platform
            ),
            ci=plan.ci,
            failure=work.failure(failed) if failed else None,
            images=images,
        )
        return slot.finish(build)

    try:
        images = work.do([_tagged(spec, slot.id) for spec in plan.images], push=plan.push)
    except BaseException as error:  # a second Ctrl-C, and a plugin's bug, are recorded too
        record({}, error)
        raise
    return record(images)


def tag_of(text: str) -> str:
    """Turn an id into what Docker takes for a tag and the ledger for a name.

    Up to 120 of ``[A-Za-z0-9_.-]``, starting with a letter or a digit; a tag's other eight
    characters are kept for the number of an id that is taken.
    """
    return _NOT_IN_TAGS.sub("-", text).lstrip("._-")[:_ID_LIMIT] or "build"


class _Work:
    """Builds and pushes, and knows what it was at when something failed."""

    def __init__(self, engine: Engine, builder: Builder, emit: Emit, cancel: Cancel) -> None:
        self._engine = engine
        self._builder = builder
        self._emit = emit
        self._cancel = cancel
        self._step, self._subject = "start", ""

    def do(self, specs: Sequence[ImageSpec], *, push: bool) -> dict[str, BuiltImage]:
        ids = {spec.name: self._build(spec) for spec in specs}
        digests = {spec.name: self._push(spec) if push else None for spec in specs}
        return {
            spec.name: BuiltImage(
                repository=spec.repository,
                tags=spec.tags,
                image_id=ids[spec.name],
                size=self._size(ids[spec.name]),
                pushed=push,
                digest=digests[spec.name],
            )
            for spec in specs
        }

    def failure(self, error: BaseException) -> Failure:
        return failure_of(error, step=self._step, subject=self._subject)

    def _build(self, spec: ImageSpec) -> str:
        self._begin("build", spec)
        with step(self._emit, "build", spec.name) as under_way:
            image = self._builder.build(spec, emit=self._emit, cancel=self._cancel)
            under_way.outcome = spec.references[0]
        return image

    def _push(self, spec: ImageSpec) -> str:
        """Push each name in turn: side by side, registries mix up tags of one fresh image."""
        digests = []
        for reference in spec.references:
            self._begin("push", spec)
            with step(self._emit, "push", reference) as under_way:
                digests.append(self._pushed(reference))
                under_way.outcome = digests[-1]
        return digests[0]

    def _pushed(self, reference: str) -> str:
        try:
            return self._engine.push(reference, emit=self._emit, cancel=self._cancel)
        except RegistryError as error:
            raise BuildFailed(
                f"the registry did not take it: {error.what}",
                where=reference,
                hint=error.hint,
                output=error.output,
            ) from error

    def _begin(self, name: str, spec: ImageSpec) -> None:
        self._cancel.check()
        self._step, self._subject = name, spec.name

    def _size(self, image: str) -> int:
        found = self._engine.image(image)
        return found.size if found else 0


def _spec(project: Project, name: str, id: str) -> ImageSpec:
    settings = project.images[name]
    context = (project.root / settings.context).resolve()
    root = project.root.resolve()
    hidden = [root / folder for folder in NOT_SOURCE]
    return ImageSpec(
        name=name,
        context=context,
        dockerfile=Path(os.path.normpath(context / settings.dockerfile)),
        repository=project.repository(name),
        tags=(id, "latest"),
        hidden=tuple(
            str(folder.relative_to(context)) for folder in hidden if folder.is_relative_to(context)
        ),
        target=settings.target,
        args=settings.args,
    )


def _tagged(spec: ImageSpec, id: str) -> ImageSpec:
    return msgspec.structs.replace(spec, tags=(id, *spec.tags[1:]))


def _status(failed: BaseException | None) -> BuildStatus:
    if failed is None:
        return "succeeded"
    return "cancelled" if is_cancelled(failed) else "failed"
