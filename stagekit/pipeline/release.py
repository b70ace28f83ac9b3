"""Release: one build + one environment's configuration → one sealed directory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from stagekit import digest
from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.events import Emit, Noted, Warned, step
from stagekit.inputs import overlays, seal
from stagekit.inputs.deploying import completed
from stagekit.inputs.environment import Environment
from stagekit.inputs.files import take_in
from stagekit.inputs.fleet import check_roles
from stagekit.inputs.merge import Tree
from stagekit.inputs.project import Project
from stagekit.inputs.secrets import fingerprints
from stagekit.inputs.templates import flat_variables
from stagekit.inputs.used_secrets import secret_names
from stagekit.inputs.variables import VARIABLES, variables_file
from stagekit.pipeline import secrets
from stagekit.pipeline.committed import commit_is_pushed, not_as_committed
from stagekit.pipeline.compare import Side
from stagekit.pipeline.explain import found_uses, warn_of_unused
from stagekit.pipeline.pins import by_text, check_pins, pin_images
from stagekit.pipeline.protection import check_protection
from stagekit.pipeline.rendering import rendered_model
from stagekit.pipeline.since import commits_since, last_release, says_the_same
from stagekit.protocols import Engine, Ids, Ledger
from stagekit.records import (
    CI,
    Build,
    Part,
    Pin,
    Release,
    Stored,
    Versions,
)
from stagekit.version import __version__

# What only `apply` can say of a release.
_NOT_YET_NAMED = ""
_NOT_YET = datetime(1, 1, 1, tzinfo=UTC)


class Facts(Part, frozen=True):
    """What a release is decided from.

    Attributes:
        model: the rendered templates as Compose normalised them.
        taken: the files that it mounts, by their paths in the release.
        asked: the image each service asks for.
        pins: what each of those images is pinned as.
        carried: the files that the release carries of its secrets.
        secret_provider: what sealed them, and will open them.
        previous: the environment's last release, if there is one that can be read.
        pushed: whether a remote has the build's commit.
        uncommitted: files that it is made of and that are not as committed, where that counts.
        promoted_from: the release of another environment whose build and pins these are.
        forced: what was passed over on request, in words.
        confirmed: what was typed to confirm it.
    """

    project: Project
    environment: Environment
    build: Stored[Build]
    model: Tree
    taken: dict[str, bytes]
    asked: dict[str, str]
    pins: dict[str, Pin]
    compose_version: str
    commits: tuple[str, ...]
    actor: str
    carried: dict[str, bytes] = {}
    secret_provider: str = "env"  # noqa: S105  # a provider's name
    previous: Side | None = None
    pushed: bool = False
    uncommitted: tuple[str, ...] = ()
    promoted_from: str | None = None
    forced: tuple[str, ...] = ()
    confirmed: str | None = None
    ci: CI | None = None
    message: str | None = None


class Plan(Part, frozen=True):
    """The release, but for its number: its record and every other file.

    ``unchanged`` names the last release where this one would say nothing else.
    """

    release: Release
    files: dict[str, bytes]
    unchanged: str | None
    previous: Side | None


class Asked(Part, frozen=True):
    """Who asks for a release, and how.

    Attributes:
        actor: who.
        ci: the CI job this runs in.
        message: why.
        confirmed: what was typed to confirm it.
        promoted_from: the release of another environment whose build and pins are taken.
        pins: those it brings along.
        refresh_images: ask registries again what third-party images are.
        forced: what is passed over on request, in words.
    """

    actor: str
    ci: CI | None = None
    message: str | None = None
    confirmed: str | None = None
    promoted_from: str | None = None
    pins: Mapping[str, Pin] = {}
    refresh_images: bool = False
    forced: tuple[str, ...] = ()


def gather(
    project: Project,
    environment: Environment,
    build: Stored[Build],
    asked: Asked,
    *,
    ledger: Ledger,
    engine: Engine,
    compose: Compose,
    providers: secrets.Providers,
    emit: Emit,
    cancel: Cancel,
) -> Facts:
    """Read what a release is decided from; change nothing.

    Args:
        project: the project.
        environment: where to.
        build: what is released.
        asked: who asks for it, and how.
        ledger: where the last release is.
        engine: asked for the digests of images that are not ours.
        compose: normalises the rendered template.
        providers: finds what knows the environment's secrets.
        emit: told of steps and warnings.
        cancel: stops it.

    Raises:
        InputError: a variable or template is wrong.
        ReleaseFailed: Compose refuses the result.
        RegistryError: an image can be pinned neither by the registry nor by the engine.
    """
    env = environment.name
    images = {name: image.pin for name, image in build.record.images.items()}
    source = secrets.find_source(
        environment.deploy.secret_provider,
        secrets.layers_of(project, environment.chain),
        providers,
    )
    templates = overlays.documents(project, environment.chain)
    with source.placeholders.explained():
        rendered = rendered_model(
            project,
            environment,
            templates,
            images=images,
            secrets=source.placeholders,
            compose=compose,
            emit=emit,
            cancel=cancel,
        )
    taken = take_in(rendered.model, project.root, source_mounts=environment.deploy.source_mounts)
    wanted = seal.asked_images(taken.model, images)
    found = found_uses(project, environment, rendered.read)
    warn_of_unused(environment.variables, found, env, emit)
    previous = last_release(ledger, env, emit)
    known = {} if asked.refresh_images or not previous else by_text(previous.release.pins)
    return Facts(
        project=project,
        environment=environment,
        build=build,
        model=taken.model,
        taken=taken.files,
        asked=wanted,
        pins=pin_images(wanted, build.record, {**known, **by_text(asked.pins)}, engine, emit),
        compose_version=compose.version,
        commits=commits_since(previous, build.record, project.root, ledger, emit),
        actor=asked.actor,
        carried=secrets.take(source, taken.model, emit),
        secret_provider=source.name,
        previous=previous,
        pushed=commit_is_pushed(project, build.record),
        uncommitted=not_as_committed(project, environment, [*rendered.read, *taken.read]),
        promoted_from=asked.promoted_from,
        forced=asked.forced,
        confirmed=asked.confirmed,
        ci=asked.ci,
        message=asked.message,
    )


def decide(facts: Facts) -> Plan:
    """Say what the release will hold, but for its id and its time.

    Raises:
        InputError: the environment is protected, and the build does not fit.
        ReleaseFailed: something in it cannot be sealed, or pinned where it has to be.
    """
    env, project, build = facts.environment, facts.project, facts.build.record
    check_protection(
        env.policy,
        build,
        env=env.name,
        pushed=facts.pushed,
        uncommitted=facts.uncommitted,
        ci=facts.ci,
        confirmed=facts.confirmed,
    )
    check_pins(facts.pins, env.policy, env.name)
    deploy = completed(
        env.deploy,
        env=env.name,
        services=facts.model["services"],
        variables=flat_variables(
            env.variables.values,
            {name: image.pin for name, image in build.images.items()},
            env=env.name,
            project=project.name,
        ),
    )
    check_roles(deploy, facts.model, f"environments/{env.name}/config.toml [stagekit]")
    compose_file = seal.seal(
        facts.model,
        pins=facts.pins,
        project=project.name,
        env=env.name,
        fingerprints=fingerprints(facts.carried),
    )
    files = {
        **facts.carried,
        **facts.taken,
        "compose.yaml": compose_file.encode(),
        VARIABLES: variables_file(env.variables),
    }
    release = Release(
        id=_NOT_YET_NAMED,
        env=env.name,
        project=project.name,
        created=_NOT_YET,
        actor=facts.actor,
        message=facts.message,
        content_digest=digest.of_tree(files),
        files=digest.of_files(files),
        engine_local=any(pin.kind == "image id" for pin in facts.pins.values()),
        build=facts.build.link,
        ci=facts.ci,
        promoted_from=facts.promoted_from,
        forced=facts.forced,
        commits=facts.commits,
        deploy=msgspec.structs.replace(deploy, secret_provider=facts.secret_provider),
        secrets=secret_names(facts.model),
        versions=Versions(stagekit=__version__, compose=facts.compose_version),
        pins=facts.pins,
    )
    previous = facts.previous
    unchanged = previous is not None and says_the_same(release, files, previous)
    return Plan(
        release=release,
        files=files,
        unchanged=previous.name if previous and unchanged else None,
        previous=previous,
    )


def apply(plan: Plan, *, ids: Ids, ledger: Ledger, emit: Emit) -> Stored[Release]:
    """Write the release.

    Args:
        plan: what it is.
        ids: says which ids it may have, given all that its environment ever had.
        ledger: where it goes.
        emit: told of it.
    """
    if plan.release.engine_local:
        emit(Warned("engine-local: this release runs only on the engine that has its images"))
    if plan.release.deploy.source_mounts:
        emit(Noted("source mounts: this release runs only beside its source"))
    with step(emit, "seal", plan.release.env) as under_way:
        release = msgspec.structs.replace(plan.release, created=datetime.now(UTC))
        stored = ledger.add_release(release, plan.files, ids=ids)
        under_way.outcome = stored.record.name
    return stored
