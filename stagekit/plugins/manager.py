"""Registers plugins and asks them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from inspect import unwrap
from itertools import chain, count
from pathlib import Path
from time import monotonic
from traceback import walk_tb
from types import FunctionType, ModuleType
from typing import Any, Literal, NamedTuple, cast

import pluggy

from stagekit.errors import InputError, PluginFailed, StagekitError
from stagekit.plugins import spec
from stagekit.plugins.found import Found
from stagekit.protocols import Builder, Engine, Ledger, Runner, SecretProvider
from stagekit.records import CI, Source

_SLOW = 10.0
"""Seconds after which it is said who keeps everybody waiting: a plugin cannot be stopped."""


class Listed(NamedTuple):
    """A plugin as it is listed: what was found, and the hooks that it implements."""

    found: Found
    hooks: tuple[str, ...]


class _Manager(pluggy.PluginManager):
    """Finds hooks in modules by a look, where pluggy inspects whatever a module imported as well:
    that took a tenth of a command that has nothing to do."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        if isinstance(plugin, ModuleType) and not isinstance(vars(plugin).get(name), FunctionType):
            return None
        return super().parse_hookimpl_opts(plugin, name)


class Plugins:
    """The plugins of one project, and the questions stages ask them.

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
        self._manager = _Manager(spec.PROJECT)
        self._manager.add_hookspecs(spec.Hooks)
        self._found: dict[str, Found] = {}
        self._warn = warn
        for item in found:
            if item.name not in disabled or item.ships:
                self._register(item)

    def _register(self, item: Found) -> None:
        plugin = item.load()
        wanted = getattr(plugin, "stagekit_hooks", spec.VERSION)
        if not isinstance(wanted, int) or wanted > spec.VERSION:
            raise PluginFailed(
                f"plugin {item.name} is made for hooks {wanted} of a newer stagekit, and this one "
                f"has {spec.VERSION}",
                where=item.origin,
                hint="pip install --upgrade stagekit, or an older version of the plugin",
            )
        name = item.name
        if name in self._found:
            name = next(f"{name}-{n}" for n in count(2) if f"{name}-{n}" not in self._found)
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginFailed(
                f"plugin {item.name}: {error}",
                where=item.origin,
                hint="inv plugins --hooks lists the hooks there are",
            ) from error
        self._found[name] = item

    def listed(self) -> Iterator[Listed]:
        """Yield every plugin with the hooks that it implements."""
        for name, item in self._found.items():
            callers = self._manager.get_hookcallers(self._manager.get_plugin(name)) or []
            yield Listed(item, tuple(sorted(caller.name for caller in callers)))

    def _each(self, hook: str) -> Iterator[tuple[str, pluggy.HookCaller]]:
        """Yield the plugins that implement a hook, in the order of their registration, each with a
        caller of it alone."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        for impl in caller.get_hookimpls():
            others = [name for name in self._found if name != impl.plugin_name]
            alone = self._manager.subset_hook_caller(
                hook, [self._manager.get_plugin(name) for name in others]
            )
            yield impl.plugin_name, alone

    def _ask(self, hook: str, **facts: Any) -> Any:
        return self._call(getattr(self._manager.hook, hook), facts)

    def _call(self, caller: pluggy.HookCaller, facts: Mapping[str, Any]) -> Any:
        """Call a hook. What a plugin raises becomes an error that names it; its own
        `StagekitError` stays what it is."""
        hook, begun = caller.name, monotonic()
        try:
            return caller(**facts)
        except StagekitError as error:
            error.where = error.where or f"plugin {_culprit(caller, error)}"
            raise
        except Exception as error:
            name = _culprit(caller, error)
            raise PluginFailed(
                f"plugin {name} failed in {hook}: {type(error).__name__}: {error}",
                where=self._found[name].origin if name in self._found else None,
                hint=f'mend it, or plugins.disable = ["{name}"] in pyproject.toml [tool.stagekit]',
            ) from error
        finally:
            if monotonic() - begun > _SLOW:
                who = ", ".join(impl.plugin_name for impl in caller.get_hookimpls())
                self._warn(f"{hook} took {monotonic() - begun:.0f} s (asked: {who})")

    def ci(self, environ: Mapping[str, str]) -> CI | None:
        """Return the CI this process runs under, or None."""
        return cast("CI | None", self._ask("stagekit_ci", environ=environ))

    def build_id(
        self, scheme: str, *, ci: CI | None, source: Source, now: datetime, taken: Sequence[str]
    ) -> str:
        """Return the id the next build should have.

        Raises:
            InputError: no plugin knows the project's ``id`` setting.
        """
        wanted: str | None = self._ask(
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
            wanted: str | None = self._ask(
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
        offered: list[Builder] = self._ask("stagekit_builder", engine=engine, environ=environ)
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
        runner: Runner | None = self._ask(
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
        provider: SecretProvider | None = self._ask(
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
        ledger: Ledger | None = self._ask("stagekit_ledger", url=url, **facts)
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
        for name, alone in self._each("stagekit_variables"):
            for layer in self._call(alone, {"root": root, "env": env, "environ": environ}):
                if not isinstance(layer, dict):
                    raise PluginFailed(
                        f"plugin {name}: stagekit_variables gives no dict",
                        hint="as [vars] would be read: {'web': {'port': 8080}}",
                    )
                yield name, layer

    def template_parts(self, kind: Literal["filters", "tests", "globals"]) -> dict[str, Any]:
        """Return what plugins add to templates, by name; a later plugin's wins."""
        parts: dict[str, Any] = {}
        for given in reversed(self._ask(f"stagekit_template_{kind}")):
            parts |= given
        return parts

    def tell(self, hook: str, **facts: Any) -> None:
        """Tell plugins of something.

        Raises:
            PluginFailed: one raised something; names it.
        """
        self._ask(hook, **facts)

    def tell_all(self, hook: str, **facts: Any) -> tuple[StagekitError, ...]:
        """Tell plugins of what is done already: one that raises keeps no other from hearing of it.
        Return what was raised."""
        failed = []
        for _, alone in reversed(list(self._each(hook))):
            try:
                self._call(alone, facts)
            except StagekitError as error:
                failed.append(error)
        return tuple(failed)

    def gathered(self, hook: str, **facts: Any) -> list[Any]:
        """Return what plugins give, in one list."""
        return [item for given in self._ask(hook, **facts) or () for item in given or ()]


def _culprit(caller: pluggy.HookCaller, error: BaseException) -> str:
    """Return the plugin whose code an error came through; of several, the innermost."""
    frames = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    found = [
        (frames.index(code), impl.plugin_name)
        for impl in caller.get_hookimpls()
        if (code := getattr(unwrap(impl.function), "__code__", None)) in frames
    ]
    return max(found)[1] if found else "?"
