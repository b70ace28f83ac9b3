"""The secret providers that ship: age, SOPS, and the environment of whoever runs a release."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit.plugins.spec import hookimpl
from stagekit.protocols import SecretProvider


class Age:
    @hookimpl
    def stagekit_secret_provider(
        self, name: str, environ: Mapping[str, str]
    ) -> SecretProvider | None:
        if name != "age":
            return None
        from stagekit.builtin.age import AgeSecrets

        return AgeSecrets(environ)


class Sops:
    @hookimpl
    def stagekit_secret_provider(
        self, name: str, environ: Mapping[str, str]
    ) -> SecretProvider | None:
        if name != "sops":
            return None
        from stagekit.builtin.sops import SopsSecrets

        return SopsSecrets(environ)


class Env:
    @hookimpl
    def stagekit_secret_provider(
        self, name: str, environ: Mapping[str, str]
    ) -> SecretProvider | None:
        if name not in ("env", "environment"):
            return None
        from stagekit.builtin.secrets import EnvironmentSecrets

        return EnvironmentSecrets(environ)
