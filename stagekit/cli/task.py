"""Our Task class, and the one error boundary.

What Invoke does not do and this does: short flags by hand (automatic ones shift their meaning when
an option is added), numbers parsed with an error instead of a traceback, and two tasks told apart
by what they are and not by their bytecode.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from stagekit.cli.app import App
from stagekit.errors import Bug, Cancelled, InputError, StagekitError

_DIGITS = 9

ENV = "the environment, a folder of environments/"
PLAN = "say what would be done, and stop"
JSON = "print it as JSON"
INSTALL = "consent to install docker.io where dockerd is missing"


class StageTask(Task):  # type: ignore[type-arg]  # Invoke's own annotation has no parameter at run time
    """A shipped task. Its body takes an `App` where a plain one takes Invoke's context.

    Args:
        body: the function.
        short: option → its one-letter flag.
        numbers: options that are whole numbers.
        settings: what Invoke's Task takes.
    """

    app: App

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        short: Mapping[str, str] | None = None,
        numbers: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__(body, auto_shortflags=False, **settings)
        self._short = dict(short or {})
        self._numbers = tuple(numbers)

    def bound(self, app: App) -> StageTask:
        """Return a task of the same body that belongs to ``app``."""
        twin = copy.copy(self)
        twin.help = dict(self.help)  # Invoke empties it while it reads the arguments
        twin.app = app
        return twin

    def __deepcopy__(self, memo: object) -> StageTask:
        return self.bound(self.app)  # Invoke copies tasks to load them; an App is not to be copied

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        arguments: list[Argument] = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            if argument.name in self._numbers:
                argument.kind = str  # Invoke's own reading of a number is a traceback
            if letter := self._short.get(argument.attr_name or argument.names[0]):
                argument.names = (*argument.names, letter)
        return arguments

    def __call__(self, _context: Context, *args: Any, **kwargs: Any) -> Any:
        return bounded(self.app, lambda: self.body(self.app, *args, **self._parsed(kwargs)))

    def _parsed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        parsed = dict(given)
        for name in self._numbers:
            if isinstance(text := parsed.get(name), str):
                if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
                    raise InputError(f"{text!r} is not a whole number", where=f"--{name}")
                parsed[name] = int(text)
        return parsed


def stage_task(**settings: Any) -> Callable[[Callable[..., Any]], StageTask]:
    """Make a shipped task of a function; takes what `StageTask` takes."""
    return lambda body: StageTask(body, **settings)


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
        raise _ended(app, error, error) from error
    except BrokenPipeError:  # whoever reads our output has enough of it
        app.console.unheard()
        raise Exit(code=0) from None
    except KeyboardInterrupt as error:
        stopped = Cancelled(
            "stopped at once", hint="the next command goes on from what is recorded"
        )
        raise _ended(app, stopped, error) from error
    except Exception as error:
        bug = Bug(
            f"stagekit failed on something it did not expect: {type(error).__name__}: {error}",
            hint="STAGEKIT_DEBUG=1 shows where; please report it",
        )
        raise _ended(app, bug, error) from error
    finally:
        app.console.close()


def _ended(app: App, error: StagekitError, cause: BaseException) -> BaseException:
    if os.environ.get("STAGEKIT_DEBUG"):
        return cause
    app.console.error(error)
    return Exit(code=error.exit_code)
