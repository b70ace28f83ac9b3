"""What stagekit prints on a terminal moves no cursor, sets no title and turns no text round, where
ever it is from; what it prints for machines is exact."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

import stagekit
from stagekit.attached import lines
from stagekit.cancel import Cancel
from stagekit.cli.console import Console
from stagekit.errors import InputError
from stagekit.events import Done, Failed, Noted, Output, Progress, Started, Warned, ignore
from stagekit.inputs.source import read_source
from tests.machines import NOBODY, git
from tests.repository import Repository

Capture = pytest.CaptureFixture[str]

EVIL = {
    "colour": "\x1b[31m",
    "the screen cleared": "\x1b[H\x1b[2J",
    "a title": "\x1b]0;pwned\x07",
    "a link": "\x1b]8;;http://evil\x1b\\",
    "the clipboard": "\x1b]52;c;cm0=\x07",
    "an answer that is typed": "\x1b[6n\x1b[c",
    "C1": "\x9b31m\x9d0;x\x9c",
    "a line overwritten": "good\rbad",
    "erased": "good\x08\x08\x08\x08bad",
    "turned round": "\u202eexe.gnp",
    "isolated": "\u2066a\u2069",
    "invisible": "a\u200bb\ufeff\u00ad",
    "lines of another kind": "a\u2028b\u2029c\x85d\x0be",
    "half a letter": "\udc9b31m",
    "tags": "\U000e0041",
}
FORBIDDEN = "".join(sorted(set("".join(EVIL.values())) - set(map(chr, range(0x20, 0x7F)))))


def harmless(text: str) -> bool:
    return not set(text) & set(FORBIDDEN)


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_whatever_is_told(evil: str, capsys: Capture) -> None:
    """Results, tables, questions, events, errors: names, commit messages, engines and logs have
    their part in all of them."""
    console = Console()
    console.show_output = True
    console.result(evil)
    console.table([evil], [[evil]])
    console.lines([(evil, "added")])
    console.note(evil)
    console.warn(evil)
    console.error(InputError(evil, where=evil, hint=evil, output=(evil,)))
    for event in (
        *(Started("up", evil), Progress("up", evil, evil), Output("up", evil, evil)),
        *(Done("up", evil, evil, 0.1), Failed("up", evil, evil, 0.1), Warned(evil), Noted(evil)),
    ):
        console.emit(event)
    out, err = capsys.readouterr()
    assert harmless(out)
    assert harmless(err)


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_what_is_told_to_machines(evil: str, capsys: Capture) -> None:
    """It arrives as it was, in letters that no terminal minds."""
    console = Console()
    console.data({evil: evil})
    whole = capsys.readouterr().out
    console.data_line([evil])
    line = capsys.readouterr().out
    assert json.loads(whole) == {evil: evil}
    assert json.loads(line) == [evil]
    assert harmless(whole + line)
    assert whole.isascii()
    assert line.count("\n") == 1


def test_what_a_container_printed(capsys: Capture) -> None:
    """`run.logs` shows lines, not what they do."""
    printed = "\n".join(EVIL.values()).encode("utf-8", "surrogateescape")
    code = f"import os; os.write(1, {printed!r})"
    for line in lines((sys.executable, "-c", code), env={}, cancel=Cancel()):
        Console().result(line)
    assert harmless(capsys.readouterr().out)


SPEAKING = {
    "cli/console.py": "prints",
    "cli/voices.py": "leads what tasks print to the console, and back",
    "cli/completion.py": "answers a shell, in words of letters that it takes as they are",
    "cli/typed.py": "reads what is typed",
    "cli/compare.py": "waits for a key",
    "cli/program.py": "leads stdout nowhere, once nobody reads it",
    "engine/swarm/attend.py": "hands on what a command prints, whose terminal it is",
    "engine/swarm/beside.py": "hands on what containers print, as `docker compose logs` does",
    "cli/services.py": "asks whether there is a terminal",
}


def test_nothing_else_prints() -> None:
    """So that what holds for the console holds for all: no other module has a standard stream, but
    for those that print nothing."""
    root = Path(stagekit.__file__).parent
    found = {
        str(path.relative_to(root)): node
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Name) and node.id in ("print", "input"))
        or (
            isinstance(node, ast.Attribute)
            and node.attr in ("stdout", "stderr", "stdin", "__stdout__", "__stderr__")
            and isinstance(node.value, ast.Name)
            and node.value.id == "sys"
        )
    }
    assert set(found) <= set(SPEAKING)


@pytest.mark.parametrize("on", ["pipe", "terminal"])
def test_names_that_are_none(repository: Repository, on: str) -> None:
    """A folder among the environments can be called anything, and an option can say anything."""
    evil = "".join(text for name, text in EVIL.items() if name not in ("half a letter", "a link"))
    evil = evil.replace("/", "")[:120]
    repository.write(f"environments/{evil}/config.toml", "")
    for arguments in (["release.list", "--env", evil], ["release.list", "--env", "none"]):
        if on == "pipe":
            done = repository.attempt(*arguments)
            shown = done.stdout + done.stderr
            assert harmless(shown)
        else:
            shown = repository.on_a_terminal("", *arguments, NO_COLOR="1").stdout
            assert harmless(shown.replace("\r\n", "\n"))
        assert "no environment" in shown or "not a name" in shown


def test_a_commit_that_is_called_anything(repository: Repository) -> None:
    """Its words are shown to people, and told to machines as they are."""
    evil = "fix \x1b]0;pwned\x07 \u202e it"
    git("init", "--quiet", cwd=repository.root)
    git("add", "--all", cwd=repository.root)
    git("commit", "--quiet", "--message", evil, cwd=repository.root, **NOBODY)
    git("branch", "--move", "a\u202eb", cwd=repository.root)
    said = repository.attempt("build", "--plan")
    assert harmless(said.stdout + said.stderr)
    assert read_source(repository.root, ignore).branch == "a\u202eb"
