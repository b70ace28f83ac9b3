"""Release: one build + one environment's configuration → one sealed directory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from stagekit import digest
from stagekit.engine.compose import Compose
from stagekit.errors import InputError
from stagekit.events import Emit, Noted, Warned, step
from stagekit.inputs import seal
from stagekit.inputs.environment import Environment, load_environment
from stagekit.inputs.includes import refuse_env_files
from stagekit.inputs.merge import Merged, Tree, dotted, leaves
from stagekit.inputs.project import Project
from stagekit.inputs.source import commits_between
from stagekit.inputs.templates import render
from stagekit.process import Cancel
from stagekit.protocols import Engine, Ledger
from stagekit.records import (
    CI,
    Build,
    Part,
    Pin,
    Release,
    Stored,
    Versions,
    compose_project,
)
from stagekit.stages.history import readable_releases
from stagekit.stages.pins import pin_images
from stagekit.version import __version__

# What only `apply` can say of a release.
_NOT_YET_NAMED = ""
_NOT_YET = datetime(1, 1, 1, tzinfo=UTC)


class Facts(Part, frozen=True):
    """What a release is decided from.

    Attributes:
        model: the rendered template as Compose normalised it.
        asked: the image each service asks for.
        pins: what each of those images is pinned as.
        previous: the environment's last release, if there is one that can be read.
    """

    project: Project
    environment: Environment
    build: Stored[Build]
    model: Tree
    asked: dict[str, str]
    pins: dict[str, Pin]
    compose_version: str
    commits: tuple[str, ...]
    actor: str
    previous: Release | None = None
    ci: CI | None = None
    message: str | None = None


class Plan(Part, frozen=True):
    """The release, but for its number: its record and every other file."""

    release: Release
    files: dict[str, bytes]
    same_as: str | None


def gather(
    project: Project,
    env: str,
    *,
    ledger: Ledger,
    engine: Engine,
    compose: Compose,
    actor: str,
    build_id: str | None = None,
    given: Sequence[str] = (),
    ci: CI | None = None,
    message: str | None = None,
    emit: Emit,
    cancel: Cancel,
) -> Facts:
    """Read what a release is decided from; change nothing.

    Args:
        project: the project.
        env: the environment's name.
        ledger: where the build and the last release are.
        engine: asked for the digests of images that are not ours.
        compose: normalises the rendered template.
        actor: who releases.
        build_id: a build; by default the newest, which must have succeeded.
        given: ``KEY=VALUE`` texts that beat every layer.
        ci: the CI job this runs in.
        message: why.
        emit: told of steps and warnings.
        cancel: stops it.

    Raises:
        InputError: an environment, variable, build or template is wrong.
        ReleaseFailed: Compose refuses the result.
        RegistryError: an image can be pinned neither by the registry nor by the engine.
    """
    environment = load_environment(project, env, given)
    build = find_build(ledger, build_id)
    images = {name: image.pin for name, image in build.record.images.items()}
    with step(emit, "render", project.relative(project.template)):
        rendered = render(
            project.template,
            root=project.root,
            variables=environment.variables.values,
            images=images,
            env=env,
            project=project.name,
        )
        refuse_env_files(rendered.text, project.root, where=rendered.where)
        output = compose.config(
            rendered.text,
            name=compose_project(project.name, env),
            folder=project.root,
            variables=rendered.variables,
            where=rendered.where,
            cancel=cancel,
            warn=lambda text: emit(Warned(text)),
        )
    model = seal.take_in_files(seal.model_of(output), project.root)
    asked = seal.asked_images(model, images)
    last = next(readable_releases(ledger, env, emit), None)
    previous = last.record if last else None
    return Facts(
        project=project,
        environment=environment,
        build=build,
        model=model,
        asked=asked,
        pins=pin_images(asked, build.record, previous, engine, emit),
        compose_version=compose.version,
        commits=_commits(project, ledger, build.record, previous),
        actor=actor,
        previous=previous,
        ci=ci,
        message=message,
    )


def decide(facts: Facts) -> Plan:
    """Say what the release will hold, but for its id and its time.

    Raises:
        ReleaseFailed: something in it cannot be sealed.
    """
    env, project = facts.environment, facts.project
    compose_file = seal.seal(facts.model, pins=facts.pins, project=project.name, env=env.name)
    files = {
        "compose.yaml": compose_file.encode(),
        "variables.toml": _variables_file(env.variables),
    }
    release = Release(
        id=_NOT_YET_NAMED,
        env=env.name,
        project=project.name,
        created=_NOT_YET,
        actor=facts.actor,
        message=facts.message,
        content_digest=digest.of_tree(files),
        engine_local=any(pin.kind == "image id" for pin in facts.pins.values()),
        build=facts.build.link,
        ci=facts.ci,
        commits=facts.commits,
        deploy=env.deploy,
        secrets=seal.secret_names(facts.model),
        versions=Versions(stagekit=__version__, compose=facts.compose_version),
        pins=facts.pins,
    )
    previous = facts.previous
    same = previous is not None and previous.content_digest == release.content_digest
    return Plan(release=release, files=files, same_as=previous.name if previous and same else None)


def apply(plan: Plan, *, ledger: Ledger, emit: Emit) -> Stored[Release]:
    """Write the release under its environment's next id."""
    if plan.same_as:
        emit(Noted(f"the content is the same as {plan.same_as}'s"))
    if plan.release.engine_local:
        emit(Warned("engine-local: this release runs only on the engine that has its images"))
    with step(emit, "seal", plan.release.env) as under_way:
        release = msgspec.structs.replace(plan.release, created=datetime.now(UTC))
        stored = ledger.add_release(release, plan.files)
        under_way.outcome = stored.record.name
    return stored


def find_build(ledger: Ledger, id: str | None) -> Stored[Build]:
    """Return a build that may be released: the one named, or the newest.

    Raises:
        InputError: there is none, or it failed.
    """
    ids = ledger.builds()
    if not ids:
        raise InputError("there is no build yet", where="artifacts/builds/", hint="inv build")
    build = ledger.build(id or ids[0])
    if not build.record.succeeded:
        which = "build" if id else "the newest build,"
        reason = f": {build.record.failures[0].message}" if build.record.failures else ""
        raise InputError(
            f"{which} {build.record.id}{',' if not id else ''} {build.record.status}{reason}",
            where="artifacts/builds/",
            hint="mend it and inv build, or name an earlier one with --build (inv build.list)",
        )
    return build


def _commits(
    project: Project, ledger: Ledger, build: Build, previous: Release | None
) -> tuple[str, ...]:
    if previous is None or previous.build.id == build.id:
        return ()
    old = ledger.find_build(previous.build.id)
    return commits_between(
        project.root, old.record.source.commit if old else None, build.source.commit
    )


def _variables_file(variables: Merged) -> bytes:
    import tomli_w

    table: dict[str, Any] = {
        dotted(key): {"value": value, "origin": variables.origins[key]}
        for key, value in sorted(leaves(variables.values))
    }
    return tomli_w.dumps(table).encode()
