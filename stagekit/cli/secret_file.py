"""The file that ``inv secrets`` works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from stagekit.cli.app import App

if TYPE_CHECKING:
    from stagekit.inputs.secrets import SecretsFile
    from stagekit.pipeline.sealing import Store


class SecretFile:
    """``secrets.toml`` of an environment, or of base.

    Args:
        app: whose project it is.
        env: the environment's name.

    Raises:
        InputError: there is no such environment, or its secrets are not kept in that file.
    """

    def __init__(self, app: App, env: str) -> None:
        from stagekit.inputs.names import BASE
        from stagekit.inputs.secrets import FILE

        if env != BASE:
            app.check_environment(env)
            _check_kept_here(app, env)
        self.env = env
        self.path = app.project.environments / env / FILE
        self.where = app.project.relative(self.path)
        self._app = app

    @cached_property
    def content(self) -> SecretsFile | None:
        """What stands in it, or None where there is none yet."""
        from stagekit.inputs.secrets import read_secrets

        return read_secrets(self.path, self.where)

    def store(self, purpose: str = "") -> Store:
        """Return its secrets, opened as far as this person's identity goes.

        Args:
            purpose: what an identity is needed for; empty where it can be done without.

        Raises:
            InputError: there is no identity, or no file.
        """
        from stagekit.errors import InputError
        from stagekit.inputs import age
        from stagekit.pipeline.sealing import begin, store_of

        keys = age.identities(os.environ)
        if purpose:
            keys = age.required_identities(os.environ, purpose)
        if self.content is not None:
            return store_of(self.content, self.where, keys)
        if not keys or purpose:
            raise InputError(
                "there are no secrets yet",
                where=self.where,
                hint=f"inv secrets.keygen --env {self.env} makes an identity, and the file",
            )
        return begin({self._app.user: str(keys[0].to_public())}, self.where)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Read what stands in the file now, and let nobody else change it meanwhile."""
        from stagekit import locks
        from stagekit.inputs.names import BASE

        if self.env == BASE:  # which an environment need not have
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with locks.locked(self.path.parent):
            self.__dict__.pop("content", None)
            yield

    def write(self, file: SecretsFile) -> None:
        """Put the file in place, whole."""
        from stagekit import durable
        from stagekit.inputs.secrets import encode_secrets

        durable.write_file(self.path, encode_secrets(file, self.env))

    def change(self, before: SecretsFile, after: SecretsFile) -> None:
        """Write what changed, and say of each secret what became of it."""
        names = sorted({*before.secrets, *after.secrets})
        changed = [name for name in names if before.secrets.get(name) != after.secrets.get(name)]
        if changed or self.content is None:
            self.write(after)
        for name in changed:
            gone, new = name not in after.secrets, name not in before.secrets
            done = "removed" if gone else "set" if new else "changed"
            self._app.console.result(f"{done} {name} in {self.where}")
        if not changed:
            self._app.console.note(f"{self.where} has that already: nothing changed")


def _check_kept_here(app: App, env: str) -> None:
    from stagekit.errors import InputError
    from stagekit.inputs.environment import load_environment

    provider = load_environment(app.project, env).deploy.secret_provider
    if provider not in ("auto", "age"):
        raise InputError(
            f"the secrets of {env} are kept by {provider}, not in a file of stagekit's",
            where=f"environments/{env}/config.toml",
            hint='secret_provider = "age" in [stagekit] keeps them there',
        )
