"""The questions that stages ask plugins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal, cast

from stagekit.errors import InputError, PluginFailed, StagekitError
from stagekit.plugins.found import Found
from stagekit.plugins.registered import Listed, Registered
from stagekit.protocols import Builder, Engine, Ledger, Runner, SecretProvider
from stagekit.records import CI, Source


class Plugins:
    """The plugins of one project, and what each question of a stage gets from them.

    Args:
        found: of two that can answer, the later one does.
        disabled: names of those that are not asked.
        warn: told of what slows everything down.

    Raises:
        PluginFailed: one cannot be loaded, asks for hooks of a newer stagekit, or implements what
            is no hook; names it.
    """

    def __init__(
        self,
        found: Iterable[Found],
        *,
        disabled: Collection[str] = (),
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._registered = Registered(found, disabled=disabled, warn=warn)

    def listed(self) -> Iterator[Listed]:
        """Yield every plugin with the hooks that it implements."""
        return self._registered.listed()

    def ci(self, environ: Mapping[str, str]) -> CI | None:
        """Return the CI this process runs under, or None."""
        return cast("CI | None", self._registered.ask("stagekit_ci", environ=environ))

    def build_id(
        self, scheme: str, *, ci: CI | None, source: Source, now: datetime, taken: Sequence[str]
    ) -> str:
        """Return the id the next build should have.

        Raises:
            InputError: no plugin knows the project's ``id`` setting.
        """
        wanted: str | None = self._registered.ask(
            "stagekit_build_id", scheme=scheme, ci=ci, source=source, now=now, taken=taken
        )
        if not wanted:
            raise InputError(
                f"no plugin names builds by {scheme!r}",
                where="pyproject.toml [tool.stagekit] id",
                hint="auto, timestamp, commit and counter ship",
            )
        return wanted

    def release_ids(
        self, scheme: str, *, ci: CI | None, now: datetime, taken: Sequence[str]
    ) -> Iterator[str]:
        """Yield the ids the next release may have, the best first.

        Raises:
            InputError: no plugin knows the environment's ``id`` setting.
        """
        tried = list(taken)
        while True:
            wanted: str | None = self._registered.ask(
                "stagekit_release_id", scheme=scheme, ci=ci, now=now, taken=tried
            )
            if not wanted:
                raise InputError(
                    f"no plugin names releases by {scheme!r}",
                    where="config.toml [stagekit] id",
                    hint="counter, timestamp and ci ship",
                )
            known = set(tried)
            again = (f"{wanted}-{number}" for number in count(2))
            tried.append(next(id for id in chain([wanted], again) if id not in known))
            yield tried[-1]

    def builder(self, wanted: str, engine: Engine, environ: Mapping[str, str]) -> Builder:
        """Return the builder a project's ``builder`` setting asks for.

        Raises:
            InputError: there is none of that name here.
        """
        offered: list[Builder] = self._registered.ask(
            "stagekit_builder", engine=engine, environ=environ
        )
        for builder in offered:
            if wanted in ("auto", builder.name):
                return builder
        raise InputError(
            f"no builder {wanted!r} here",
            where="pyproject.toml [tool.stagekit] builder",
            hint=f"there are: {', '.join(['auto', *(item.name for item in offered)])}; "
            "inv doctor says what another one lacks",
        )

    def runner(self, kind: str, engine: Engine, environ: Mapping[str, str]) -> Runner:
        """Return the runner an environment's ``engine`` setting asks for.

        Raises:
            InputError: no plugin offers it.
        """
        runner: Runner | None = self._registered.ask(
            "stagekit_runner", kind=kind, engine=engine, environ=environ
        )
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
        provider: SecretProvider | None = self._registered.ask(
            "stagekit_secret_provider", name=name, environ=environ
        )
        if provider is None:
            raise InputError(
                f"no secret provider {name!r}",
                where="config.toml [stagekit] secret_provider",
                hint="age, sops and env ship; another one needs the plugin that brings it",
            )
        return provider

    def ledger(self, url: str, **facts: Any) -> Ledger:
        """Return the ledger that a project's ``ledger.url`` setting names.

        Args:
            url: as it was set.
            facts: what else ``stagekit_ledger`` takes.

        Raises:
            InputError: no plugin offers it.
        """
        ledger: Ledger | None = self._registered.ask("stagekit_ledger", url=url, **facts)
        if ledger is None:
            raise InputError(
                f"no ledger {url!r}",
                where="pyproject.toml [tool.stagekit.ledger] url",
                hint="git+ssh://git@host/team/ledger.git#branch, or load the plugin that brings it",
            )
        return ledger

    def variables(
        self, root: Path, env: str, environ: Mapping[str, str]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each plugin's layer of an environment's variables, the weakest first, with the
        plugin's name.

        Raises:
            PluginFailed: one is no table.
        """
        for name, alone in self._registered.each("stagekit_variables"):
            for layer in self._registered.call(
                alone, {"root": root, "env": env, "environ": environ}
            ):
                if not isinstance(layer, dict):
                    raise PluginFailed(
                        f"plugin {name}: stagekit_variables gives no dict",
                        hint="as [vars] would be read: {'web': {'port': 8080}}",
                    )
                yield name, layer

    def template_parts(self, kind: Literal["filters", "tests", "globals"]) -> dict[str, Any]:
        """Return what plugins add to templates, by name; a later plugin's wins."""
        parts: dict[str, Any] = {}
        for given in reversed(self._registered.ask(f"stagekit_template_{kind}")):
            parts |= given
        return parts

    def tell(self, hook: str, **facts: Any) -> None:
        """Tell plugins of something.

        Raises:
            PluginFailed: one raised something; names it.
        """
        self._registered.ask(hook, **facts)

    def tell_all(self, hook: str, **facts: Any) -> tuple[StagekitError, ...]:
        """Tell plugins of what is done already: one that raises keeps no other from hearing of it.
        Return what was raised."""
        failed = []
        for _, alone in reversed(list(self._registered.each(hook))):
            try:
                self._registered.call(alone, facts)
            except StagekitError as error:
                failed.append(error)
        return tuple(failed)

    def gathered(self, hook: str, **facts: Any) -> list[Any]:
        """Return what plugins give, in one list."""
        return [item for given in self._registered.ask(hook, **facts) or () for item in given or ()]
