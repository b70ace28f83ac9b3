"""From templates to the model that Compose makes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.engine.documents import Document
from stagekit.events import Emit, Warned, step
from stagekit.inputs import overlays, seal
from stagekit.inputs.env_files import refuse_left_out
from stagekit.inputs.environment import Environment
from stagekit.inputs.expansion import refuse_endless
from stagekit.inputs.includes import files_read, without_env_files
from stagekit.inputs.merge import Tree
from stagekit.inputs.placeholders import Placeholders
from stagekit.inputs.project import Project
from stagekit.inputs.reads import Read, text_of
from stagekit.inputs.templates import render
from stagekit.records import Deploy, compose_project

_OF_SWARMS = re.compile(r"only applies to .*Swarm")
"""Compose tells so of what it does not do itself, whoever runs the document."""


@dataclass(frozen=True)
class RenderedModel:
    """Compose's model of the templates, and the files that it was made from."""

    model: Tree
    read: tuple[Read, ...]


def rendered_model(
    project: Project,
    environment: Environment,
    templates: Sequence[Path],
    *,
    images: Mapping[str, str],
    secrets: Placeholders,
    compose: Compose,
    emit: Emit,
    cancel: Cancel,
) -> RenderedModel:
    """Render templates and have Compose merge and normalise them.

    Args:
        project: the project.
        environment: whose variables they see.
        templates: each is merged over the one before it.
        images: the build's pins by image name.
        secrets: stand for the values, which no template gets to see.
        compose: normalises what was rendered.
        emit: told of the step, and what Compose warns of.
        cancel: stops it.

    Raises:
        InputError: a variable or template is wrong.
        ReleaseFailed: Compose refuses the result.
    """
    profiles, runner = environment.deploy.profiles, environment.deploy.engine
    read: list[Read] = []

    def warn(text: str) -> None:
        if runner == Deploy().engine or not _OF_SWARMS.search(text):
            emit(Warned(text))

    with step(emit, "render", ", ".join(map(project.relative, templates))):
        rendered = [
            render(
                template,
                root=project.root,
                variables=environment.variables.values,
                images=images,
                env=environment.name,
                project=project.name,
                secrets=secrets,
                additions=environment.additions,
            )
            for template in templates
        ]
        for item in rendered:
            refuse_endless(item.text, where=item.where)
            replaced = without_env_files(item.text)
            read = [replace(one, env_of=None) if one.env_of in replaced else one for one in read]
            read += item.read
            read += files_read(
                item.text,
                project.root,
                variables=item.variables,
                where=item.where,
                source=item.source,
            )
        output = compose.config(
            [Document(text=item.text, where=item.where) for item in rendered],
            name=compose_project(project.name, environment.name),
            folder=project.root,
            variables={
                **{name: text for item in rendered for name, text in item.variables.items()},
                **secrets.variables("\n".join(map(_text_of, read))),
            },
            profiles=profiles,
            cancel=cancel,
            warn=warn,
            unset=secrets.refuse_unset,
        )
    model = secrets.turned_back(seal.model_of(output))
    refuse_left_out(read, model["services"], project.root)
    overlays.check_profiles(
        model, profiles, where=f"environments/{environment.name} [stagekit] profiles"
    )
    files = dict.fromkeys(replace(item, env_of=None) for item in read)
    return RenderedModel(model, tuple(files))


def _text_of(item: Read) -> str:
    """Return what may ask for a secret in a file that Compose reads."""
    return text_of(item.path) if item.by == "compose" else ""
