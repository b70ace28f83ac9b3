# ruff: noqa: ARG002  # a provider is told more than this one needs
"""The secret provider ``env``: the environment of whoever runs the release.

A CI hands its masked variables to a job that way. A release carries nothing of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs.names import SECRET_PREFIX


class EnvironmentSecrets:
    """Takes the secret ``NAME`` from the variable ``STAGEKIT_SECRET_NAME``."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def names(self, layers: Sequence[Path]) -> None:
        return None

    def carried(self, names: Collection[str], layers: Sequence[Path]) -> Mapping[str, bytes]:
        return {}

    def values(self, names: Sequence[str], carried: Mapping[str, bytes]) -> Mapping[str, str]:
        missing = [name for name in names if SECRET_PREFIX + name not in self._environ]
        if missing:
            raise InputError(
                f"secret {missing[0]} has no value",
                where=f"${SECRET_PREFIX}{missing[0]}",
                hint=f"set {SECRET_PREFIX}{missing[0]} in the environment of this command",
            )
        return {name: self._environ[SECRET_PREFIX + name] for name in names}
