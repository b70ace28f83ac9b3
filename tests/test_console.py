"""The only place that prints: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator

import pytest

from stagekit.cli import console as module
from stagekit.cli.console import Console, clean
from stagekit.errors import InputError
from stagekit.events import Done, Noted, Progress, Started, Warned

Capture = pytest.CaptureFixture[str]
ERROR = InputError("it is wrong", where="x.toml", hint="mend it", output=("line 1", "line 2"))


class Terminal:
    """A terminal that stderr is put on once a test asks for a console there."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._master, slave = os.openpty()
        self._stream = os.fdopen(slave, "w")
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)

    def console(self) -> Console:
        """A console on it. Not before the test runs: pytest sets stderr between its phases."""
        self._patch.setattr(sys, "stderr", self._stream)
        return Console()

    def shown(self) -> str:
        """All that was written to it since last time."""
        self._stream.flush()
        data = b""
        while select.select([self._master], [], [], 0.2)[0]:
            data += os.read(self._master, 65536)
        return data.decode()

    def close(self) -> None:
        self._stream.close()
        os.close(self._master)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    terminal = Terminal(monkeypatch)
    yield terminal
    terminal.close()


def test_results_go_to_stdout_alone(capsys: Capture) -> None:
    """What a pipe or a script reads is the result and nothing else."""
    console = Console()
    console.result("a result")
    console.data({"id": "b1", "name": "ä"})
    console.table(["ID", "WHAT"], [["1", "one"], ["22", ""]])
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("a result\n")
    assert json.loads(out[len("a result\n") : out.index("ID")]) == {"id": "b1", "name": "ä"}
    assert out.endswith("ID  WHAT\n1   one\n22\n")


def test_what_json_has_no_number_for_is_text(capsys: Capture) -> None:
    """Of a release that was sealed when a variable could be that: no reader of JSON knows NaN."""
    console = Console()
    console.data({"a": [float("nan"), 1.5], "b": ({"c": float("-inf")},)})
    console.data_line(float("inf"))
    whole, _, line = capsys.readouterr().out.rpartition("}")
    assert json.loads(whole + "}") == {"a": ["nan", 1.5], "b": [{"c": "-inf"}]}
    assert json.loads(line) == "inf"


def test_narration_and_errors_go_to_stderr_alone(capsys: Capture) -> None:
    """``inv x > file`` leaves them on the screen."""
    console = Console()
    console.note("a note")
    console.warn("a warning")
    console.error(ERROR)
    for event in (Noted("noted"), Warned("warned"), Done("build", "web", "done", 1.25)):
        console.emit(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "a note",
        "warning: a warning",
        "  | line 1",
        "  | line 2",
        "error: x.toml: it is wrong",
        "  next: mend it",
        "noted",
        "warning: warned",
        "build   web  done  (1.2 s)",
    ]


def test_without_a_terminal_a_step_is_one_line(capsys: Capture) -> None:
    """A CI's log gets the end of each step, not its beginning and not each percent."""
    console = Console()
    console.emit(Started("push", "web"))
    for percent in range(100):
        console.emit(Progress("push", "web", f"{percent} %"))
    console.emit(Done("push", "web", "", 0.1))
    assert capsys.readouterr().err == "push    web  (0.1 s)\n"


def test_without_a_terminal_a_long_step_says_that_it_lives(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line every few seconds: some CIs stop a silent job."""
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    console = Console()
    console.emit(Started("push", "web"))
    for _ in range(13):
        now += 1.0
        console.emit(Progress("push", "web", f"{now:.0f}"))
    assert capsys.readouterr().err == "… push web: 106\n… push web: 112\n"


def test_without_a_terminal_nothing_is_coloured(capsys: Capture) -> None:
    """A log file holds text."""
    console = Console()
    console.error(ERROR)
    console.warn("x")
    assert "\x1b" not in capsys.readouterr().err


def test_a_terminal_gets_colour_and_a_live_line(terminal: Terminal) -> None:
    """The step under way is shown, and goes when it is done."""
    console = terminal.console()
    console.emit(Started("push", "web"))
    console.emit(Progress("push", "web", "half of it"))
    console.emit(Done("push", "web", "there", 0.1))
    console.error(ERROR)
    shown = terminal.shown()
    assert "push web" in shown
    assert "\x1b[32mpush   \x1b[0m web  there  (0.1 s)" in shown
    assert "\x1b[1;31merror:\x1b[0m x.toml: it is wrong" in shown
    console.close()


def test_steps_side_by_side_have_a_live_line_each(terminal: Terminal) -> None:
    """One that ends leaves its own line behind, and the others go on."""
    console = terminal.console()
    for name in ("web", "worker"):
        console.emit(Started("build", name))
    console.emit(Done("build", "web", "web:1", 0.1))
    console.close()
    shown = terminal.shown()
    places = [shown.index(text) for text in ("build web", "build worker", "web:1")]
    assert places == sorted(places)
    assert shown.rindex("build worker") > shown.index("web:1")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_declined(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """By NO_COLOR, as everywhere, and where the terminal cannot show it."""
    monkeypatch.setenv(name, value)
    console = terminal.console()
    console.error(ERROR)
    console.warn("x")
    assert (
        terminal.shown()
        .replace("\r\n", "\n")
        .endswith("error: x.toml: it is wrong\n  next: mend it\nwarning: x\n")
    )


def test_what_comes_from_elsewhere_moves_no_cursor(terminal: Terminal) -> None:
    """Names, log lines and errors are shown without control characters, colour or not."""
    evil = "a\x1b[2J\x07\x9b1mb\r"
    console = terminal.console()
    console.warn(evil)
    console.note(evil)
    console.emit(Done("build", evil, evil, 0.1))
    console.error(InputError(evil, where=evil, hint=evil, output=(evil,)))
    console.emit(Started("build", evil))
    console.emit(Progress("build", evil, evil))
    console.close()
    shown = terminal.shown()
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "\x9b" not in shown


def test_results_hold_no_control_characters_either(capsys: Capture) -> None:
    """A commit's subject printed in a table cannot rewrite the screen."""
    console = Console()
    console.result("a\x1b[2Jb")
    console.table(["X"], [["a\x1b[2Jb"]])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 日本 😀", "plain ä 日本 😀"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x00\x08\x1b\x7f\x85\u202e\r", "\N{REPLACEMENT CHARACTER}" * 7),
    ],
)
def test_clean_replaces_what_cannot_be_printed(text: str, shown: str) -> None:
    """Letters of every script stay; what steers a terminal or turns text round is replaced."""
    assert clean(text) == shown


def test_markup_in_names_is_shown_as_it_is(terminal: Terminal) -> None:
    """Square brackets are no colour for the live line."""
    console = terminal.console()
    console.emit(Started("build", "[red]web[/red]"))
    console.close()
    assert "[red]web[/red]" in terminal.shown()
