"""Records as their files have them: one of each stage, each naming the one before it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from stagekit import envelope
from stagekit.records import AnyRecord, Build, ContainerSeen, Link, Release, Run, StepTaken
from stagekit.testing.records import ENGINE, PIN, a_build, a_release, a_run, sha


def example(of: type) -> str:
    """Return a record's file as a block of TOML; nothing for what no stage writes by itself."""
    text = dict(_written()).get(of)
    return f"```toml\n{text}```\n" if text else ""


def _written() -> Iterator[tuple[type, str]]:
    build = a_build("shop-42")
    yield Build, _file(build)
    release = a_release(
        id="v7",
        build=_link(build.id, build),
        message="Faster",
        commits=("1f2e3d4 Count hits once", "5c6b7a8 Read the cache first"),
    )
    yield Release, _file(release)
    seen = ContainerSeen(
        service="web",
        name="shop-prod-web-1",
        id="4f1c",
        state="running",
        image_id=sha("image"),
        proven=True,
        health="healthy",
        digests=(PIN.pinned,),
    )
    run = replace(
        a_run(12),
        release=_link(release.id, release),
        engine=ENGINE,
        steps=(
            StepTaken(name="verify", seconds=0.1, outcome="prod/v7 is as it was sealed"),
            StepTaken(name="up", seconds=1.4),
            StepTaken(name="prove", seconds=0.1, outcome="1 container runs what was released"),
        ),
        containers=(seen,),
    )
    yield Run, _file(run)


def _link(id: str, record: AnyRecord) -> Link:
    second = _file(record).splitlines()[1]
    return Link(id=id, digest=second.partition('"')[2].rstrip('"'))


def _file(record: AnyRecord) -> str:
    return envelope.encode(record).decode()
