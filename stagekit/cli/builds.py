"""``inv build.list``, ``build.show`` and ``build.log``: reading builds back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.show import age, damaged_row, short_commit, size
from stagekit.cli.task import JSON, stage_task

if TYPE_CHECKING:
    from stagekit.records import Build

_LATEST = "latest"
BUILD = "a build's id, or latest"
_HEAD = ("BUILD", "STATUS", "MADE", "COMMIT", "BY", "SIZE", "IMAGES")


@stage_task(
    name="list",
    help={"last": "how many, newest first (default 20)", "json": JSON},
    short={"last": "n"},
    numbers=["last"],
)
def list_(app: App, *, last: int = 20, json: bool = False) -> None:
    """List builds, newest first: what was built, from which commit, how it ended, by whom."""
    from stagekit.envelope import plain
    from stagekit.errors import StagekitError

    rest = ["-"] * (len(_HEAD) - 2)
    rows = [[id, "under way", *rest] for id in app.ledger.builds_under_way()]
    records = []
    for id in app.ledger.builds()[:last]:
        try:
            build = app.ledger.build(id).record
        except StagekitError as error:
            app.console.warn(str(error))
            rows.append(damaged_row(id, len(_HEAD)))
            continue
        records.append(plain(build))
        rows.append(_row(build))
    if json:
        app.console.data(records)
    else:
        app.console.table(_HEAD, rows)


@stage_task(
    name="show",
    positional=["build"],
    help={"build": BUILD, "json": JSON},
    values={"build": "any build"},
)
def show(app: App, build: str, *, json: bool = False) -> None:
    """Show one build: where it came from, its images and what is in them, why it failed."""
    from stagekit.builtin.sbom import written
    from stagekit.envelope import plain

    stored = app.ledger.build(build_id(app, build))
    there = written(app.project.artifacts, stored.record.id)
    sboms = [app.project.relative(path) for path in there]
    if json:
        app.console.data({**plain(stored.record), "digest": stored.digest, "sboms": sboms})
        return
    for line in (*_described(stored.record), *(f"sbom    {path}" for path in sboms)):
        app.console.result(line)


@stage_task(
    name="log",
    positional=["build"],
    help={"build": BUILD, "json": JSON},
    values={"build": "any build"},
)
def log(app: App, build: str, *, json: bool = False) -> None:
    """Print all that a build's builders and checks printed, each line after its image's name."""
    id = build_id(app, build)
    text = app.ledger.build_log(id)
    if not text:
        app.ledger.build(id)  # says so where there is no such build
        app.console.note("nothing was printed, or the log is not at hand")
    lines = text.decode("utf-8", "replace").splitlines()
    if json:
        split = (line.partition(" | ") for line in lines)
        app.console.data([{"image": image, "line": said} for image, _, said in split])
        return
    for line in lines:
        app.console.result(line)


def build_id(app: App, name: str) -> str:
    """Return the id of a build that a person named."""
    builds = app.ledger.builds() if name == _LATEST else ()
    return next(iter(builds), name)


def _row(build: Build) -> list[str]:
    where = "engine-local" if build.engine_local else "pushed"
    images = ", ".join(sorted(build.images))
    return [
        build.id,
        build.status,
        age(build.created),
        short_commit(build.source),
        build.actor,
        size(sum(image.size for image in build.images.values())) if build.images else "-",
        f"{images} ({where})" if build.succeeded else "-",
    ]


def _described(build: Build) -> Iterator[str]:
    seconds = (build.finished - build.created).total_seconds()
    made = f"made {age(build.created)} by {build.actor} in {seconds:.1f} s"
    yield f"build   {build.id} {build.status}, {made}"
    source = build.source
    if source.commit:
        branch = f" on {source.branch}" if source.branch else ""
        remote = f" of {source.remote}" if source.remote else ""
        yield f"commit  {source.commit}{branch}{remote}"
    for file in source.changed:
        yield f"dirty   {file}"
    if build.ci:
        yield f"ci      {build.ci.name} {build.ci.url or ''}".rstrip()
    builder = build.builder
    yield f"builder {builder.name} {builder.version} on {builder.platform}"
    for name, image in sorted(build.images.items()):
        older = f", made by {image.made_by}" if image.made_by else ""
        yield f"image   {name}: {image.pin}  ({size(image.size)}{older})"
        for repository, digest in image.copies.items():
            yield f"        {name}: {repository}@{digest}"
        yield f"        tags {', '.join(image.tags)}"
        for reason in image.why:
            yield f"        {reason}"
    for check in build.checks:
        yield f"check   {check.image} {check.name}: {' '.join(check.run)}  ({check.seconds:.1f} s)"
    for failure in build.failures:
        after = f" after {failure.seconds:.1f} s" if failure.seconds is not None else ""
        yield f"failed  {failure.subject or 'build'}, {failure.step}{after}: {failure.message}"
        yield from (f"  | {line}" for line in failure.output)
