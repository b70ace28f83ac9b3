"""Environments: ``environments/<env>/config.toml``, over those it extends and over ``base``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from stagekit import toml
from stagekit.errors import InputError
from stagekit.inputs import given
from stagekit.inputs.jinja import NO_ADDITIONS, Additions
from stagekit.inputs.merge import Key, Layer, Merged, Tree, leaves, merge
from stagekit.inputs.names import BASE, CONFIG, check_name, environments_in
from stagekit.inputs.near import known_names
from stagekit.inputs.positions import lines_of
from stagekit.inputs.project import Project
from stagekit.inputs.settings import Policy, read_settings
from stagekit.inputs.within import within
from stagekit.records import Deploy

_EXTENDS, _UNSET = "extends", "unset"
_TABLES = ("stagekit", "vars")
_KEYS_HINT = (
    "a config has extends and unset, and the tables [vars] (what the application is told) and "
    "[stagekit] (how it is released and run)"
)


@dataclass(frozen=True)
class Environment:
    """One environment's configuration, merged.

    Attributes:
        name: the folder's name.
        chain: the folders it is made of, the weakest first: base, its parents, itself.
        variables: ``[vars]`` of all layers, each leaf with its origin.
        deploy: ``[stagekit]``: how a release to it is run.
        policy: ``[stagekit]``: how a release to it is made.
        additions: what plugins give its templates to use.
    """

    name: str
    chain: tuple[str, ...]
    variables: Merged
    deploy: Deploy
    policy: Policy
    additions: Additions = NO_ADDITIONS


class _Config(msgspec.Struct, frozen=True):
    """One folder's own file."""

    where: str
    document: Tree
    lines: Mapping[Key, int]

    def at(self, name: str) -> str:
        line = self.lines.get((name,))
        return f"{self.where}:{line}" if line else self.where

    def layer(self, table: str) -> Layer:
        return Layer(
            self.where,
            self.document.get(table, {}),
            {key[1:]: line for key, line in self.lines.items() if key[0] == table},
            unset=self._unset() if table == "vars" else (),
        )

    def parents(self) -> tuple[str, ...]:
        return self._texts(_EXTENDS)

    def _unset(self) -> tuple[Key, ...]:
        return tuple(tuple(text.split(".")) for text in self._texts(_UNSET))

    def _texts(self, name: str) -> tuple[str, ...]:
        value = self.document.get(name, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"{name} is not a list of names", where=self.at(name))
        return tuple(texts)


def environment_names(project: Project) -> tuple[str, ...]:
    """Return the environments a project can release to: every folder but ``base``."""
    return environments_in(project.environments)


def check_environment(project: Project, env: str, *, option: str = "--env") -> None:
    """Refuse an environment that is not one of the project's.

    Args:
        project: the project.
        env: the name.
        option: how it was given, for the error.

    Raises:
        InputError: names those there are.
    """
    names = environment_names(project)
    there = f"there are: {', '.join(names)}" if names else f"make environments/<name>/{CONFIG}"
    if not env:
        raise InputError("which environment?", where=option, hint=there)
    check_name(env, "an environment", option)
    if env not in names:
        raise InputError(f"no environment {env!r}", where="environments/", hint=there)


def check_released_to(names: Sequence[str], env: str, *, option: str = "--env") -> None:
    """Refuse an environment that nothing was released to, where there is no source to ask.

    Args:
        names: those that something was.
        env: the name.
        option: how it was given, for the error.

    Raises:
        InputError: names those there are.
    """
    there = f"there are: {', '.join(names)}"
    if not env:
        raise InputError("which environment?", where=option, hint=there)
    if env not in names:
        raise InputError(f"nothing was ever released to {env!r}", where=option, hint=there)


def load_environment(
    project: Project,
    env: str,
    *,
    options: Sequence[str] = (),
    values: Mapping[str, object] = MappingProxyType({}),
    environ: Mapping[str, str] | None = None,
    given_by: Iterable[tuple[str, Tree]] = (),
    additions: Additions = NO_ADDITIONS,
) -> Environment:
    """Read and merge an environment.

    Args:
        project: the project.
        env: its folder's name.
        options: ``KEY=VALUE`` texts of ``--set``, the strongest layers.
        values: values by dotted key, which are as strong.
        environ: its ``STAGEKIT_VAR_*`` are the layers below these.
        given_by: the layers of plugins, which are below those: each plugin's name, and variables.
        additions: what plugins give its templates to use.

    Raises:
        InputError: no such environment, not TOML, an unknown table or setting, parents that
            extend one another in a circle, or layers that contradict each other; says file, line
            and key.
    """
    check_environment(project, env)
    configs = _configs(project, env)
    layers = [config.layer("vars") for config in configs.values()]
    layers += [Layer(f"plugin {name}", values) for name, values in given_by]
    for layer in layers:
        _check_variables(layer)
    below = merge(layers).values
    layers += given.from_environment(environ or {}, below)
    layers += given.from_options(options, below)
    layers += given.from_values(values)
    deploy, policy = read_settings(merge([config.layer("stagekit") for config in configs.values()]))
    return Environment(
        name=env,
        chain=_names_of(configs),
        variables=merge(layers),
        deploy=deploy,
        policy=policy,
        additions=additions,
    )


def environment_chain(project: Project, env: str) -> tuple[str, ...]:
    """Return the folders an environment is made of, the weakest first: `Environment.chain`."""
    check_environment(project, env)
    return _names_of(_configs(project, env))


def _names_of(configs: Mapping[str, _Config]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((BASE, *configs)))


def _configs(project: Project, env: str) -> dict[str, _Config]:
    """Read the files of an environment by folder, the weakest first."""
    found: dict[str, _Config] = {}
    if (project.environments / BASE / CONFIG).is_file():
        found[BASE] = _read(project, BASE)
        if found[BASE].parents():
            raise InputError(
                "base extends nothing: it lies under every environment",
                where=found[BASE].at(_EXTENDS),
            )
    _add(project, env, found, below=())
    return found


def _add(project: Project, env: str, found: dict[str, _Config], *, below: tuple[str, ...]) -> None:
    config = _read(project, env)
    for parent in config.parents():
        if parent in (*below, env):
            circle = " → ".join((*below, env, parent))
            raise InputError(
                f"environments extend one another: {circle}", where=config.at(_EXTENDS)
            )
        if parent not in found:
            _check_parent(project, parent, config)
            _add(project, parent, found, below=(*below, env))
    found[env] = config


def _check_parent(project: Project, parent: str, config: _Config) -> None:
    names = environment_names(project)
    if parent not in names:
        raise InputError(
            f"extends {parent!r}, which is no environment",
            where=config.at(_EXTENDS),
            hint=known_names(parent, names),
        )


def _read(project: Project, name: str) -> _Config:
    path = project.environments / name / CONFIG
    where = project.relative(path)
    if not within(project.root, path):
        raise InputError(
            "a link leads out of the project: what is there is another thing on the next machine",
            where=where,
            hint="copy it into the project",
        )
    try:
        text = path.read_text("utf-8")
        config = _Config(where, toml.loads(text), lines_of(text))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(error), where=where) from error
    for key, value in config.document.items():
        if key in _TABLES and not isinstance(value, dict):
            raise InputError(f"{key} is not a table", where=where, hint=f"write [{key}]")
        if key not in (*_TABLES, _EXTENDS, _UNSET):
            raise InputError(f"unknown key {key!r}", where=config.at(key), hint=_KEYS_HINT)
    return config


def _check_variables(layer: Layer) -> None:
    for key, value in leaves(layer.values):
        given.check_variable(key, value, f"{layer.at(key)} [vars]")
