"""What each variable of an environment is, where it was set, over what, and who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stagekit.errors import InputError
from stagekit.events import Emit, Noted, Warned
from stagekit.inputs import overlays
from stagekit.inputs.environment import Environment
from stagekit.inputs.interpolation import names_in
from stagekit.inputs.merge import Merged, Setting, dotted, leaves
from stagekit.inputs.names import CONFIG, ENVIRONMENTS
from stagekit.inputs.near import known_names
from stagekit.inputs.project import Project
from stagekit.inputs.reads import Read
from stagekit.inputs.usage import Use, unused, uses, uses_of
from stagekit.records import Part

_GIVEN = "--set"
"""The origin of what was typed for this release alone, and so was meant to change something."""


class Explained(Part, frozen=True):
    """One variable.

    Attributes:
        name: as it is asked for: ``web.port``.
        value: what it is.
        layer: the environment's folder that set it, ``shell`` or ``--set``.
        origin: where, with the line.
        overridden: what weaker layers had said, the weakest first.
        used: where templates ask for it.
        meant: the name that may have been meant, where nothing uses it.
    """

    name: str
    value: Any
    layer: str
    origin: str
    overridden: tuple[Setting, ...]
    used: tuple[str, ...]
    meant: str | None


def explain(environment: Environment, found: Sequence[Use], key: str | None) -> list[Explained]:
    """Explain an environment's variables.

    Args:
        environment: merged.
        found: what its templates use.
        key: only this one, or those of this table.

    Raises:
        InputError: there is no such variable; names a near one.
    """
    variables = environment.variables
    meant = {item.name: item.meant for item in unused(variables, found)}
    explained = [
        Explained(
            name=dotted(at),
            value=value,
            layer=_layer(variables.origins[at]),
            origin=variables.origins[at],
            overridden=variables.overridden.get(at, ()),
            used=tuple(uses_of(at, found, variables.values)),
            meant=meant.get(dotted(at)),
        )
        for at, value in sorted(leaves(variables.values))
    ]
    if key is None:
        return explained
    asked = [item for item in explained if f"{item.name}.".startswith(f"{key}.")]
    if not asked:
        raise InputError(
            f"{environment.name} has no variable {key!r}",
            where="--key",
            hint=known_names(key, (item.name for item in explained)),
        )
    return asked


def found_uses(project: Project, environment: Environment, read: Sequence[Read] = ()) -> list[Use]:
    """Find every use of a variable of an environment: in its templates, in what these take in, and
    in the addresses of its checks.

    Args:
        project: the project.
        environment: whose templates.
        read: what was read as they were rendered, where they were.
    """
    found = uses(
        overlays.documents(project, environment.chain),
        project.root,
        variables=environment.variables.values,
        additions=environment.additions,
        read=read,
    )
    where = f"environments/{environment.name}/{CONFIG} [[stagekit.checks]] url"
    for check in environment.deploy.checks:
        found += (Use((name,), where) for name in names_in(check.url))
    return found


def warn_of_unused(variables: Merged, found: Sequence[Use], env: str, emit: Emit) -> None:
    """Tell of variables that no template asks for: a misspelt one changes nothing."""
    without_use = unused(variables, found)
    for item in without_use:
        if item.meant or item.origin == _GIVEN:
            meant = f": did you mean {item.meant}?" if item.meant else ", and changes nothing"
            emit(Warned(f"{item.name} ({item.origin}) is used by no template{meant}"))
    rest = [item.name for item in without_use if not item.meant and item.origin != _GIVEN]
    if rest:
        emit(Noted(f"used by no template: {', '.join(rest)} (inv release.explain --env {env})"))


def _layer(origin: str) -> str:
    if origin.startswith("$"):
        return "shell"
    parts = origin.split("/")
    return parts[1] if parts[0] == ENVIRONMENTS and len(parts) > 1 else origin
