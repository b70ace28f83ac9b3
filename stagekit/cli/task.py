"""Our Task class, and the one error boundary.

What Invoke does not do and this does: short flags by hand (automatic ones shift their meaning when
an option is added), numbers parsed with an error instead of a traceback, a flag in a positional's
place, and two tasks told apart by what they are and not by their bytecode.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from stagekit.cli.app import App, remember
from stagekit.errors import Bug, Cancelled, InputError, StagekitError

_DIGITS = 9

ENV = "the environment, a folder of environments/"
PLAN = "say what would be done, and stop"
JSON = "print it as JSON"
WAIT_LOCK = "seconds to wait where another run holds the environment (default 0)"
INSTALL = "consent to install docker.io where dockerd is missing"

Kind = Literal[
    "environment",
    "layer",
    "release",
    "side",
    "id",
    "run",
    "build",
    "any build",
    "service",
    "services",
    "host",
    "numbers",
    "secret",
    "recipient",
    "variable",
    "setting",
    "file",
    "folder",
    "task",
    "group",
]
"""What an argument's value is, so that a shell can complete it: `stagekit.cli.values`."""

Values = Kind | tuple[str, ...]
"""What an argument's value is; or all the values that it can have."""

USUAL: Mapping[str, Kind] = {
    "env": "environment",
    "release": "id",
    "build": "build",
    "service": "service",
    "host": "host",
}
"""What the arguments of these names are, unless a task says otherwise. Not ``--confirm``: the point
of that is to type it."""


_HELP = ("--help", "-h")


class InsteadOf(Argument):
    """A flag that may be given instead of a positional: Invoke itself has no optional ones."""

    def __init__(self, positional: Argument, flag: Argument) -> None:
        super().__init__(names=flag.names, kind=bool, default=False, help=flag.help)
        self._positional = positional

    def set_value(self, value: Any, cast: bool = True) -> None:
        super().set_value(value, cast)
        if self._positional.value is None:
            self._positional.set_value("", cast=False)


class LastingHelp(Task):  # type: ignore[type-arg]  # Invoke's own annotation has no parameter at run time
    """A task that tells what its arguments are as often as it is asked."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        kept, self.help = self.help, dict(self.help)  # Invoke empties it while it reads them
        arguments: list[Argument] = super().get_arguments(ignore_unknown_help)
        self.help = kept
        return arguments


class StageTask(LastingHelp):
    """A shipped task. Its body takes an `App` where a plain one takes Invoke's context.

    Args:
        body: the function.
        short: option → its one-letter flag.
        numbers: options that are whole numbers.
        instead: flag → the positional that need not be given with it, and is empty then.
        values: argument → what its values are, for a shell to complete; `USUAL` ones are known.
        settings: what Invoke's Task takes.
    """

    app: App

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        short: Mapping[str, str] | None = None,
        numbers: Sequence[str] = (),
        instead: Mapping[str, str] | None = None,
        values: Mapping[str, Values] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(body, auto_shortflags=False, **settings)
        self.values: Mapping[str, Values] = {**USUAL, **(values or {})}
        self._short = dict(short or {})
        self._numbers = tuple(numbers)
        self._instead = dict(instead or {})

    def bound(self, app: App) -> StageTask:
        """Return a task of the same body that belongs to ``app``."""
        twin = copy.copy(self)
        twin.app = app
        return twin

    def __deepcopy__(self, memo: object) -> StageTask:
        return self.bound(self.app)  # Invoke copies tasks to load them; an App is not to be copied

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        arguments = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            if argument.name in self._numbers:
                argument.kind = str  # Invoke's own reading of a number is a traceback
            if letter := self._short.get(argument.attr_name or argument.names[0]):
                argument.names = (*argument.names, letter)
        named = {argument.name: argument for argument in arguments}
        for flag, positional in self._instead.items():
            named[flag] = InsteadOf(named[positional], named[flag])
        return [named[argument.name] for argument in arguments]

    def __call__(self, context: Context, *args: Any, **kwargs: Any) -> Any:
        self.app.context = context
        remember(self.app)
        return bounded(self.app, lambda: self.body(self.app, *args, **self._parsed(kwargs)))

    def _parsed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        parsed = dict(given)
        if asked := next((text for text in _HELP if text in parsed.values()), None):
            raise InputError(
                f"{asked} was taken for what the task needs: it goes before the task",
                hint=f"inv --help {self._typed()}",
            )
        for name in self._numbers:
            if isinstance(text := parsed.get(name), str):
                if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
                    raise InputError(f"{text!r} is not a whole number", where=f"--{name}")
                parsed[name] = int(text)
        return parsed

    def _typed(self) -> str:
        """Return the task's name as it was typed."""
        return next((word for word in sys.argv if word.endswith(self.name)), "TASK")


def stage_task(**settings: Any) -> Callable[[Callable[..., Any]], StageTask]:
    """Make a shipped task of a function; takes what `StageTask` takes."""
    return lambda body: StageTask(body, **settings)


def listed(text: str) -> tuple[str, ...]:
    """Return what was typed with commas between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def words_after_dashes() -> tuple[str, ...]:
    """Return what was typed after ``--``, word by word: Invoke hands it on as one text."""
    return tuple(sys.argv[sys.argv.index("--") + 1 :]) if "--" in sys.argv else ()


def bounded(app: App, work: Callable[[], Any]) -> Any:
    """Do ``work``; whatever goes wrong becomes one line and an exit code.

    ``STAGEKIT_DEBUG=1`` lets the traceback through.
    """
    try:
        with app.cancelling():
            return work()
    except Exit:
        raise
    except StagekitError as error:
        raise ended(app, error, error) from error
    except BrokenPipeError:  # whoever reads our output has enough of it
        app.console.unheard()
        raise Exit(code=0) from None
    except KeyboardInterrupt as error:
        stopped = Cancelled(
            "stopped at once", hint="the next command goes on from what is recorded"
        )
        raise ended(app, stopped, error) from error
    except OSError as error:
        raise ended(app, _of_system(error), error) from error
    except Exception as error:
        raise ended(app, _unexpected(error), error) from error
    finally:
        app.close()


def _of_system(error: OSError) -> StagekitError:
    from stagekit.durable import refusal

    return refusal(error) or _unexpected(error)


def _unexpected(error: Exception) -> Bug:
    return Bug(
        f"stagekit failed on something it did not expect: {type(error).__name__}: {error}",
        hint="STAGEKIT_DEBUG=1 shows where; please report it",
    )


def ended(app: App, error: StagekitError, cause: BaseException) -> BaseException:
    """Print an error; return what to raise instead of it: its exit code, or its ``cause`` where
    the traceback is wanted."""
    if os.environ.get("STAGEKIT_DEBUG"):
        return cause
    app.console.error(error)
    return Exit(code=error.exit_code)
