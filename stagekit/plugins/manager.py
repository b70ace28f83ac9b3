"""Registers plugins and asks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

import pluggy

from stagekit.errors import InputError
from stagekit.plugins import spec
from stagekit.protocols import Builder, Engine, Runner, SecretProvider
from stagekit.records import CI, Build, Source, Stored


class Plugins:
    """The plugins of one project, and the questions stages ask them.

    Args:
        plugins: modules or objects with functions under ``@stagekit.hookimpl``; of two that can
            answer, the later one does.
    """

    def __init__(self, plugins: Iterable[object]) -> None:
        self._manager = pluggy.PluginManager(spec.PROJECT)
        self._manager.add_hookspecs(spec.Hooks)
        try:
            for plugin in plugins:
                self._manager.register(plugin)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise InputError(
                f"plugin {getattr(error.plugin, '__name__', error.plugin)}: {error}",
                hint="the hooks are listed in stagekit/plugins/spec.py",
            ) from error
        self._hooks = spec.relay(self._manager)

    def ci(self, environ: Mapping[str, str]) -> CI | None:
        """Return the CI this process runs under, or None."""
        return self._hooks.stagekit_ci(environ=environ)

    def build_id(
        self, scheme: str, *, ci: CI | None, source: Source, now: datetime, taken: Sequence[str]
    ) -> str:
        """Return the id the next build should have.

        Raises:
            InputError: no plugin knows the project's ``id`` setting.
        """
        wanted = self._hooks.stagekit_build_id(
            scheme=scheme, ci=ci, source=source, now=now, taken=taken
        )
        if not wanted:
            raise InputError(
                f"no plugin names builds by {scheme!r}",
                where="pyproject.toml [tool.stagekit] id",
                hint="auto, timestamp, commit and counter ship",
            )
        return wanted

    def built(self, build: Stored[Build], environ: Mapping[str, str]) -> None:
        """Tell every plugin of a build that went well."""
        self._hooks.stagekit_built(build=build, environ=environ)

    def builder(self, wanted: str, engine: Engine, environ: Mapping[str, str]) -> Builder:
        """Return the builder a project's ``builder`` setting asks for.

        Raises:
            InputError: there is none of that name here.
        """
        # A hook that is no firstresult returns a list, which its declared type cannot say.
        offered = cast(
            "list[Builder]",
            cast(object, self._hooks.stagekit_builder(engine=engine, environ=environ)),
        )
        for builder in offered:
            if wanted in ("auto", builder.name):
                return builder
        raise InputError(
            f"no builder {wanted!r} here",
            where="pyproject.toml [tool.stagekit] builder",
            hint=f"there are: {', '.join(['auto', *(item.name for item in offered)])}",
        )

    def runner(self, kind: str, engine: Engine, environ: Mapping[str, str]) -> Runner:
        """Return the runner an environment's ``engine`` setting asks for.

        Raises:
            InputError: no plugin offers it.
        """
        runner = self._hooks.stagekit_runner(kind=kind, engine=engine, environ=environ)
        if runner is None:
            raise InputError(
                f"no runner for engine {kind!r}",
                where="config.toml [stagekit] engine",
                hint='set engine = "compose", or load the plugin that brings it',
            )
        return runner

    def secret_provider(self, name: str, environ: Mapping[str, str]) -> SecretProvider:
        """Return the provider an environment's ``secret_provider`` setting asks for.

        Raises:
            InputError: no plugin offers it.
        """
        provider = self._hooks.stagekit_secret_provider(name=name, environ=environ)
        if provider is None:
            raise InputError(
                f"no secret provider {name!r}",
                where="config.toml [stagekit] secret_provider",
                hint='set secret_provider = "environment", or load the plugin that brings it',
            )
        return provider
