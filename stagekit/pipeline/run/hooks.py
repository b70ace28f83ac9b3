"""What people hang on the steps of a run: commands of ``[stagekit.hooks]``, and plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.errors import Cancelled, LeaseLost, RunFailed, StagekitError
from stagekit.events import Emit, Output, step
from stagekit.records import RUN_STEPS

_LIMIT = 300.0
_STEPS_BEFORE = {f"before_{step}": step for step in RUN_STEPS}
_STEPS_AFTER = {f"after_{step}": step for step in RUN_STEPS}


class Listeners(Protocol):
    """Plugins, as a run speaks to them (`stagekit.plugins.manager.Plugins`)."""

    def tell(self, hook: str, **facts: Any) -> None:
        """Tell them of something. Raises PluginFailed where one raises something."""
        ...

    def tell_all(self, hook: str, **facts: Any) -> tuple[StagekitError, ...]:
        """Tell them of what is done already; return what they raised."""
        ...

    def gathered(self, hook: str, **facts: Any) -> list[Any]:
        """Return what they give, in one list."""
        ...


class Nobody:
    """No plugins."""

    def tell(self, hook: str, **facts: Any) -> None: ...

    def tell_all(self, hook: str, **facts: Any) -> tuple[StagekitError, ...]:  # noqa: ARG002
        return ()

    def gathered(self, hook: str, **facts: Any) -> list[Any]:  # noqa: ARG002  # asks nobody
        return []


@dataclass(frozen=True)
class Hooks:
    """Runs an environment's hooks, and tells plugins.

    Attributes:
        commands: a command's words by moment, as `stagekit.records.HOOK_MOMENTS` names them.
        environ: what they see besides the facts.
        folder: where they run.
        plugins: are told after them.
    """

    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    plugins: Listeners = field(default_factory=Nobody)

    def before(self, moment: str, facts: Mapping[str, str], *, emit: Emit, cancel: Cancel) -> None:
        """Run what stands before a step, and tell plugins.

        Raises:
            RunFailed: it failed, and with it the step, which is not begun.
        """
        self._run_before(moment, facts, emit, cancel)
        if moment in _STEPS_BEFORE:
            try:
                self.plugins.tell("stagekit_before_step", step=_STEPS_BEFORE[moment], facts=facts)
            except StagekitError as error:
                raise RunFailed(
                    error.what, where=error.where, hint=error.hint, output=error.output
                ) from error

    def _run_before(
        self, moment: str, facts: Mapping[str, str], emit: Emit, cancel: Cancel
    ) -> None:
        try:
            self._run(moment, facts, emit, cancel)
        except (Cancelled, LeaseLost):
            raise
        except StagekitError as error:
            raise RunFailed(
                f"the hook {moment} failed: {error.what}",
                where=error.where,
                hint=f"mend it, or take it out of [stagekit.hooks] {moment} and release",
                output=error.output,
            ) from error

    def after(
        self, moment: str, facts: Mapping[str, str], *, emit: Emit, cancel: Cancel
    ) -> str | None:
        """Run what stands after a step; return what went wrong, which stops nothing any more."""
        try:
            self._run(moment, facts, emit, cancel)
        except (Cancelled, LeaseLost):
            raise
        except StagekitError as error:
            where = f"{error.where}: " if error.where else ""
            return f"the hook {moment} failed: {error.in_a_line.removeprefix(where)}"
        if moment in _STEPS_AFTER:
            step = _STEPS_AFTER[moment]
            failed = self.plugins.tell_all("stagekit_after_step", step=step, facts=facts)
            return "; ".join(error.in_a_line for error in failed) or None
        return None

    def _run(self, moment: str, facts: Mapping[str, str], emit: Emit, cancel: Cancel) -> None:
        argv = self.commands.get(moment)
        if not argv:
            return
        given = {
            f"STAGEKIT_{name.upper()}": value.replace("\0", "") for name, value in facts.items()
        }
        with step(emit, "hook", moment):
            result = process.run(
                tuple(argv),
                env={**self.environ, "STAGEKIT_MOMENT": moment, **given},
                cwd=self.folder,
                limit=_LIMIT,
                cancel=cancel,
                on_line=lambda line: emit(Output("hook", moment, line)),
            )
            if not result.ok:
                raise RunFailed(f"{argv[0]} ended with {result.code}", output=result.tail())
