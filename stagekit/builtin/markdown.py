"""Records as Markdown, for those who read what a CI shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stagekit.records import Build, Failure, Release, Run
from stagekit.wording import escaped

_LAST_LINES = 20
_STYLE = (
    "<style>body{font-family:sans-serif}table{border-collapse:collapse}"
    "th,td{border:1px solid #999;padding:.3em .6em;text-align:left}</style>"
)
_FENCE = "~~~~~~"  # output has the backticks of programs that print Markdown themselves


def of_build(build: Build) -> str:
    """Return a build's images and what they are pinned as, or why it failed."""
    if build.status != "succeeded":
        return _page(f"Build {build.id} {build.status}", _failures(build.failures))
    rows = (
        (escaped(name), f"`{image.pin}`", escaped(", ".join(image.tags)))
        for name, image in sorted(build.images.items())
    )
    return _page(f"Build {build.id}", _table(("image", "pinned as", "tags"), rows))


def of_release(release: Release) -> str:
    """Return what a release joins, and the commits since the one before it."""
    return _page(f"Release {release.name}", _release_lines(release))


def of_run(run: Run) -> str:
    """Return what runs and whether it is proven, or why it failed."""
    return _page(f"Run {run.n}: {run.env}/{run.release.id} {run.outcome}", _run_lines(run))


def as_page(text: str) -> str:
    """Return Markdown as HTML that stands alone, and that more can be appended to."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return f'<!doctype html><meta charset="utf-8">{_STYLE}\n{body}'


def _release_lines(release: Release) -> Iterator[str]:
    yield f"From build {escaped(release.build.id)}, by {escaped(release.actor)}."
    if release.message:
        yield f"\n{escaped(release.message)}"
    if release.commits:
        yield ""
        yield from (f"- {escaped(line)}" for line in release.commits)


def _run_lines(run: Run) -> Iterator[str]:
    seconds = (run.finished - run.created).total_seconds()
    yield f"{run.reason.capitalize()} by {escaped(run.actor)}, {seconds:.0f} s.\n"
    rows = (
        (
            escaped(seen.service),
            escaped(seen.name),
            seen.state,
            seen.health or "",
            "yes" if seen.proven else "no",
        )
        for seen in run.containers
    )
    yield from _table(("service", "container", "state", "health", "proven"), rows)
    yield from _failures([run.failure] if run.failure else [])
    for failed in run.failed:
        yield f"\n{escaped(failed.name)}: {escaped(failed.reason)}"
        yield from _output(failed.output)


def _failures(failures: Iterable[Failure]) -> Iterator[str]:
    for failure in failures:
        yield f"\n{escaped(failure.subject)}, {failure.step}: {escaped(failure.message)}"
        yield from _output(failure.output)


def _output(lines: Iterable[str]) -> Iterator[str]:
    last = [line.replace(_FENCE, "") for line in lines][-_LAST_LINES:]
    if last:
        yield from ("", f"{_FENCE}text", *last, _FENCE)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    filled = [_row(row) for row in rows]
    if filled:
        yield from (_row(head), _row(tuple("---" for _ in head)), *filled)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join((f"### {escaped(title)}", "", *lines, "", ""))
