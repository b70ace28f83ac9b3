"""The program ``stagekit``: Invoke with stagekit's tasks, wherever it is called.

Where a tasks.py is found, upwards from the current folder as Invoke searches, its tasks are the
ones, a repository's own among them: ``stagekit build`` and ``inv build`` are then the same. Where
there is none, they are what ships, for the folder, here or above, whose pyproject.toml has
``[tool.stagekit]``, else for the current one.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke.exceptions import CollectionNotFound, Exit, ParseError
from invoke.program import Program

from stagekit import toml
from stagekit.errors import InputError
from stagekit.version import __version__

_UNKNOWN = re.compile(r"No idea what '(.+)' is!", re.DOTALL)


class StagekitProgram(Program):
    """Finds its tasks as told above; what it does not say otherwise is Invoke's own."""

    def __init__(self) -> None:
        super().__init__(
            version=__version__, name="stagekit", binary="stagekit", binary_names=["stagekit"]
        )
        self._only_shipped = False

    def load_collection(self) -> None:
        """Load the tasks of tasks.py, or what ships where there is none.

        Raises:
            Exit: a collection was asked for by name, and there is none; or tasks.py needs what is
                not installed beside this program.
        """
        asked = self.args.collection.value is not None
        try:
            super().load_collection()
        except ModuleNotFoundError as error:
            if os.environ.get("STAGEKIT_DEBUG"):
                raise
            raise Exit(_needs(error), code=InputError.exit_code) from error
        except Exit as error:
            if asked or not isinstance(error.__context__, CollectionNotFound):
                raise
            self._load_shipped()
        else:  # other tools have files of that name too, without a task in them
            if not asked and not self.collection.task_names:
                self._load_shipped()

    def parse_tasks(self) -> None:
        """Parse what follows the core options.

        Raises:
            ParseError: it is wrong; of an unknown task or flag, says what may have been meant.
        """
        with self._naming_near_ones():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        """Answer ``--help TASK``, ``--list`` and their like.

        Raises:
            ParseError: there is no such task; says which may have been meant.
        """
        with self._naming_near_ones():
            super().parse_cleanup()

    def no_tasks_given(self) -> None:
        """List the tasks: who types the program's name alone wants to know what it can do.

        Raises:
            Exit: always, with 0.
        """
        self.list_tasks()
        raise Exit(f"{self.binary} --help TASK says how one is called", code=0)

    def _load_shipped(self) -> None:
        from stagekit.cli.collection import collection

        root = project_folder(Path(self.args["search-root"].value or ".").resolve())
        self.config.set_project_location(str(root))
        self.config.load_project()
        self.collection = collection(root=root)
        self._only_shipped = True

    @contextmanager
    def _naming_near_ones(self) -> Iterator[None]:
        try:
            yield
        except ParseError as error:
            unknown = _UNKNOWN.fullmatch(str(error))
            if unknown is None:
                raise
            hint = self._meant(unknown[1], error)
            raise ParseError(f"{error}\n  next: {hint}", error.context) from error

    def _meant(self, unknown: str, error: ParseError) -> str:
        from stagekit.inputs.near import near

        if unknown.startswith("-"):
            task = error.context.name if error.context else None
            flags = error.context.flags if error.context else {}
            helped = f"{self.binary} --help {task or ''}".rstrip()
            meant = near(unknown.partition("=")[0], flags)
            return f"did you mean {meant}?" if meant else f"{helped} shows what there is"
        contexts = self.parser.contexts
        if meant := near(unknown, (*contexts, *contexts.aliases)):
            return f"did you mean {meant}?"
        listed = f"{self.binary} --list shows what there is"
        if self._only_shipped:
            return f"{listed}; there is no tasks.py here or above"
        if _is_shipped(unknown):
            where = self.collection.loaded_from
            return f"the tasks.py in {where} does not have it: ns = stagekit.collection() there"
        return listed


def project_folder(start: Path) -> Path:
    """Return the nearest folder, upwards, whose pyproject.toml has ``[tool.stagekit]``; else
    ``start`` itself."""
    folders = (start, *start.parents)
    return next((folder for folder in folders if _has_settings(folder)), start)


def _is_shipped(name: str) -> bool:
    from stagekit.cli.collection import collection

    names = collection(root=Path()).task_names
    return name in names or any(name in aliases for aliases in names.values())


def _has_settings(folder: Path) -> bool:
    import tomllib

    try:
        text = (folder / "pyproject.toml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    try:
        return "stagekit" in toml.loads(text).get("tool", ())
    except tomllib.TOMLDecodeError:  # the task that reads it says what is wrong with it
        return "[tool.stagekit" in text


def _needs(error: ModuleNotFoundError) -> str:
    return (
        f"error: tasks.py: {error}\n"
        "  next: install it beside stagekit, or call the stagekit of the environment that has it"
    )


def main() -> None:
    """Run what the command line says, and exit."""
    try:
        StagekitProgram().run()
    except BrokenPipeError:  # whoever read the list has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
