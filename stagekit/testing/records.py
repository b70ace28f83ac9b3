"""Records to feed a plugin or a stage with: whole and well-formed, changed by name at will."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from stagekit import digest
from stagekit.containers import (
    Container,
)
from stagekit.protocols import Ledger
from stagekit.records import (
    Build,
    BuilderFacts,
    BuildPruning,
    BuiltImage,
    ComparedRelease,
    Comparison,
    Deploy,
    EngineFacts,
    Link,
    Pin,
    Pruning,
    Release,
    Run,
    Source,
    Stored,
    Versions,
)

NOON = datetime(2026, 4, 6, 12, 0, 0, 250_000, tzinfo=UTC)


ENGINE = EngineFacts(
    id="engine-1", url="unix:///fake", version="29.0.0", api="1.52", platform="linux/amd64"
)


COMPOSE_YAML = b'services:\n  web:\n    image: "registry.test/web@sha256:00"\n'


RELEASE_FILES = {"compose.yaml": COMPOSE_YAML, "variables.toml": b""}


def sha(text: str) -> str:
    """A digest that is well-formed and differs with ``text``."""
    return digest.of_bytes(text.encode())


PIN = Pin(asked="registry.test/web:1", pinned=f"registry.test/web@{sha('web')}", kind="digest")


def a_build(id: str = "b1", **changes: object) -> Build:
    """Return a build that succeeded, of the project ``shop`` and one image, ``web``."""
    build = Build(
        id=id,
        status="succeeded",
        project="shop",
        created=NOON,
        finished=NOON + timedelta(seconds=3),
        actor="ann@laptop",
        engine_local=False,
        source=Source(commit="c" * 40, branch="main"),
        builder=BuilderFacts(name="fake", version="1", engine="engine-1", platform="linux/amd64"),
        images={
            "web": BuiltImage(
                repository="registry.test/web",
                tags=(id, "latest"),
                image_id=sha(f"{id} image"),
                size=10,
                pushed=True,
                digest=sha(id),
            )
        },
    )
    return replace(build, **changes)


def a_release(env: str = "prod", **changes: object) -> Release:
    """Return a release of `a_build` that no ledger has yet; its files are ``RELEASE_FILES``."""
    release = Release(
        id="",
        env=env,
        project="shop",
        created=NOON,
        actor="ann@laptop",
        content_digest=digest.of_tree(RELEASE_FILES),
        files=digest.of_files(RELEASE_FILES),
        engine_local=False,
        build=Link(id="b1", digest=sha("record of b1")),
        deploy=Deploy(timeout=0.5, settle=0.0),
        versions=Versions(stagekit="1", compose="5.6.1"),
        pins={"web": PIN},
    )
    return replace(release, **changes)


def a_build_pruning(stored: Stored[Build]) -> BuildPruning:
    """Return the record that a build was put away."""
    return BuildPruning(
        build=stored.link,
        built=stored.record.created,
        created=NOON + timedelta(days=1),
        actor="ann@laptop",
        images={name: image.pin for name, image in stored.record.images.items()},
    )


def a_pruning(stored: Stored[Release]) -> Pruning:
    """Return the record that a release was put away."""
    release = stored.record
    return Pruning(
        env=release.env,
        release=stored.link,
        released=release.created,
        build=release.build,
        content_digest=release.content_digest,
        created=NOON,
        actor="ann@laptop",
    )


def a_run(n: int = 1, env: str = "prod", release: str = "v1", **changes: object) -> Run:
    """Return a run that went well."""
    run = Run(
        n=n,
        env=env,
        project="shop",
        reason="run",
        outcome="running",
        created=NOON,
        finished=NOON + timedelta(seconds=3),
        actor="ann@laptop",
        release=Link(id=release, digest=sha(release)),
    )
    return replace(run, **changes)


def a_comparison(**changes: object) -> Comparison:
    """Return a comparison of dev's releases v1 and v2, as it is begun."""
    old, new = (
        ComparedRelease(
            env="dev",
            release=Link(id=id, digest=sha(id)),
            project=f"shop-compare-{id}",
            document=sha(f"document of {id}"),
        )
        for id in ("v1", "v2")
    )
    comparison = Comparison(
        n=0,
        project="shop",
        outcome="interrupted",
        created=NOON,
        finished=NOON + timedelta(seconds=3),
        actor="ann@laptop",
        old=old,
        new=new,
    )
    return replace(comparison, **changes)


def a_container(service: str = "web", **changes: object) -> Container:
    """Return a container that runs, as an engine describes it."""
    container = Container(
        id=f"{service}-id",
        name=f"shop-prod-{service}-1",
        service=service,
        state="running",
        image_id=sha("image on the engine"),
        restart_policy="unless-stopped",
        restarts=0,
        started="2026-04-06T12:00:00Z",
        project="shop-prod",
    )
    return replace(container, **changes)


def stored_release(release: Release | None = None) -> Stored[Release]:
    """Return a release as a ledger has it, without one."""
    return Stored(record=release or a_release(id="v1"), digest=sha("release"))


def released(ledger: Ledger, env: str = "prod", **changes: object) -> Stored[Release]:
    """Add a release to ``env``, under its next id."""
    return ledger.add_release(a_release(env, **changes), RELEASE_FILES)


def ran(
    ledger: Ledger, release: str, outcome: str = "running", env: str = "prod", **more: object
) -> Stored[Run]:
    """Add a run of ``release`` that ended as ``outcome``, under the next number."""
    journal = ledger.begin_run(env, {})
    try:
        return journal.finish(a_run(journal.n, env, release, outcome=outcome, **more))
    finally:
        journal.close()
