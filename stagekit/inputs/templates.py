"""From a template and variables to a Compose document.

A template is a Compose file. ``.j2`` adds Jinja; both forms may ask for variables as ``${NAME}``,
which Compose fills in. Jinja and Compose see the same variables:

    [vars] of the environment     {{ web.port }}, {{ DEBUG }}     ${DEBUG} (top level only)
    the images of the build       {{ images.web }}                ${IMAGE_WEB}
    which environment this is     {{ stagekit.env }}              ${STAGEKIT_ENV}
    which project                 {{ stagekit.project }}          ${STAGEKIT_PROJECT}
    the environment's secrets     {{ secrets.API_KEY }}           ${SECRET_API_KEY}

In Jinja, write ``{{ value | yaml }}``: it quotes the value, so that it arrives as it was;
``{{ table | env }}`` writes a whole table as a service's ``environment``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagekit.errors import InputError
from stagekit.inputs.bare import guarded, refuse_torn
from stagekit.inputs.images import variable_of
from stagekit.inputs.interpolation import START, references
from stagekit.inputs.jinja import NO_ADDITIONS, SUFFIX, Additions, Templates
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import upper
from stagekit.inputs.near import near
from stagekit.inputs.placeholders import (
    NO_SECRETS,
    TEMPLATE_PREFIX,
    Placeholders,
    missing_hint,
)
from stagekit.inputs.quoting import plain_text
from stagekit.inputs.reads import Read

_RESERVED = ("images", "secrets", "stagekit")
_RESERVED_PREFIXES = ("IMAGE_", TEMPLATE_PREFIX, "STAGEKIT_", "COMPOSE_", "DOCKER_")


@dataclass(frozen=True)
class Rendered:
    """A Compose document, the template that it was made from, the flat variables that Compose may
    fill in, and the files that it was rendered from."""

    text: str
    source: str
    where: str
    variables: Mapping[str, str]
    read: tuple[Read, ...] = ()


def render(
    template: Path,
    *,
    root: Path,
    variables: Tree,
    images: Mapping[str, str],
    env: str,
    project: str,
    secrets: Placeholders = NO_SECRETS,
    additions: Additions = NO_ADDITIONS,
) -> Rendered:
    """Render ``template`` and check that every variable it asks for has a value.

    Args:
        template: the Compose file, ``.j2`` for Jinja. Includes are looked up in its folder, then
            in the repository.
        root: the project's folder, for the paths in errors.
        variables: the environment's merged variables.
        images: the build's pinned references by image name.
        env: the environment's name.
        project: the project's name.
        secrets: stand for the values, which no template gets to see.
        additions: what plugins give templates to use.

    Raises:
        InputError: the template is missing, wrong, or asks for what has no value: file and line.
    """
    where = str(template.relative_to(root)) if template.is_relative_to(root) else str(template)
    seen = _everything(variables, images, env, project)
    source = _read(template, where)
    text, read = source, [Read(template, "compose")]
    if template.suffix == SUFFIX:
        known = {**guarded(seen), "secrets": secrets.asked}
        templates = Templates(root, template.parent, additions)
        rendered = templates.render(template, known, env=env)
        refuse_torn(rendered, source=source, where=where)
        text = rendered.plain
        read = [Read(path, "jinja") for path in sorted(templates.read)]
    flat = {**_flat(seen), **secrets.variables(text)}
    _check_references(text, source, flat, where)
    return Rendered(text=text, source=source, where=where, variables=flat, read=tuple(read))


def flat_variables(
    variables: Tree, images: Mapping[str, str], *, env: str, project: str
) -> dict[str, str]:
    """Return what ``${NAME}`` may be, but for secrets: for arguments, see `render`."""
    return _flat(_everything(variables, images, env, project))


def is_reserved(name: str) -> bool:
    """Tell whether stagekit, Compose or Docker give a variable's name a meaning of their own."""
    return name in _RESERVED or name.startswith(_RESERVED_PREFIXES)


def _everything(
    variables: Tree, images: Mapping[str, str], env: str, project: str
) -> dict[str, Any]:
    for name in variables:
        if is_reserved(name):
            raise InputError(
                f"the name {name!r} is taken: stagekit, Compose or Docker give it a meaning",
                where=f"environments/{env} [vars]",
                hint="rename the variable",
            )
    return {**variables, "images": dict(images), "stagekit": {"env": env, "project": project}}


def _flat(seen: Tree) -> dict[str, str]:
    given = {name: value for name, value in seen.items() if not isinstance(value, dict | list)}
    images = {variable_of(name): pin for name, pin in seen["images"].items()}
    facts = {f"STAGEKIT_{upper(name)}": value for name, value in seen["stagekit"].items()}
    return {name: plain_text(value) for name, value in {**given, **images, **facts}.items()}


def _read(template: Path, where: str) -> str:
    try:
        return template.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputError(
            "there is no template", where=where, hint="a Compose file; move yours there"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read: {error}", where=where) from error


def _check_references(text: str, source: str, values: Mapping[str, str], where: str) -> None:
    for reference in references(text, where=where):
        if reference.lacks_value(values):
            line = reference.line if text == source else _line_of(source, reference.name)
            raise InputError(
                f"${{{reference.name}}} has no value",
                where=f"{where}:{line}" if line else where,
                hint=_missing_hint(reference.name, values),
                output=(source.splitlines()[line - 1].strip(),) if line else (),
            )


def _missing_hint(name: str, values: Mapping[str, str]) -> str:
    if name.startswith(TEMPLATE_PREFIX):
        return missing_hint(name, values)
    if name.startswith("IMAGE_"):
        images = [known for known in values if known.startswith("IMAGE_")]
        return f"the build's images are: {', '.join(images)}"
    config = f"environments/{values['STAGEKIT_ENV']}/config.toml"
    hint = f"set {name} in {config} [vars], or write ${{{name}:-default}}"
    meant = near(name, list(values))
    return f"did you mean {meant}? Else {hint}" if meant else hint


def _line_of(source: str, name: str) -> int | None:
    """Find a reference in the template: rendering has moved the document's lines."""
    for number, line in enumerate(source.splitlines(), 1):
        found = () if line.lstrip().startswith("#") else START.finditer(line)
        if any(name in (item["plain"], item["braced"]) for item in found):
            return number
    return None
