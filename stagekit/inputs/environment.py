"""Environments: ``environments/<env>/config.toml``, over ``environments/base/config.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from stagekit.errors import InputError
from stagekit.inputs.merge import Layer, Merged, Tree, dotted, leaves, merge
from stagekit.inputs.names import check_name
from stagekit.inputs.project import Project
from stagekit.records import Deploy

BASE = "base"
CONFIG = "config.toml"

_TABLES = ("stagekit", "vars")
_BOOLEANS = {"true": True, "false": False}
_HOUR, _DAY = 3_600, 86_400
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Environment:
    """One environment's configuration, merged.

    Attributes:
        name: the folder's name.
        variables: ``[vars]`` of all layers, each leaf with its origin.
        deploy: ``[stagekit]``: how a release to it is run.
    """

    name: str
    variables: Merged
    deploy: Deploy


def environment_names(project: Project) -> tuple[str, ...]:
    """Return the environments a project can release to: every folder but ``base``."""
    folder = project.environments
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(at.parent.name for at in folder.glob(f"*/{CONFIG}") if at.parent.name != BASE)
    )


def check_environment(project: Project, env: str) -> None:
    """Refuse an environment that is not one of the project's.

    Raises:
        InputError: names those there are.
    """
    names = environment_names(project)
    there = f"there are: {', '.join(names)}" if names else f"make environments/<name>/{CONFIG}"
    if not env:
        raise InputError("which environment?", where="--env", hint=there)
    check_name(env, "an environment", "--env")
    if env not in names:
        raise InputError(f"no environment {env!r}", where="environments/", hint=there)


def load_environment(project: Project, env: str, given: Sequence[str] = ()) -> Environment:
    """Read and merge an environment.

    Args:
        project: the project.
        env: its folder's name.
        given: ``KEY=VALUE`` texts of ``--set``, the strongest layer. ``true`` and ``false`` are
            booleans, as a template's ``if`` expects; anything else is text, as it was typed.

    Raises:
        InputError: no such environment, not TOML, an unknown table or setting, or layers that
            contradict each other; says file and key.
    """
    check_environment(project, env)
    files = [project.environments / name / CONFIG for name in (BASE, env)]
    documents = [(project.relative(path), _read(project, path)) for path in files if path.is_file()]
    variables = [Layer(where, document.get("vars", {})) for where, document in documents]
    for layer in variables:
        _check_variables(layer)
    if given:
        variables.append(Layer("--set", _given(given)))
    settings = merge([Layer(where, document.get("stagekit", {})) for where, document in documents])
    return Environment(
        name=env, variables=merge(variables), deploy=_deploy(settings, documents[-1][0])
    )


def _read(project: Project, path: Path) -> Tree:
    where = project.relative(path)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(error), where=where) from error
    for name, value in document.items():
        if name in _TABLES and not isinstance(value, dict):
            raise InputError(f"{name} is not a table", where=where, hint=f"write [{name}]")
        if name not in _TABLES:
            raise InputError(
                f"unknown key {name!r}",
                where=where,
                hint="a config has the tables [vars] (what the application is told) and "
                "[stagekit] (how it is run)",
            )
    return document


def _check_variables(layer: Layer) -> None:
    for key, value in leaves(layer.values):
        for part in key:
            if not _VARIABLE.fullmatch(part):
                raise InputError(
                    f"{dotted(key)!r} is not a variable's name",
                    where=f"{layer.origin} [vars]",
                    hint="letters, digits and '_', not starting with a digit",
                )
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str | bool | int | float) for item in items):
            raise InputError(
                f"{dotted(key)} is a {type(value).__name__}, which no container could be told",
                where=f"{layer.origin} [vars]",
                hint="write it as a string",
            )
        if any("\0" in item for item in items if isinstance(item, str)):
            raise InputError(
                f"{dotted(key)} holds a NUL, which no container could be told",
                where=f"{layer.origin} [vars]",
            )


def _given(texts: Sequence[str]) -> Tree:
    values: Tree = {}
    for text in texts:
        if not _is_text(text):
            raise InputError(f"{text!r} is not UTF-8", where="--set")
        name, equals, value = text.partition("=")
        parts = name.split(".")
        if not equals or not all(_VARIABLE.fullmatch(part) for part in parts):
            raise InputError(f"{text!r} is not KEY=VALUE", where="--set", hint="--set DEBUG=false")
        at: Any = values
        for part in parts[:-1]:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise InputError(f"{name} is below a value given before", where="--set")
        if isinstance(at.get(parts[-1]), dict):
            raise InputError(f"{name} is above a value given before", where="--set")
        at[parts[-1]] = _BOOLEANS.get(value, value)
    return values


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _deploy(settings: Merged, where: str) -> Deploy:
    known = [field.name for field in msgspec.structs.fields(Deploy)]
    for key in settings.values:
        if key not in known:
            raise InputError(
                f"unknown setting {key!r}",
                where=f"{settings.origins.get((key,), where)} [stagekit]",
                hint=f"there are: {', '.join(known)}",
            )
    try:
        deploy = msgspec.convert(settings.values, Deploy)
    except msgspec.ValidationError as error:
        raise InputError(str(error), where=f"{where} [stagekit]") from error
    for name, fits, range in (
        ("timeout", 0 < deploy.timeout <= _DAY, f"over 0 and at most {_DAY}"),
        ("settle", 0 <= deploy.settle <= _HOUR, f"at least 0 and at most {_HOUR}"),
    ):
        if not fits:
            raise InputError(
                f"{name} must be {range} seconds",
                where=f"{settings.origins.get((name,), where)} [stagekit]",
            )
    return deploy
