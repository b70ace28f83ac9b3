"""A command line is read as Invoke reads it, up to wherever it ends."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.parser import Parser, ParserContext
from invoke.program import Program
from invoke.tasks import task

import stagekit
from stagekit.cli.line import Typed, split, typed


@task(aliases=["w"], iterable=["many"], incrementable=["loud"], optional=["maybe"])
def plain(  # type: ignore[no-untyped-def]
    c, first, second, many=None, loud=0, maybe=None, on=True, count=1, quiet=False
):
    """Take everything that Invoke has."""


SHIPPED = stagekit.collection(plain, root=Path())


def core() -> ParserContext:
    return Program().initial_context


def at(line: str) -> Typed:
    return typed(split(line), core(), lambda _: SHIPPED)


def named(line: str) -> tuple[str | None, str, str]:
    """The argument at the cursor, its word, and what stands before that in it."""
    found = at(line)
    return found.argument.names[0] if found.argument else None, found.word, found.before


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", (None, "", "")),
        ("rel", (None, "rel", "")),
        ("release", (None, "release", "")),
        ("release ", (None, "", "")),
        ("release --en", (None, "--en", "")),
        ("release --env", (None, "--env", "")),
        ("release --env ", ("env", "", "")),
        ("release --env p", ("env", "p", "")),
        ("release --env=", ("env", "", "--env=")),
        ("release --env=p", ("env", "p", "--env=")),
        ("release -e p", ("env", "p", "")),
        ("release -ep", ("env", "p", "-e")),
        ("release -e=p", ("env", "p", "-e=")),
        ("release --env p ", (None, "", "")),
        ("release --plan ", (None, "", "")),
        ("release --plan=x", (None, "--plan=x", "")),
        ("release --nope=x", (None, "--nope=x", "")),
        ("release --set A=b --set C=", ("set", "C=", "")),
        ("release --set=A=b", ("set", "A=b", "--set=")),
        ("release --message --env p", ("env", "p", "")),
        ("release.show ", ("name", "", "")),
        ("release.show prod/v", ("name", "prod/v", "")),
        ("release.show --name prod/v1 ", (None, "", "")),
        ("release.diff build ", ("new", "", "")),
        ("release.verify --all ", (None, "", "")),
        ("run.logs -f -n 5 -s w", ("service", "w", "")),
        ("run.logs -fs ", ("service", "", "")),
        ("build release -e ", ("env", "", "")),
        ("build nonsense release -e ", ("env", "", "")),
        ("--echo -c", (None, "-c", "")),
        ("-c ", ("collection", "", "")),
        ("--search-root=a/", ("search-root", "a/", "--search-root=")),
        ("build --search-root a", ("search-root", "a", "")),
        ("--help ", ("help", "", "")),
        ("plain a b --maybe ", ("maybe", "", "")),
        ("plain a --loud --loud ", ("second", "", "")),
    ],
)
def test_what_is_at_the_cursor(line: str, expected: tuple[str | None, str, str]) -> None:
    """The name of a task, of a flag, or the value of an argument."""
    assert named(line) == expected


@pytest.mark.parametrize(
    ("line", "task", "given"),
    [
        ("", None, set()),
        ("--echo ", None, {"echo"}),
        ("build ", "new", set()),
        ("build.new ", "new", set()),
        ("w a ", "plain", {"first"}),
        ("plain a b --no-on ", "plain", {"first", "second", "on"}),
        ("release -e p --plan ", "new", {"env", "plan"}),
        ("release -e p up ", "up", set()),
        ("run.exec web -e p -- build ", "exec", {"service", "env"}),
    ],
)
def test_whose_flags_they_are(line: str, task: str | None, given: set[str]) -> None:
    """Those of the last task, and which of them stand there already."""
    found = at(line)
    assert (found.task.name if found.task else None, found.given) == (task, given)


@pytest.mark.parametrize(
    ("line", "beyond"),
    [
        ("run.exec web -e p --", False),
        ("run.exec web -e p -- ", True),
        ("run.exec web -e p -- ls --al", True),
        ("build > ", True),
        ("build >lo", True),
        ("build 2> log ", False),
        ("build 2>&1 ", False),
        ("build >log release -e ", False),
    ],
)
def test_what_is_none_of_invokes(line: str, beyond: bool) -> None:
    """What follows ``--``, and where output goes."""
    assert at(line).beyond == beyond


def test_values_before_the_cursor_are_known() -> None:
    """As far as they are text."""
    found = at("release.promote --from=dev --to prod --plan --release ")
    assert [found.value(name) for name in ("from", "to", "plan", "release", "no")] == [
        *("dev", "prod", "", "", "")
    ]


def test_the_core_options_choose_the_tasks() -> None:
    """They are known when the first task is looked for."""
    asked = []

    def tasks(options: object) -> Collection:
        asked.append(options)
        return SHIPPED

    typed(split("-c mine -r=there -e build release -e "), core(), tasks)
    assert len(asked) == 1
    assert {"collection": "mine", "search-root": "there", "echo": True}.items() <= asked[0].items()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", [""]),
        ("  ", [""]),
        ("a", ["a"]),
        ("a ", ["a", ""]),
        ("a  b\tc", ["a", "b", "c"]),
        ("'a b' \"c d", ["a b", "c d"]),
        ("--m='it is", ["--m=it is"]),
        (r"a\ b \'", ["a b", "'"]),
        (r'"a\"b\n\\"', [r'a"b\n' + "\\"]),
        (r"'a\'b", [r"a\b"]),
        ("'' ", ["", ""]),
        ("''", [""]),
        ("a\\", ["a"]),
    ],
)
def test_words_of_a_line(text: str, words: list[str]) -> None:
    """Without their quotes; the last is the one at the cursor, closed or not."""
    assert split(text) == words


@given(st.lists(st.text(alphabet="ab \"'\\$`=-", max_size=5), max_size=5))
def test_whatever_is_quoted_arrives(words: list[str]) -> None:
    """As it was before it was quoted."""
    assert split(f"{shlex.join(words)} ") == [*words, ""]


@given(st.text(alphabet="ab \"'\\=-\n\t", max_size=20))  # shlex knows no escaped dollar
def test_any_line_has_words(text: str) -> None:
    """No line is refused; a whole one has the words that the standard library finds."""
    words = split(text)
    try:
        whole = shlex.split(text)
    except ValueError:
        return
    assert [word for word in words if word] == [word for word in whole if word] or "\\\n" in text


TOKENS = st.sampled_from(
    [
        *("build", "release", "release.show", "release.verify", "run.logs", "plain", "w", "up"),
        *("--env", "-e", "--env=p", "-ep", "--plan", "--set", "--set=A=b", "A=b", "prod/v1"),
        *("--all", "-f", "-fn5", "-n", "5", "--many", "--maybe", "--loud", "--no-on", "--quiet"),
        *("--name", "--name=x", "--first", "x", "--help", "--echo", "-d"),
    ]
)


@given(st.lists(TOKENS, max_size=8))
def test_a_line_that_invoke_takes_means_the_same(words: list[str]) -> None:
    """The last task, and the value of each of its arguments."""
    parser = Parser(initial=core(), contexts=SHIPPED.to_contexts(ignore_unknown_help=True))
    try:
        last = parser.parse_argv(list(words))[-1]
    except (ParseError, ValueError):
        return
    found = typed([*words, ""], core(), lambda _: SHIPPED)
    if last.name and words.count("--help") < 2:
        assert found.task is SHIPPED[last.name]
        ours = {arg.name: str(arg.value) for arg in found.context.args.values()}
        theirs = {arg.name: str(arg.value) for arg in last.args.values()}
        if "--maybe" not in words:  # it may take the next word, or not
            assert ours == theirs


@given(st.lists(st.text(alphabet="-=abe./ ", max_size=6) | TOKENS, max_size=8))
def test_no_line_is_refused(words: list[str]) -> None:
    """However little sense it makes."""
    typed(words, core(), lambda _: SHIPPED)
