"""Registers plugins, and calls their hooks: what one raises becomes an error that names it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from inspect import unwrap
from itertools import count
from time import monotonic
from traceback import walk_tb
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import pluggy

from stagekit.errors import PluginFailed, StagekitError
from stagekit.plugins import spec
from stagekit.plugins.found import Found

_SLOW = 10.0
"""Seconds after which it is said who keeps everybody waiting: a plugin cannot be stopped."""


class Listed(NamedTuple):
    """A plugin as it is listed: what was found, and the hooks that it implements."""

    found: Found
    hooks: tuple[str, ...]


class _Manager(pluggy.PluginManager):
    """Finds hooks by a look, where pluggy inspects whatever a module imported, and all that every
    object has, as well: that took a tenth of a command that has nothing to do."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        if name.startswith("__"):
            return None
        if isinstance(plugin, ModuleType) and not isinstance(vars(plugin).get(name), FunctionType):
            return None
        return super().parse_hookimpl_opts(plugin, name)


class Registered:
    """The plugins of one project, loaded, and what they implement: takes and raises what
    `stagekit.plugins.manager.Plugins` does."""

    def __init__(
        self,
        found: Iterable[Found],
        *,
        disabled: Collection[str],
        warn: Callable[[str], None],
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

    def each(self, hook: str) -> Iterator[tuple[str, pluggy.HookCaller]]:
        """Yield the plugins that implement a hook, in the order of their registration, each with a
        caller of it alone."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        for impl in caller.get_hookimpls():
            others = [name for name in self._found if name != impl.plugin_name]
            alone = self._manager.subset_hook_caller(
                hook, [self._manager.get_plugin(name) for name in others]
            )
            yield impl.plugin_name, alone

    def ask(self, hook: str, **facts: Any) -> Any:
        """Call a hook: of all plugins that implement it, or until one answers, as its kind is."""
        return self.call(getattr(self._manager.hook, hook), facts)

    def call(self, caller: pluggy.HookCaller, facts: Mapping[str, Any]) -> Any:
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
            found = self._found.get(name)
            disabled = found.name if found else name  # two of one name are left out by it
            raise PluginFailed(
                f"plugin {name} failed in {hook}: {type(error).__name__}: {error}",
                where=found.origin if found else None,
                hint=f'mend it, or plugins.disable = ["{disabled}"] in pyproject.toml '
                "[tool.stagekit]",
            ) from error
        finally:
            if monotonic() - begun > _SLOW:
                who = ", ".join(impl.plugin_name for impl in caller.get_hookimpls())
                self._warn(f"{hook} took {monotonic() - begun:.0f} s (asked: {who})")


def _culprit(caller: pluggy.HookCaller, error: BaseException) -> str:
    """Return the plugin whose code an error came through; of several, the innermost."""
    frames = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    found = [
        (frames.index(code), impl.plugin_name)
        for impl in caller.get_hookimpls()
        if (code := getattr(unwrap(impl.function), "__code__", None)) in frames
    ]
    return max(found)[1] if found else "?"
