"""What GitHub Actions shows of a build: a job summary, and outputs for the steps after it.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stagekit.plugins.spec import hookimpl
from stagekit.records import Build, Stored


@hookimpl
def stagekit_built(build: Stored[Build], environ: Mapping[str, str]) -> None:
    """Append to the files that GitHub offers."""
    record = build.record
    if summary := environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(summary), _table(record))
    if outputs := environ.get("GITHUB_OUTPUT"):
        pins = {f"image-{name}": image.pin for name, image in sorted(record.images.items())}
        lines = {"build": record.id, **pins}
        _append(Path(outputs), "".join(f"{name}={value}\n" for name, value in lines.items()))


def _table(build: Build) -> str:
    rows = "".join(
        f"| {name} | `{image.pin}` | {', '.join(image.tags)} |\n"
        for name, image in sorted(build.images.items())
    )
    return f"### Build {build.id}\n\n| image | pinned as | tags |\n| --- | --- | --- |\n{rows}\n"


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
