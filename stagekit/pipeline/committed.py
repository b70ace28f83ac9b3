"""What git says of that which a release is made of."""

from __future__ import annotations

from collections.abc import Sequence

from stagekit.inputs.environment import Environment
from stagekit.inputs.names import CONFIG
from stagekit.inputs.project import SETTINGS, Project
from stagekit.inputs.reads import Read
from stagekit.inputs.source import is_pushed, uncommitted
from stagekit.pipeline.secrets import STORED, layers_of
from stagekit.records import Build


def not_as_committed(
    project: Project, environment: Environment, read: Sequence[Read]
) -> tuple[str, ...]:
    """Return which of the project's settings, the environment's layers and what was read are not
    as they are committed; none where the environment does not ask."""
    if not environment.policy.wants("require_clean"):
        return ()
    layers = layers_of(project, environment.chain)
    own = (layer / name for layer in layers for name in (CONFIG, *STORED))
    files = [project.root / SETTINGS, *own]
    return uncommitted(project.root, layers, [*files, *(item.path for item in read)])


def commit_is_pushed(project: Project, build: Build) -> bool:
    """Tell whether a remote has a build's commit: a CI has it from there; a clone has heard of what
    it fetched or pushed."""
    commit = build.source.commit
    if commit is None:
        return False
    on_ci = build.ci is not None and build.ci.commit == commit
    return on_ci or is_pushed(project.root, commit)
