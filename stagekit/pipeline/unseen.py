"""Files that travel into images and that git does not see: a commit says nothing of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from stagekit.errors import StagekitError
from stagekit.inputs.fingerprint import ImageInputs, read_inputs
from stagekit.inputs.project import Project
from stagekit.inputs.source import tracked
from stagekit.pipeline.sources import specs_of


def changed_unseen(project: Project, before: Mapping[str, ImageInputs]) -> tuple[str, ...]:
    """Return the files that git ignores and that are not as an image was made from them.

    What is not there is not told: a job that only releases may have nothing of what the one that
    built had generated. Where nothing of the kind went into a build, nothing is looked for.

    Args:
        project: as it is now.
        before: what the build's images were made from; empty where that is not at hand.
    """
    seen = tracked(project.root) if before else None
    if seen is None:
        return ()
    try:
        return tuple(sorted(set(_changed(project, before, seen))))
    except StagekitError:
        return ()  # building says what is wrong; what was built can be released all the same


def _changed(
    project: Project, before: Mapping[str, ImageInputs], seen: frozenset[str]
) -> Iterator[str]:
    for name, spec in specs_of(project).items():
        context = os.path.relpath(spec.context, project.root.resolve())
        old = dict(_unseen(before[name], context, seen)) if name in before else {}
        if not old:
            continue
        now = read_inputs(
            spec, builder="", base_digest=lambda _: None, index=project.cache / f"{name}.index"
        )
        for path, content in _unseen(now, context, seen):
            if old.get(path) != content:
                yield path


def _unseen(inputs: ImageInputs, context: str, seen: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield path and content of the files that git does not see, its own apart: those change by
    themselves. A mode is no content, and a folder has none."""
    for name, described in inputs.files.items():
        content = described.partition(" ")[2]
        path = os.path.normpath(Path(context, name))
        if content and path not in seen and ".git" not in path.split("/"):
            yield path, content
