"""What a person has to add by hand to what was there before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stagekit import toml
from stagekit.init import layout
from stagekit.init.found import DEV
from stagekit.init.moving import Finding, Moving
from stagekit.init.nodes import own
from stagekit.init.planned import Planned, read


def images_missing(files: Sequence[Planned], moved: Moving) -> list[Finding]:
    """Say which images a ``[tool.stagekit]`` that was there does not have."""
    data = next(file.data for file in files if file.path == layout.SETTINGS)
    settings = toml.loads(data.decode()).get("tool", {}).get("stagekit", {})
    return [
        Finding(
            kind="to do",
            where=layout.SETTINGS,
            what=f"[tool.stagekit] is there, and has no image {name}",
            next=f"add [tool.stagekit.images.{name}]",
        )
        for name in moved.images
        if name not in settings.get("images", {})
    ]


def values_missing(moved: Moving) -> list[Finding]:
    """Say which variables an environment that had a file of its own has no values for."""
    dev = moved.variables.get(DEV, {})
    had = {file.env for file in moved.found.files if file.env and file.env != DEV}
    missing = {
        env: sorted(dev.keys() - variables.keys())
        for env, variables in moved.by_env()
        if env in had
    }
    return [
        Finding(
            kind="to do",
            where=f"environments/{env}/config.toml",
            what=f"dev alone has values for {', '.join(names)} so far",
            next=f"set them in its [vars]; inv release --env {env} says so of each",
        )
        for env, names in missing.items()
        if names
    ]


def volumes_anew(moved: Moving, name: str, was: str) -> list[Finding]:
    """Say which volumes are empty at first: those that Compose named after its project."""
    return [
        Finding(
            kind="note",
            where=file.at(node),
            what=f"the volume {key} of dev is {name}-{DEV}_{key}, and empty at first: "
            f"{was}_{key} stays as it is",
            next=f"to go on with that, write volumes: {{{key}: {{external: true, name: "
            f"{was}_{key}}}}} in environments/{DEV}/compose.yaml",
        )
        for file in moved.files
        for key, node in file.section("volumes")
        if own(node, "name") is None and own(node, "external") is None
    ]


def tasks_missing(root: Path) -> list[Finding]:
    """Say what to write into a tasks.py that was there."""
    text = read(root / layout.TASKS)
    if not text or "stagekit.collection(" in text:
        return []
    return [
        Finding(
            kind="to do",
            where=layout.TASKS,
            what="is there, and has none of stagekit's tasks",
            next="add: import stagekit, and ns = stagekit.collection(YOUR_TASKS…)",
        )
    ]
