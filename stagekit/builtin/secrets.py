"""The secret provider that ships: the environment of whoever runs the release.

A CI hands its masked variables to a job that way. They reach the container as files, by Compose's
``secrets.<name>.environment``, and are written nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stagekit.errors import InputError
from stagekit.inputs.names import SECRET_PREFIX
from stagekit.plugins.spec import hookimpl
from stagekit.protocols import SecretProvider


@hookimpl
def stagekit_secret_provider(name: str, environ: Mapping[str, str]) -> SecretProvider | None:
    return EnvironmentSecrets(environ) if name == "environment" else None


class EnvironmentSecrets:
    """Takes the secret ``NAME`` from the variable ``STAGEKIT_SECRET_NAME``."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def values(self, names: Sequence[str]) -> Mapping[str, str]:
        missing = [name for name in names if SECRET_PREFIX + name not in self._environ]
        if missing:
            raise InputError(
                f"secret {missing[0]} has no value",
                where=f"${SECRET_PREFIX}{missing[0]}",
                hint=f"set {SECRET_PREFIX}{missing[0]} in the environment of this command",
            )
        return {name: self._environ[SECRET_PREFIX + name] for name in names}
