"""What could stand at the cursor: names of tasks, flags, values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os.path import commonprefix

from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext, to_flag
from invoke.util import helpline

from stagekit.cli.app import App
from stagekit.cli.line import Typed
from stagekit.cli.task import StageTask, Values
from stagekit.cli.values import values

_MANY = 100
"""Of more than that, a shell is told the first ones: of releases these are the newest."""

_PLAIN = re.compile(r"[\w@%+,./:=-]+")
"""What a shell takes as it is. A folder could be called anything, and its name would be run."""

_CORE: dict[str, Values] = {
    "collection": "file",
    "config": "file",
    "help": "task",
    "hide": ("out", "err", "both"),
    "list": "group",
    "list-format": ("flat", "nested", "json"),
    "print-completion-script": ("bash", "zsh", "fish"),
    "search-root": "folder",
}
_FILES = ("file", "folder")


@dataclass(frozen=True)
class Candidate:
    """One thing that could stand there.

    Attributes:
        text: the whole word.
        help: what it is, in a line.
        part: more follows in the same word, so that no blank may be put after it.
    """

    text: str
    help: str = ""
    part: bool = False


def candidates(at: Typed, app: App) -> Sequence[Candidate]:
    """Return what could stand at the cursor; of very many those that begin as it was typed.

    Args:
        at: where the cursor is.
        app: whose environments and records are looked at.
    """
    found = [one for one in _found(at, app) if _PLAIN.fullmatch(one.text)]
    return found if len(found) <= _MANY else _few([o for o in found if o.text.startswith(at.word)])


def wanted_files(at: Typed) -> str | None:
    """Return ``file`` or ``folder`` where that is what stands there, which shells know best."""
    if at.beyond:
        return "file"
    kind = _values_of(at) if at.argument else None
    return kind if isinstance(kind, str) and kind in _FILES else None


def _found(at: Typed, app: App) -> Iterator[Candidate]:
    if at.argument:
        kind = _values_of(at)
        if kind == "task":
            yield from _tasks(at)
        elif kind == "group":
            yield from (Candidate(name) for name in at.tasks.collections)
        elif isinstance(kind, tuple):
            yield from map(Candidate, kind)
        elif kind:
            for text in values(kind, at, app):
                yield Candidate(text, part=text.endswith(("/", "=", ",")))
    elif at.word.startswith("-"):
        own = list(_flags(at.context, at))
        if any(one.text.startswith(at.word) for one in own):
            yield from own
        elif at.task:  # Invoke takes its own behind a task as well
            yield from (one for one in _flags(at.core, at) if one.text.startswith(at.word))
    else:
        yield from _tasks(at)


def _values_of(at: Typed) -> Values | None:
    """Return what the values of the argument at the cursor are, as far as anybody said."""
    assert at.argument
    name = at.argument.names[0]
    if at.core.args.get(name) is at.argument:
        return _CORE.get(name)
    if isinstance(at.task, StageTask):
        return at.task.values.get(name)
    return "environment" if name == "env" else None  # a repository's own task, in plain Invoke


def _tasks(at: Typed) -> Iterator[Candidate]:
    """Yield each task by the name that people use: ``build``, and not ``build.new``."""
    for name, aliases in at.tasks.task_names.items():
        short = [alias for alias in aliases if name.startswith(f"{alias}.")]
        for text in short or (name, *aliases):
            yield Candidate(text, helpline(at.tasks[name]) or "")


def _flags(context: ParserContext, at: Typed) -> Iterator[Candidate]:
    for argument in dict.fromkeys(context.flags.values()):
        if argument.names[0] not in at.given or argument.kind is list or argument.incrementable:
            for flag in _spelt(argument, context, at.word):
                yield Candidate(flag, " ".join((argument.help or "").split()))


def _spelt(argument: Argument, context: ParserContext, word: str) -> Iterable[str]:
    """Return a flag as it can be typed; its letter only where that is all there is so far."""
    flags = [to_flag(name) for name in argument.names]
    flags += [no for no, flag in context.inverse_flags.items() if flag == flags[0]]
    long = [flag for flag in flags if flag.startswith("--")]
    return long if long and word != "-" else flags


def _few(fitting: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the first of many: with one more where they have a beginning in common that not all
    have, for a shell would type it."""
    few = list(fitting[:_MANY])
    shared = commonprefix([one.text for one in few])  # noqa: RUF071  # letters, not folders
    return few + [one for one in fitting[_MANY:] if not one.text.startswith(shared)][:1]
