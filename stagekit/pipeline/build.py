"""Build: source → images, once. Knows no environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from stagekit.alive import left_behind, ourselves
from stagekit.cancel import Cancel
from stagekit.containers import CheckedBuild
from stagekit.errors import InputError, StagekitError
from stagekit.events import Emit, Event, Noted, Output, Warned
from stagekit.images import ImageSpec
from stagekit.inputs.fingerprint import ImageInputs, changes, encode_inputs
from stagekit.inputs.project import Project
from stagekit.pipeline.failure import is_cancelled
from stagekit.pipeline.known import KnownImage, is_of_commit
from stagekit.pipeline.making import ImagePlan, Making
from stagekit.pipeline.presence import GONE
from stagekit.pipeline.sources import doubts_of, specs_of
from stagekit.pipeline.tags import further_tags, id_of
from stagekit.protocols import Builder, BuildSlot, Engine, Ledger
from stagekit.records import CI, Build, BuilderFacts, BuiltImage, Part, Source, Stored

_LABEL = "org.opencontainers.image"
"""https://github.com/opencontainers/image-spec/blob/main/annotations.md"""


class Facts(Part, frozen=True):
    """What a build is decided from.

    ``inputs`` are what each image is made from now, ``before`` what the build before made it from,
    ``known`` the images that exist already with the same inputs, ``lacking`` why one that was made
    of them cannot be taken.
    """

    project: Project
    source: Source
    ci: CI | None
    wanted_id: str
    actor: str
    inputs: dict[str, ImageInputs]
    before: dict[str, ImageInputs] = {}
    known: dict[str, KnownImage] = {}
    lacking: dict[str, str] = {}
    force: bool = False


class Plan(Part, frozen=True):
    """What will be built. The id is the wanted one; where it is taken, a number follows.

    ``images`` stand in the order in which they can be built. Their tags and labels tell the id.
    """

    id: str
    project: Project
    images: tuple[ImagePlan, ...]
    source: Source
    ci: CI | None
    actor: str
    tags: tuple[str, ...] = ()

    @property
    def push(self) -> bool:
        return bool(self.project.registries)


def decide(facts: Facts) -> Plan:
    """Say what will be built, and why.

    Raises:
        InputError: the project has no image, or wants a reproducible one of no commit.
    """
    id = id_of(facts.wanted_id)
    plan = Plan(
        id=id,
        project=facts.project,
        images=tuple(_image_plan(facts, spec) for spec in specs_of(facts.project).values()),
        source=facts.source,
        ci=facts.ci,
        actor=facts.actor,
    )
    return _named(plan, id)


def check_builder(plan: Plan, builder: Builder) -> None:
    """Raise InputError if the builder cannot do what an image asks for, before it builds."""
    lacking = list(lacks(plan, builder))
    if lacking:
        raise InputError(
            lacking[0] if len(lacking) == 1 else "it cannot build this here",
            where=f"builder {builder.name}",
            hint="inv build --plan says what is asked for, inv doctor what there is",
            output=tuple(lacking) if len(lacking) > 1 else (),
        )


def lacks(plan: Plan, builder: Builder) -> Iterator[str]:
    """Say what images that have to be built ask for and the builder cannot do."""
    for image in plan.images:
        if image.known is None:
            yield from (f"{image.spec.name}: {what}" for what in builder.lacks(image.spec))


def apply(
    plan: Plan,
    *,
    engine: Engine,
    builder: Builder,
    ledger: Ledger,
    inputs_now: Callable[[], Mapping[str, ImageInputs]],
    fail_fast: bool,
    emit: Emit,
    cancel: Cancel,
) -> Stored[Build]:
    """Build all images, check them, then push them, and write the record.

    Nothing is pushed before everything is built: a failed build leaves ``latest`` where it was.

    Args:
        plan: what to build.
        engine: where.
        builder: builds it.
        ledger: where the record goes.
        inputs_now: reads again what the images are made from: what changed while they were built
            is not known to be in them.
        fail_fast: stop everything at the first image that fails.
        emit: told what happens.
        cancel: stops it.

    Raises:
        BuildFailed, EngineError, Cancelled: after the failure was recorded.
    """
    check_builder(plan, builder)
    for image in plan.images:
        emit(Noted(f"{image.spec.name}: {image.reason}"))
        for text in image.doubts if image.known is None else ():
            emit(Warned(f"{image.spec.name}: {text}"))
    begun = _begun(plan, engine, builder)
    if plan.project.checks:  # a build that was killed could not take its own away
        engine.remove_checks(plan.project.name, left_behind)
    slot = ledger.reserve_build(begun)
    if slot.id != plan.id:
        emit(Noted(f"{plan.id} is taken: this build is {slot.id}"))
    if not plan.push:
        emit(Warned("no registry is configured: this build can only run on this engine"))
    making = Making(
        _named(plan, slot.id).images,
        plan.project.checks,
        engine=engine,
        builder=builder,
        build=CheckedBuild(project=plan.project.name, id=slot.id, by=ourselves()),
        note=slot.note,
        emit=_logged(slot, emit),
        cancel=cancel,
    )
    record = replace(begun, id=slot.id, status="succeeded")
    try:
        images = making.make(push=plan.push, jobs=plan.project.jobs, fail_fast=fail_fast)
        images = _confirmed(images, inputs_now, emit)
    except BaseException as error:  # a second Ctrl-C, and a plugin's bug, are recorded too
        failed = replace(
            record,
            status="interrupted" if is_cancelled(error) else "failed",
            finished=datetime.now(UTC),
            failures=making.failures(error),
            checks=making.checks_passed,
        )
        slot.finish(failed)
        emit(Noted(f"{slot.id} is recorded as {failed.status}: inv build.show {slot.id}"))
        raise
    record = replace(record, finished=datetime.now(UTC), checks=making.checks_passed, images=images)
    return slot.finish(
        record, encode_inputs({image.spec.name: image.inputs for image in plan.images})
    )


def _begun(plan: Plan, engine: Engine, builder: Builder) -> Build:
    now, facts = datetime.now(UTC), engine.facts()
    return Build(
        id=plan.id,
        status="interrupted",
        project=plan.project.name,
        created=now,
        finished=now,
        actor=plan.actor,
        engine_local=not plan.push,
        source=plan.source,
        builder=BuilderFacts(
            name=builder.name, version=builder.version, engine=facts.id, platform=facts.platform
        ),
        ci=plan.ci,
    )


def _logged(slot: BuildSlot, emit: Emit) -> Emit:
    """Keep what builders and checks print."""

    def listen(event: Event) -> None:
        if isinstance(event, Output):
            slot.log(f"{event.subject} | {event.line}")
        emit(event)

    return listen


def _confirmed(
    images: Mapping[str, BuiltImage],
    inputs_now: Callable[[], Mapping[str, ImageInputs]],
    emit: Emit,
) -> dict[str, BuiltImage]:
    """Take the fingerprint from an image whose files changed while it was built."""
    try:
        now = {name: inputs.fingerprint for name, inputs in inputs_now().items()}
    except StagekitError:  # the Dockerfile is gone, say: what was built is built all the same
        now = {}
    confirmed = dict(images)
    for name, image in images.items():
        if image.made_by is None and now.get(name) != image.fingerprint:
            emit(
                Warned(f"{name}: its source changed while it was built; the next build looks again")
            )
            confirmed[name] = replace(image, fingerprint=None)
    return confirmed


def _image_plan(facts: Facts, spec: ImageSpec) -> ImagePlan:
    inputs, known = facts.inputs[spec.name], facts.known.get(spec.name)
    depends = facts.project.images[spec.name].depends
    why = changes(facts.before.get(spec.name), inputs)
    if known and facts.force:
        known, why = None, ("--force",)
    elif known and not known.traceable and is_of_commit(facts.source):
        why, known = (f"{known.build} made it from uncommitted files",), None
    elif known is None and not why:
        why = (facts.lacking.get(spec.name, GONE),)
    return ImagePlan(
        spec=_described(spec, facts),
        inputs=inputs,
        why=why,
        known=known,
        depends=depends,
        doubts=tuple(doubts_of(spec, inputs, depends)),
    )


def _described(spec: ImageSpec, facts: Facts) -> ImageSpec:
    """Add what says where an image comes from. None of it makes another image of it."""
    source, reproducible = facts.source, facts.project.reproducible
    if reproducible and source.committed is None:
        raise InputError(
            "a reproducible image takes its times from a commit, and there is none",
            where="pyproject.toml [tool.stagekit] reproducible",
            hint="git init and commit, or leave it out",
        )
    created = source.committed if reproducible and source.committed else datetime.now(UTC)
    said = {
        "revision": source.commit or (facts.ci.commit if facts.ci else None),
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if not reproducible:  # it differs from clone to clone
        said |= {"source": source.remote}
    labels = {f"{_LABEL}.{name}": value for name, value in said.items() if value}
    epoch = int(created.timestamp()) if reproducible else None
    return replace(spec, labels={**labels, **spec.labels}, epoch=epoch)


def _named(plan: Plan, id: str) -> Plan:
    """Give a plan its id, and its images the tags and the label that tell it."""
    tags = (id, *further_tags(plan.project, plan.source, plan.ci, id))

    def labelled(spec: ImageSpec) -> dict[str, str]:
        if plan.project.reproducible:  # the same image of each build
            return spec.labels
        return {**spec.labels, f"{_LABEL}.version": id, **plan.project.images[spec.name].labels}

    images = tuple(
        replace(image, spec=replace(image.spec, tags=tags, labels=labelled(image.spec)))
        for image in plan.images
    )
    return replace(plan, id=id, tags=tags, images=images)
