"""``inv completion SHELL``: the script that makes a shell complete, and the answers to it.

The script calls the very program that is being typed, ``inv``, ``invoke`` or ``stagekit``::

    PROGRAM completion SHELL --candidates -- WORDS

WORDS are those of the line up to the cursor without their quotes, the program's name first; for
bash, which cannot take quotes off, they are the line as it was typed and what bash takes for the
word at the cursor. The answer is a line for each candidate, its parts separated by tabs::

    word  TEXT  HELP      it may stand there
    part  TEXT  HELP      it may stand there, and more follows without a blank
    file                  files are what stands there
    folder                folders are

Lines of any other kind, as a tasks.py may print them, mean nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stagekit.cli.app import App
from stagekit.cli.task import stage_task, words_after_dashes

if TYPE_CHECKING:
    from invoke.collection import Collection

    from stagekit.cli.line import Typed

SHELLS = ("bash", "zsh", "fish")

_SCRIPTS = Path(__file__).parent / "shells"


@stage_task(
    name="completion",
    positional=["shell"],
    help={
        "shell": f"{', '.join(SHELLS[:-1])} or {SHELLS[-1]}",
        "candidates": "what the script asks: what could stand at the end of the line after --",
    },
    values={"shell": SHELLS},
)
def completion(app: App, shell: str, *, candidates: bool = False) -> None:
    """Print a script that completes inv, invoke and stagekit: tasks, flags, and their values.

    bash: eval "$(stagekit completion bash)" in ~/.bashrc
    zsh: eval "$(stagekit completion zsh)" in ~/.zshrc
    fish: stagekit completion fish | source in ~/.config/fish/config.fish
    """
    if shell not in SHELLS:
        from stagekit.errors import InputError
        from stagekit.inputs.near import known_names

        raise InputError(f"no script for {shell!r}", hint=known_names(shell, SHELLS))
    if not candidates:
        app.console.result((_SCRIPTS / f"stagekit.{shell}").read_text("utf-8").rstrip())
        return
    try:
        for line in _answer(app, shell, words_after_dashes()):
            sys.stdout.write(f"{line}\n")
    except Exception:  # whoever presses TAB is in the middle of something else
        if os.environ.get("STAGEKIT_DEBUG"):
            raise


def _answer(app: App, shell: str, words: Sequence[str]) -> Iterator[str]:
    """Yield what the script is answered, line by line."""
    from stagekit.cli.candidates import candidates, wanted_files
    from stagekit.cli.line import split

    cut = 0
    fitting = ""
    if shell == "bash":
        line, at_cursor = words
        words = split(line)
        cut = max(len(words[-1]) - len(at_cursor), 0) if words[-1].endswith(at_cursor) else 0
        fitting = words[-1]
    at = _typed(app, words[1:])
    if files := wanted_files(at):
        yield files
        return
    for one in candidates(at, _owner(at, app)):
        text = f"{at.before}{one.text}"
        if text.startswith(fitting) and text[cut:]:
            yield "\t".join(("part" if one.part else "word", text[cut:], one.help))


def _typed(app: App, words: Sequence[str]) -> Typed:
    from invoke.program import Program

    from stagekit.cli.line import typed

    return typed(words, Program().initial_context, lambda given: _tasks(app, given))


def _tasks(app: App, given: Mapping[str, Any]) -> Collection:
    """Return what can be called: other tasks than these, where the line says so."""
    from invoke.collection import Collection
    from invoke.loader import FilesystemLoader

    name, start = given.get("collection"), given.get("search-root")
    if name is None and start is None:
        return app.namespace or Collection()
    module, folder = FilesystemLoader(start=start).load(name)
    return Collection.from_module(module, loaded_from=folder)


def _owner(at: Typed, app: App) -> App:
    """Return the app whose project the task at the cursor is of."""
    found: App = getattr(at.task, "app", app)
    return found
