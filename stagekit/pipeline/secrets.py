"""What a release takes of an environment's secrets, and how a run gets their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagekit.errors import InputError, StagekitError
from stagekit.events import Emit, Noted, Warned
from stagekit.inputs.merge import Tree
from stagekit.inputs.placeholders import Placeholders
from stagekit.inputs.project import Project
from stagekit.inputs.secrets import FILE, shown
from stagekit.inputs.used_secrets import in_variables, secret_names
from stagekit.protocols import SecretProvider
from stagekit.records import Release

Providers = Callable[[str], SecretProvider]
"""Finds a provider by the name that ``secret_provider`` says."""

_STORES = {FILE: "age", "secrets.sops.json": "sops"}
_NONE = "env"

STORED = tuple(_STORES)
"""The files that hold an environment's secrets."""


@dataclass(frozen=True)
class SecretSource:
    """Where an environment's secrets come from, and what stands for them while it is rendered.

    Attributes:
        name: the provider's.
        layers: the folders it looks in, the weakest first.
    """

    name: str
    provider: SecretProvider
    layers: Sequence[Path]
    placeholders: Placeholders


def layers_of(project: Project, chain: Sequence[str]) -> tuple[Path, ...]:
    """Return the folders of an environment's layers, the weakest first."""
    return tuple(project.environments / name for name in chain)


def find_source(wanted: str, layers: Sequence[Path], providers: Providers) -> SecretSource:
    """Return where the secrets of the last of ``layers`` come from.

    Args:
        wanted: a provider's name, or ``auto`` for the one whose file is there.
        layers: the environment's folders, the weakest first.
        providers: finds it.

    Raises:
        InputError: there is no such provider, files of two, or a damaged one.
    """
    name = chosen(wanted, layers)
    provider = providers(name)
    own = next((file for file, kind in _STORES.items() if kind == name), FILE)
    placeholders = Placeholders(
        provider.names(layers), where=shown(layers[-1], own), env=layers[-1].name
    )
    return SecretSource(name, provider, layers, placeholders)


def chosen(wanted: str, layers: Sequence[Path]) -> str:
    """Return the provider's name that ``wanted`` means.

    Raises:
        InputError: it is ``auto``, and there are files of two.
    """
    if wanted != "auto":
        return wanted
    found = {
        kind: shown(folder, file)
        for folder in layers
        for file, kind in _STORES.items()
        if (folder / file).is_file()
    }
    if len(found) > 1:
        raise InputError(
            f"secrets of two providers: {' and '.join(found.values())}",
            where=f"environments/{layers[-1].name}/config.toml",
            hint='say which one counts: secret_provider = "age" or "sops" in [stagekit]',
        )
    return next(iter(found), _NONE)


def take(source: SecretSource, model: Tree, emit: Emit) -> dict[str, bytes]:
    """Return the files that a release of ``model`` carries of its secrets.

    Args:
        source: where they come from.
        model: Compose's, its placeholders turned back.
        emit: told what a person should know of them.

    Raises:
        InputError: it uses one that there is not.
    """
    names = secret_names(model)
    for name in names:
        source.placeholders.check(name, "secrets")
    if unused := sorted(set(source.provider.names(source.layers[-1:]) or ()) - set(names)):
        emit(
            Warned(f"secrets that no template uses: {', '.join(unused)} ({source.layers[-1].name})")
        )
    if shown_by_docker := in_variables(model):
        emit(Noted(f"docker inspect shows secrets in variables: {', '.join(shown_by_docker)}"))
    return dict(source.provider.carried(names, source.layers))


def values(release: Release, files: Mapping[str, bytes], providers: Providers) -> Mapping[str, str]:
    """Return the values of a release's secrets, from what it carries and nothing else.

    Args:
        release: the release.
        files: what it carries, as it was verified.
        providers: finds the one that it was sealed with.

    Raises:
        InputError: one cannot be had; says the release, and the way out. Nothing was touched.
    """
    if not release.secrets:
        return {}
    try:
        return providers(release.deploy.secret_provider).values(release.secrets, files)
    except StagekitError as error:
        error.where = f"{release.name}, {error.where}" if error.where else release.name
        raise
