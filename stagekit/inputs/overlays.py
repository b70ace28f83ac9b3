"""The Compose files of a release: the project's own, then what each environment puts over them.

``environments/<env>/compose.yaml``, with ``.j2`` for Jinja, is merged by Compose's own rules
(``docker compose -f one -f other``): scalars replace, maps and most lists merge, ``!reset`` and
``!override`` take away. Its paths start at the project's folder, like those of the template.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs.merge import Tree
from stagekit.inputs.project import Project

OVERLAYS = ("compose.yaml", "compose.yaml.j2")


def documents(project: Project, chain: Sequence[str]) -> tuple[Path, ...]:
    """Return the templates of a release, each merged over the one before it.

    Args:
        project: has the templates that every environment shares.
        chain: the environments whose overlays count, the weakest first.

    Raises:
        InputError: an environment has two overlays.
    """
    overlays = [_overlay(project, env) for env in chain]
    return (*project.templates, *(path for path in overlays if path))


def _overlay(project: Project, env: str) -> Path | None:
    folder = project.environments / env
    found = [folder / name for name in OVERLAYS if (folder / name).is_file()]
    if len(found) > 1:
        raise InputError(
            f"{' and '.join(OVERLAYS)}: which of the two?",
            where=project.relative(folder),
            hint="remove one of them",
        )
    return found[0] if found else None


def check_profiles(model: Tree, profiles: Sequence[str], *, where: str) -> None:
    """Refuse a profile that no service has: misspelt, it would leave services out silently.

    Args:
        model: what Compose made of the documents with these profiles.
        profiles: the profiles.
        where: what names them, for errors.

    Raises:
        InputError: names the profile.
    """
    there = {name for item in model["services"].values() for name in item.get("profiles") or ()}
    for name in profiles:
        if name not in there and name != "*":
            raise InputError(
                f"no service has the profile {name!r}",
                where=where,
                hint="a service is in one by its own `profiles: [NAME]`",
            )
