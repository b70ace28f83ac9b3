"""``@stagekit.task``: a repository's own task, done again only where something changed."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invoke.context import Context
from invoke.parser.argument import Argument
from invoke.tasks import Task
from invoke.tasks import task as invoke_task

from stagekit.cli.app import App, remember
from stagekit.cli.task import LastingHelp, ended
from stagekit.errors import StagekitError
from stagekit.inputs.loaded import keep_below, keep_of, note_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stagekit.cancel import Cancel
    from stagekit.events import Emit
    from stagekit.pipeline.once import Declared, Verdict

Need = str | Task  # type: ignore[type-arg]  # Invoke's own annotation has no parameter at run time


class _Home:
    """What all copies of one task share: Invoke copies tasks to load them."""

    app: App | None = None


class OwnTask(LastingHelp):
    """A repository's own task. Its body takes Invoke's context, as any task's does.

    Args:
        body: the function.
        inputs: patterns of the files it reads.
        outputs: patterns of the files it makes.
        needs: tasks to be done before it, by name or as they are.
        settings: what Invoke's Task takes.

    Raises:
        ValueError: the function has a parameter ``force``, which is the flag's name.
    """

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        inputs: str | Sequence[str] = (),
        outputs: str | Sequence[str] = (),
        needs: Need | Sequence[Need] = (),
        **settings: Any,
    ) -> None:
        super().__init__(body, **settings)
        self.inputs = _several(inputs)
        self.outputs = _several(outputs)
        self.needs = _several(needs)
        self._home = _Home()
        keep_of(body)
        if "force" in self.argspec(body).parameters:
            raise ValueError(
                f"task {self.name!r} of {self.__module__} has a parameter force, which is a flag "
                "that @stagekit.task adds: rename yours"
            )

    def bound(self, app: App) -> OwnTask:
        """Let this task, and every copy of it, belong to ``app``."""
        self._home.app = app
        return self

    def __deepcopy__(self, memo: object) -> OwnTask:
        return copy.copy(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnTask) and other._home is self._home

    def __hash__(self) -> int:
        return id(self._home)

    @property
    def app(self) -> App:
        """The repository's; that of the function's folder for a task outside of any collection."""
        if self._home.app is None:
            file = Path(inspect.getfile(self.body)).absolute()
            self._home.app = App(file.resolve().parent)
            keep_below(file.resolve().parent, file.parent)
        return self._home.app

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        force = Argument(
            name="force", kind=bool, default=False, help="do it though nothing changed"
        )
        return [*super().get_arguments(ignore_unknown_help), force]

    def __call__(self, context: Context, *args: Any, force: bool = False, **kwargs: Any) -> Any:
        app = self.app
        app.context = context
        remember(app)
        with _reported(app):
            if self.needs:
                from stagekit.cli.needed import Needed

                Needed.of_task(app, self).do()
            from stagekit.cli.voices import speaking

            voice = speaking()
            return self.do(
                context,
                args,
                kwargs,
                force=force,
                emit=voice.emit if voice else app.console.emit,
                cancel=voice.cancel if voice else app.cancel,
            )

    def do(
        self,
        context: Context,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        *,
        force: bool,
        emit: Emit,
        cancel: Cancel,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Any:
        """Call the body, in a context of ``around``, unless the task is done; without what it
        needs.

        Raises:
            InputError, LedgerError, Cancelled: and whatever the body raises.
        """
        from stagekit.pipeline.once import do

        def work() -> Any:
            note_values()
            self.times_called += 1
            with around():
                return self.body(context, *args, **kwargs)

        settings = self._settings(context, args, kwargs)
        return do(self._declared(), settings, work, force=force, emit=emit, cancel=cancel)

    def verdict(self) -> Verdict:
        """Say what would make the task run, called with no arguments.

        Raises:
            InputError: there is nothing for a pattern of its inputs, or a file cannot be read.
        """
        from stagekit.pipeline.once import decide

        parameters = self.argspec(self.body).parameters.values()
        unknown = [item.name for item in parameters if item.default is inspect.Parameter.empty]
        given = dict.fromkeys(unknown)
        settings = self._settings(Context(), (), given)
        asked = {f"argument {name}" for name in unknown}
        known = {name: said for name, said in settings.items() if name not in asked}
        return decide(self._declared(), known, unknown=frozenset(asked))

    def _declared(self) -> Declared:
        from stagekit.cli.names import name_of
        from stagekit.pipeline.once import Declared

        return Declared(
            name=name_of(self.app, self),
            root=self.app.root,
            inputs=cast("tuple[str, ...]", self.inputs),
            outputs=cast("tuple[str, ...]", self.outputs),
        )

    def _settings(
        self, context: Context, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> dict[str, str]:
        """Return the digests of the task's code and of each argument, under names that a reason
        can be told with. Digests, for an argument may be a secret."""
        from stagekit import digest
        from stagekit.inputs.code import code_of

        bound = inspect.signature(self.body).bind(context, *args, **kwargs)
        bound.apply_defaults()
        _, *arguments = bound.arguments.items()
        said = {
            f"argument {name}": digest.of_bytes(
                repr(value or [] if name in self.iterable else value).encode("utf-8", "replace")
            )
            for name, value in arguments
        }
        return said | code_of(self.body, self.app.root)


def task(*args: Any, **settings: Any) -> Any:
    """Make a task of a function, which is skipped while nothing that it is made of changed.

    As ``invoke.task``, and takes all that this takes; further:

    Args:
        args: tasks to run before it each time, as ``invoke.task`` has them.
        settings: ``inputs``, patterns of the files it reads; ``outputs``, patterns of the files it
            makes; ``needs``, tasks to be done before it; and what ``invoke.task`` takes.
    """
    return invoke_task(*args, klass=OwnTask, **settings)


def _several(given: object) -> tuple[Any, ...]:
    """Take one for a list of one: a text is a list of letters otherwise."""
    if isinstance(given, str | Task):
        return (given,)
    return tuple(cast("Iterable[Any]", given))


@contextmanager
def _reported(app: App) -> Iterator[None]:
    """Turn an error of stagekit's into its lines and its exit code. What a body raises is its
    own, and signals are Python's: a body is no stage that looks at a token between steps."""
    try:
        yield
    except StagekitError as error:
        raise ended(app, error, error) from error
