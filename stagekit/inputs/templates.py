"""From a template and variables to a Compose document.

A template is a Compose file. ``.j2`` adds Jinja; both forms may ask for variables as ``${NAME}``,
which Compose fills in. Jinja and Compose see the same variables:

    [vars] of the environment     {{ web.port }}, {{ DEBUG }}     ${DEBUG} (top level only)
    the images of the build       {{ images.web }}                ${IMAGE_WEB}
    which environment this is     {{ stagekit.env }}              ${STAGEKIT_ENV}
    which project                 {{ stagekit.project }}          ${STAGEKIT_PROJECT}

In Jinja, write ``{{ value | yaml }}``: it quotes the value, so that it arrives as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagekit.errors import InputError
from stagekit.inputs.images import variable_of
from stagekit.inputs.interpolation import references
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import upper
from stagekit.inputs.quoting import as_yaml, dollar, finalize, guarded, plain_text, quote

_RESERVED = ("images", "stagekit")
_RESERVED_PREFIXES = ("IMAGE_", "STAGEKIT_", "COMPOSE_", "DOCKER_")

_SYNTAX_HINT = "what is not meant for Jinja goes between {% raw %} and {% endraw %}"


@dataclass(frozen=True)
class Rendered:
    """A Compose document, and the flat variables that Compose may fill in."""

    text: str
    where: str
    variables: Mapping[str, str]


def render(
    template: Path,
    *,
    root: Path,
    variables: Tree,
    images: Mapping[str, str],
    env: str,
    project: str,
) -> Rendered:
    """Render ``template`` and check that every variable it asks for has a value.

    Args:
        template: the Compose file, ``.j2`` for Jinja. Includes are looked up in its folder.
        root: the project's folder, for the paths in errors.
        variables: the environment's merged variables.
        images: the build's pinned references by image name.
        env: the environment's name.
        project: the project's name.

    Raises:
        InputError: the template is missing, wrong, or asks for what has no value: file and line.
    """
    where = str(template.relative_to(root)) if template.is_relative_to(root) else str(template)
    seen = _everything(variables, images, env, project)
    source = _read(template, where)
    text = _jinja(template, source, guarded(seen), where) if template.suffix == ".j2" else source
    flat = {name: plain_text(value) for name, value in _flat(seen).items()}
    _check_references(text, source, flat, where)
    return Rendered(text=text, where=where, variables=flat)


def _everything(
    variables: Tree, images: Mapping[str, str], env: str, project: str
) -> dict[str, Any]:
    for name in variables:
        if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
            raise InputError(
                f"the name {name!r} is taken: stagekit, Compose or Docker give it a meaning",
                where=f"environments/{env} [vars]",
                hint="rename the variable",
            )
    return {**variables, "images": dict(images), "stagekit": {"env": env, "project": project}}


def _flat(seen: Tree) -> dict[str, Any]:
    given = {name: value for name, value in seen.items() if not isinstance(value, dict | list)}
    images = {variable_of(name): pin for name, pin in seen["images"].items()}
    facts = {f"STAGEKIT_{upper(name)}": value for name, value in seen["stagekit"].items()}
    return {**given, **images, **facts}


def _read(template: Path, where: str) -> str:
    try:
        return template.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputError(
            "there is no template", where=where, hint="a Compose file; move yours there"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read: {error}", where=where) from error


def _jinja(template: Path, source: str, variables: Tree, where: str) -> str:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            """Find a variable before a method of the same name: ``web.items``."""
            if isinstance(obj, dict) and attribute in obj:
                return obj[attribute]
            return super().getattr(obj, attribute)

    environment = Environment(
        loader=_ConfinedLoader(template.parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        finalize=finalize,
        autoescape=False,
    )
    environment.filters.update(yaml=as_yaml, quote=quote, dollar=dollar)
    folder = where.removesuffix(template.name)
    try:
        return environment.get_template(template.name).render(variables)
    except jinja2.TemplateSyntaxError as error:
        at = f"{folder}{error.name or template.name}:{error.lineno}"
        raise InputError(error.message or "wrong syntax", where=at, hint=_SYNTAX_HINT) from error
    except jinja2.TemplateNotFound as error:
        raise InputError(f"no template {error.name!r} in {folder}", where=where) from error
    except Exception as error:  # whatever an expression of the template raises is the template's
        line = _line_in_template(error, template.name, template.parent)
        config = f"environments/{variables['stagekit']['env']}/config.toml"
        undefined = isinstance(error, jinja2.UndefinedError)
        raise InputError(
            str(error) or type(error).__name__,
            where=f"{folder}{line}",
            hint=f"set it in {config} [vars]" if undefined else None,
            output=_line_shown(source, line, template.name),
        ) from error


def _line_in_template(error: Exception, default: str, folder: Path) -> str:
    """Jinja compiles with the template's own names and line numbers: the innermost one counts."""
    found, traceback = default, error.__traceback__
    while traceback:
        code = traceback.tb_frame.f_code
        if "template" in code.co_name or code.co_name.startswith(("macro", "block ")):
            path = Path(code.co_filename)
            name = path.relative_to(folder) if path.is_relative_to(folder) else path.name
            found = f"{name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


def _line_shown(source: str, line: str, name: str) -> tuple[str, ...]:
    file, _, number = line.partition(":")
    lines = source.splitlines()
    known = file == name and number.isdigit() and int(number) <= len(lines)
    return (lines[int(number) - 1].strip(),) if known else ()


def _ConfinedLoader(folder: Path) -> Any:  # noqa: N802  # a class, made once jinja2 is needed
    import jinja2

    class Loader(jinja2.FileSystemLoader):
        def get_source(self, environment: Any, template: str) -> Any:
            source, path, fresh = super().get_source(environment, template)
            if not Path(path).resolve().is_relative_to(folder.resolve()):
                raise jinja2.TemplateNotFound(template)  # a link that leads out of the folder
            return source, path, fresh

    return Loader(folder)


def _check_references(text: str, source: str, values: Mapping[str, str], where: str) -> None:
    for reference in references(text, where=where):
        if reference.lacks_value(values):
            line = reference.line if text == source else _line_of(source, reference.name)
            raise InputError(
                f"${{{reference.name}}} has no value",
                where=f"{where}:{line}" if line else where,
                hint=_missing_hint(reference.name, values),
            )


def _missing_hint(name: str, values: Mapping[str, str]) -> str:
    if name.startswith("IMAGE_"):
        images = [known for known in values if known.startswith("IMAGE_")]
        return f"the build's images are: {', '.join(images)}"
    config = f"environments/{values['STAGEKIT_ENV']}/config.toml"
    return f"set {name} in {config} [vars], or write ${{{name}:-default}}"


def _line_of(source: str, name: str) -> int | None:
    """Find a reference in the template: rendering has moved the document's lines."""
    for number, line in enumerate(source.splitlines(), 1):
        if f"${{{name}" in line or f"${name}" in line:
            return number
    return None
