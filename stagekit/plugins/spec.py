"""The hooks by which stagekit's choices are made. What stagekit ships is registered here too.

A plugin implements any of them under ``@stagekit.hookimpl``; arguments it does not need may be
left out. Plugins are asked before what is shipped, the last registered first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

import pluggy

from stagekit.protocols import Builder, Engine, Runner, SecretProvider
from stagekit.records import CI, Build, Source, Stored

PROJECT = "stagekit"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """Each hook's name, arguments and result."""

    @hookspec(firstresult=True)
    def stagekit_ci(self, environ: Mapping[str, str]) -> CI | None:
        """Recognise the CI this process runs under by its documented variables."""

    @hookspec(firstresult=True)
    def stagekit_build_id(
        self, scheme: str, ci: CI | None, source: Source, now: datetime, taken: Sequence[str]
    ) -> str | None:
        """Name the next build by the project's ``id`` setting; ``taken`` are the ids there are.
        It becomes an image tag: other characters are replaced by ``-``."""

    @hookspec
    def stagekit_built(self, build: Stored[Build], environ: Mapping[str, str]) -> None:
        """Hear of a build that went well, once its record is written."""

    @hookspec
    def stagekit_builder(self, engine: Engine, environ: Mapping[str, str]) -> Builder | None:
        """Offer a builder, or nothing where it cannot work on this machine. The project's
        ``builder`` setting chooses one by name; ``auto`` takes the first offered."""

    @hookspec(firstresult=True)
    def stagekit_runner(
        self, kind: str, engine: Engine, environ: Mapping[str, str]
    ) -> Runner | None:
        """Offer the runner for an environment's ``engine`` setting (``compose``)."""

    @hookspec(firstresult=True)
    def stagekit_secret_provider(
        self, name: str, environ: Mapping[str, str]
    ) -> SecretProvider | None:
        """Offer the provider for an environment's ``secret_provider`` setting (``environment``)."""


def relay(manager: pluggy.PluginManager) -> Hooks:
    """Return the manager's hook caller, typed: calls are by keyword."""
    return cast(Hooks, manager.hook)
