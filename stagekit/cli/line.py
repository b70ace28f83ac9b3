"""A command line up to the cursor, read as Invoke reads one, but without refusing anything.

Invoke's own parser ends with an error at whatever is not finished yet, and says neither which flag
waits for its value nor which positional comes next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from invoke.collection import Collection
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.tasks import Task

_BLANK = " \t\n"
_REDIRECTION = re.compile(r"&?\d*[<>]+[|&]?")
_SHORT = 2
"""How long a short flag is: what follows in the same word is its value, or more of them."""


@dataclass(frozen=True)
class Typed:
    """Where on a command line the cursor is.

    Attributes:
        word: what is typed of what stands there, without quotes.
        before: what stands before that in the same word, as ``--env=`` in ``--env=prod``.
        argument: whose value it is; None where it is the name of a task or of a flag.
        beyond: it is none of Invoke's: it follows ``--``, or redirects the output.
        task: whose flags these are; None before the first task.
        context: the flags and positionals of ``task``, or the core options.
        core: the core options.
        given: names of those that stand on the line already.
        tasks: what can be called.
    """

    word: str
    before: str
    argument: Argument | None
    beyond: bool
    task: Task | None  # type: ignore[type-arg]  # Invoke's has no parameter at run time
    context: ParserContext
    core: ParserContext
    given: frozenset[str]
    tasks: Collection

    def value(self, name: str) -> str:
        """Return what an argument of the task was given, or nothing."""
        argument = self.context.args.get(name)
        found = argument.value if argument else None
        return found if isinstance(found, str) else ""


def typed(
    words: Sequence[str], core: ParserContext, tasks: Callable[[Mapping[str, Any]], Collection]
) -> Typed:
    """Return what ``words`` say, the last of which is being typed and may be empty.

    Args:
        words: what follows the program's name.
        core: the core options, fresh.
        tasks: what can be called, under the core options that were given.
    """
    line = _Line(core, tasks)
    for word in words[:-1]:
        line.take(word)
    return line.at(words[-1] if words else "")


def split(text: str) -> list[str]:
    """Split a line into words as a shell does, and take their quotes off.

    The last one is that at the end of the text: empty after a blank, without its closing quote
    while it is typed. What a shell would put in for ``$NAME`` is not known, and stays.
    """
    words, word, quote = [], "", ""
    begun = False
    characters = iter(text)
    for character in characters:
        if quote != "'" and character == "\\":
            escaped = next(characters, "")
            keeps = quote and escaped not in '$`"\\'
            word, begun = word + (character if keeps else "") + escaped, True
        elif quote:
            word, quote = (word, "") if character == quote else (word + character, quote)
        elif character in "'\"":
            quote, begun = character, True
        elif character not in _BLANK:
            word, begun = word + character, True
        elif begun:
            words.append(word)
            word, begun = "", False
    return [*words, word]


class _Line:
    """A line as far as it was read."""

    def __init__(
        self, core: ParserContext, tasks: Callable[[Mapping[str, Any]], Collection]
    ) -> None:
        self._core = core
        self._find_tasks = tasks
        self._task: Task | None = None  # type: ignore[type-arg]  # as above
        self._context = core
        self._waiting: Argument | None = None
        self._given: set[str] = set()
        self._beyond = False
        self._redirecting = False

    @cached_property
    def _tasks(self) -> Collection:
        """Found when the first task is: all core options that choose it stand before that."""
        return self._find_tasks({name: arg.value for name, arg in self._core.args.items()})

    @cached_property
    def _names(self) -> frozenset[str]:
        names = self._tasks.task_names
        return frozenset((*names, *(alias for aliases in names.values() for alias in aliases)))

    def take(self, word: str) -> None:
        """Read one whole word."""
        if self._beyond:
            return
        waiting, self._waiting = self._waiting, None
        if word == "--":
            self._beyond = True
        elif waiting and word not in self._context.flags:
            waiting.set_value(word, cast=False)
        elif self._redirects(word):
            pass
        elif word.startswith("-"):
            self._take_flags(word)
        elif not self._fill(word) and word in self._names:
            self._enter(word)

    def at(self, word: str) -> Typed:
        """Return what the word at the cursor is."""
        argument, before = self._waiting, ""
        redirects = self._redirecting or (not argument and _REDIRECTION.match(word))
        if argument is None and word.startswith("-"):
            argument, before = self._flag_within(word)
        elif argument is None:
            argument = self._next_positional()
        return Typed(
            word=word[len(before) :],
            before=before,
            argument=argument,
            beyond=self._beyond or bool(redirects),
            task=self._task,
            context=self._context,
            core=self._core,
            given=frozenset(self._given),
            tasks=self._tasks,
        )

    def _redirects(self, word: str) -> bool:
        if self._redirecting:
            self._redirecting = False
            return True
        found = _REDIRECTION.match(word)
        self._redirecting = found is not None and found.end() == len(word)
        return found is not None

    def _enter(self, name: str) -> None:
        self._task = self._tasks[name]
        arguments = self._task.get_arguments(ignore_unknown_help=True)
        self._context = ParserContext(name=name, args=arguments)
        self._given.clear()

    def _take_flags(self, word: str) -> None:
        """Read ``--flag``, ``--flag=value``, ``-fvalue``, or ``-xyz``."""
        flag, equals, value = word.partition("=")
        if equals:
            self._take_flag(flag, value)
        elif word.startswith("--") or len(word) <= _SHORT:
            self._take_flag(word, None)
        elif self._is_own(flag := word[:_SHORT]) and self._context.flags[flag].takes_value:
            self._take_flag(flag, word[_SHORT:])
        else:
            for letter in word[1:]:
                self.take(f"-{letter}")

    def _take_flag(self, flag: str, value: str | None) -> None:
        if not self._is_own(flag) and self._fill(flag):
            pass  # Invoke takes a flag that a task does not have for the positional that it wants
        elif argument := self._argument(flag):
            self._give(argument, flag)
        if value is not None:
            self.take(value)

    def _give(self, argument: Argument, flag: str) -> None:
        self._given.add(argument.names[0])
        if self._task and argument is self._core.args["help"]:
            argument.set_value(self._context.name, cast=False)  # asked of this task, and of no word
        elif not argument.takes_value:
            argument.set_value(flag not in self._context.inverse_flags, cast=False)
        elif argument.kind is list or argument.raw_value is None:  # else it is done with values
            self._waiting = argument

    def _flag_within(self, word: str) -> tuple[Argument | None, str]:
        """Return the flag whose value the end of ``word`` is, and what stands before that."""
        flag, equals, _ = word.partition("=")
        if not equals and not word.startswith("--") and len(word) > _SHORT:
            flag = word[:_SHORT]
        elif not equals:
            return None, ""
        argument = self._argument(flag)
        return (argument, flag + equals) if argument and argument.takes_value else (None, "")

    def _fill(self, word: str) -> bool:
        """Take a word as the next positional, if one is missing."""
        if positional := self._next_positional():
            self._given.add(positional.names[0])
            positional.set_value(word, cast=False)
        return positional is not None

    def _is_own(self, flag: str) -> bool:
        return flag in self._context.flags or flag in self._context.inverse_flags

    def _argument(self, flag: str) -> Argument | None:
        flag = self._context.inverse_flags.get(flag, flag)
        for context in (self._context, self._core):
            if flag in context.flags:
                found: Argument = context.flags[flag]
                return found
        return None

    def _next_positional(self) -> Argument | None:
        return next(iter(self._context.missing_positional_args), None)
