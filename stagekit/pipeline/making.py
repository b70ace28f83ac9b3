"""A build's images: built side by side, checked, pushed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.containers import CheckedBuild
from stagekit.errors import BuildFailed, EngineRefused, LimitExceeded
from stagekit.events import Emit, Noted, Output, Step, step
from stagekit.images import ImageSpec
from stagekit.inputs.differences import reasons
from stagekit.inputs.fingerprint import ImageInputs
from stagekit.inputs.images import variable_of
from stagekit.inputs.project import Check
from stagekit.pipeline.abreast import abreast, failure_of_all
from stagekit.pipeline.failure import failure_of
from stagekit.pipeline.known import KnownImage
from stagekit.pipeline.pushing import push_as
from stagekit.protocols import Builder, Engine
from stagekit.records import BuiltImage, CheckPassed, Failure, Part

_OUTPUT_KEPT = 20


class ImagePlan(Part, frozen=True):
    """What is done about one image: built for the reasons of ``why``, or taken as ``known``.

    ``doubts`` are what of its source has it built more often, or less, than may be meant.
    """

    spec: ImageSpec
    inputs: ImageInputs
    why: tuple[str, ...]
    known: KnownImage | None = None
    depends: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Say it in one line."""
        if self.known:
            return f"unchanged since {self.known.build}"
        return reasons(self.why)


class Making:
    """Makes the images of one build, and knows what each was at when it failed.

    Args:
        plans: the images, named for this build.
        checks: what they must pass.
        engine: where they are made.
        builder: makes them.
        build: what the checks are for.
        note: called, in any thread, with the step that an image begins.
        emit: told what happens, on the thread that calls `make`.
        cancel: stops it.
    """

    def __init__(
        self,
        plans: Sequence[ImagePlan],
        checks: Sequence[Check],
        *,
        engine: Engine,
        builder: Builder,
        build: CheckedBuild,
        note: Callable[[Mapping[str, object]], None],
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        self._plans = {plan.spec.name: plan for plan in plans}
        self._checks = checks
        self._engine = engine
        self._builder = builder
        self._build = build
        self._note = note
        self._emit = emit
        self._cancel = cancel
        self._at: dict[str, tuple[str, float]] = {}
        self._passed: dict[str, list[CheckPassed]] = {}
        self._failed: dict[str, Exception] = {}

    def make(self, *, push: bool, jobs: int, fail_fast: bool) -> dict[str, BuiltImage]:
        """Build and check every image, and only then push them all.

        Raises:
            BuildFailed, EngineError, Cancelled: whatever one of them raised; of several that
                failed, one that names them all.
        """
        images = self._abreast(
            {name: plan.depends for name, plan in self._plans.items()},
            self._built,
            jobs=jobs,
            fail_fast=fail_fast,
        )
        if not push:
            for name, image in images.items():
                for reference in self._plans[name].spec.references[1:]:
                    self._engine.tag(image.image_id, reference)
            return images
        return self._abreast(
            dict.fromkeys(images, ()),
            lambda name, emit, cancel: self._pushed(images[name], name, emit, cancel),
            jobs=jobs,
            fail_fast=fail_fast,
        )

    @property
    def checks_passed(self) -> tuple[CheckPassed, ...]:
        return tuple(check for checks in self._passed.values() for check in checks)

    def failures(self, error: BaseException) -> tuple[Failure, ...]:
        """Describe each image that failed; ``error`` is what stopped the build."""
        if not self._failed:
            return (failure_of(error, step="start", subject=""),)
        now = monotonic()
        found = []
        for name, cause in self._failed.items():
            at, begun = self._at.get(name, ("start", now))
            failure = failure_of(cause, step=at, subject=name)
            found.append(replace(failure, seconds=round(now - begun, 1)))
        return tuple(found)

    def _abreast(
        self,
        items: Mapping[str, Sequence[str]],
        work: Callable[[str, Emit, Cancel], BuiltImage],
        *,
        jobs: int,
        fail_fast: bool,
    ) -> dict[str, BuiltImage]:
        outcome = abreast(
            items, work, jobs=jobs, fail_fast=fail_fast, emit=self._emit, cancel=self._cancel
        )
        self._failed = outcome.failed
        if outcome.failed:
            for name in items:
                if name not in outcome.done and name not in outcome.failed:
                    self._emit(Noted(f"{name}: left out, because of {', '.join(outcome.failed)}"))
            raise failure_of_all(outcome, len(items), "images")
        self._cancel.check()
        return {name: outcome.done[name] for name in items}

    def _built(self, name: str, emit: Emit, cancel: Cancel) -> BuiltImage:
        plan = self._plans[name]
        spec = plan.spec
        self._begin(name, "reuse" if plan.known else "build", cancel)
        if plan.known:
            with step(emit, "reuse", name) as under_way:
                id = self._reused(plan.known, spec, emit, cancel)
                under_way.outcome = f"{spec.references[0]}, as {plan.known.build} made it"
        else:
            with step(emit, "build", name) as under_way:
                id = self._builder.build(self._to_build(plan), emit=emit, cancel=cancel)
                under_way.outcome = spec.references[0]
        self._check(name, id, emit, cancel)
        found = self._engine.image(id)
        return BuiltImage(
            repository=spec.repository,
            tags=spec.tags,
            image_id=id,
            size=found.size if found else 0,
            pushed=False,
            fingerprint=plan.inputs.fingerprint,
            why=plan.why if plan.known is None else (),
            made_by=plan.known.build if plan.known else None,
        )

    def _to_build(self, plan: ImagePlan) -> ImageSpec:
        """Say what the project's images that this one starts from are called now, and leave out
        names that other builds have as well: those move once everything is built and checked."""
        bases = {
            variable_of(other): self._plans[other].spec.references[0] for other in plan.depends
        }
        spec = plan.spec
        return replace(
            spec,
            args={**spec.args, **bases},
            repositories=spec.repositories[:1],
            tags=spec.tags[:1],
        )

    def _reused(self, known: KnownImage, spec: ImageSpec, emit: Emit, cancel: Cancel) -> str:
        image = known.image
        found = self._engine.image(image.image_id)
        if found is None:
            self._engine.pull(image.pin, emit=emit, cancel=cancel)
            found = self._engine.image(image.pin)
        if found is None:
            raise BuildFailed("the image is gone", where=image.pin, hint="inv build --force")
        self._engine.tag(found.id, spec.references[0])
        return found.id

    def _check(self, name: str, image: str, emit: Emit, cancel: Cancel) -> None:
        for check in self._checks:
            if check.image != name:
                continue
            self._begin(name, f"check {check.name}", cancel)
            begun = monotonic()
            with step(emit, "check", f"{name} {check.name}") as under_way:
                self._run_check(check, image, under_way, emit, cancel)
            seconds = round(monotonic() - begun, 1)
            self._passed.setdefault(name, []).append(
                CheckPassed(
                    name=check.name,
                    image=name,
                    run=check.run,
                    seconds=seconds,
                    entrypoint=check.entrypoint,
                )
            )

    def _run_check(
        self, check: Check, image: str, under_way: Step, emit: Emit, cancel: Cancel
    ) -> None:
        printed: list[str] = []

        def heard(line: str) -> None:
            printed.append(line)
            emit(Output("check", check.image, line))
            under_way.progress(line)

        try:
            code = self._engine.check(
                image,
                check.run,
                entrypoint=check.entrypoint,
                build=self._build,
                limit=check.timeout,
                on_line=heard,
                cancel=cancel,
            )
        except EngineRefused as error:
            ended = f"cannot run ({error.what})"
        except LimitExceeded:
            ended = f"was ended after {check.timeout:g} s"
        else:
            ended = f"ended with {code}" if code != 0 else ""
        if ended:
            raise BuildFailed(
                f"check {check.name} {ended}: {' '.join(check.run)}",
                where=f"image {check.image}",
                output=tuple(printed[-_OUTPUT_KEPT:]),
            )

    def _pushed(self, image: BuiltImage, name: str, emit: Emit, cancel: Cancel) -> BuiltImage:
        """Push each name in turn: side by side, registries mix up tags of one fresh image."""
        digests: dict[str, str] = {}
        for repository in self._plans[name].spec.repositories:
            for tag in image.tags:
                self._begin(name, "push", cancel)
                shared = tag != image.tags[0]
                reference = f"{repository}:{tag}"
                digest = push_as(
                    reference,
                    image.image_id,
                    self._engine,
                    shared=shared,
                    emit=emit,
                    cancel=cancel,
                )
                digests.setdefault(repository, digest)
        digest = digests.pop(image.repository)
        return replace(image, pushed=True, digest=digest, copies=digests)

    def _begin(self, name: str, step_name: str, cancel: Cancel) -> None:
        cancel.check()
        self._note({"image": name, "step": step_name})
        self._at[name] = (step_name, monotonic())
