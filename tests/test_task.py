"""Shipped tasks: flags that keep their meaning, numbers, and the one error boundary."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

import stagekit
from stagekit import errors
from stagekit.cli.app import App
from stagekit.cli.task import StageTask, bounded, stage_task
from stagekit.errors import StagekitError
from tests.repository import Repository

Capture = pytest.CaptureFixture[str]

CLASSES = [
    item
    for item in vars(errors).values()
    if isinstance(item, type) and issubclass(item, StagekitError)
]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.delenv("STAGEKIT_DEBUG", raising=False)
    return App(tmp_path)


def ended(app: App, error: BaseException) -> Exit:
    """What the boundary makes of an error."""

    def work() -> None:
        raise error

    with pytest.raises(Exit) as caught:
        bounded(app, work)
    return caught.value


def shipped(tmp_path: Path) -> dict[str, StageTask]:
    namespace: Collection = stagekit.collection(root=tmp_path)
    return {name: namespace[name] for name in namespace.task_names}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_is_its_lines_and_its_exit_code(
    app: App, capsys: Capture, kind: type[StagekitError]
) -> None:
    """What, where, the last lines, what to type next; and no traceback."""
    error = kind("it broke", where="x.toml", hint="mend it", output=("last line",))
    assert ended(app, error).code == kind.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "  | last line\nerror: x.toml: it broke\n  next: mend it\n"


def test_a_bug_is_one_line_with_a_code_of_its_own(app: App, capsys: Capture) -> None:
    """What stagekit did not expect is told from what a user can mend."""
    assert ended(app, KeyError("images")).code == 70
    err = capsys.readouterr().err
    assert "KeyError: 'images'" in err
    assert "STAGEKIT_DEBUG=1" in err
    assert "Traceback" not in err


def test_an_exit_is_let_through(app: App) -> None:
    """A task that chooses its own exit code keeps it."""
    exit = Exit(code=1)
    assert ended(app, exit) is exit


def test_a_second_interrupt_ends_at_once(app: App, capsys: Capture) -> None:
    """As a cancelled command ends: 130."""
    assert ended(app, KeyboardInterrupt()).code == 130
    assert "stopped at once" in capsys.readouterr().err


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_cancel(app: App, capsys: Capture, name: signal.Signals) -> None:
    """The first asks for a stop at the next safe place; handlers are put back afterwards."""
    before = [signal.getsignal(item) for item in (signal.SIGINT, signal.SIGTERM)]

    def work() -> None:
        os.kill(os.getpid(), name)
        assert app.cancel.requested
        app.cancel.check()

    with pytest.raises(Exit) as caught:
        bounded(app, work)
    assert caught.value.code == 130
    assert "stopping; once more ends at once" in capsys.readouterr().err
    assert [signal.getsignal(item) for item in (signal.SIGINT, signal.SIGTERM)] == before


def test_debug_lets_the_error_through(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """STAGEKIT_DEBUG=1 shows where it was raised."""
    monkeypatch.setenv("STAGEKIT_DEBUG", "1")

    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bounded(app, work)


def test_numbers_are_parsed_and_refused_clearly(app: App, capsys: Capture) -> None:
    """Invoke hands on text; a wrong number is an input error, not a traceback."""
    seen = []

    @stage_task(name="x", numbers=["last"], help={"last": "how many"})
    def body(app: App, *, last: str | int = "20") -> None:
        """Take a number."""
        seen.append(last)

    task = body.bound(app)
    task(Context(), last="7")
    task(Context(), last=3)
    assert seen == [7, 3]
    for text in ("x", "", "-1", "1.5", "٣", "1_000", " 1", "²"):
        with pytest.raises(Exit) as caught:
            task(Context(), last=text)
        assert caught.value.code == 2
        assert f"--last: {text!r} is not a whole number" in capsys.readouterr().err


def test_a_short_flag_means_the_same_everywhere(tmp_path: Path) -> None:
    """-e is --env wherever there is one; no letter is given by chance."""
    meaning: dict[str, set[str]] = {}
    for name, task in shipped(tmp_path).items():
        for argument in task.get_arguments():
            long = argument.name
            letters = [item for item in argument.names if len(item) == 1]
            assert not (long == "env" and letters != ["e"]), name
            for letter in letters:
                meaning.setdefault(letter, set()).add(long)
    assert meaning == {
        "e": {"env"},
        "f": {"follow"},
        "k": {"key"},
        "m": {"message"},
        "n": {"last", "tail"},  # how many of the newest; of lines, everybody knows it as --tail
        "s": {"service"},
        "w": {"watch"},
    }


def test_help_is_still_there_after_the_arguments_were_read(tmp_path: Path) -> None:
    """Invoke empties a task's help as it reads it: two collections have both."""
    for _ in range(2):
        task = shipped(tmp_path)["run.new"]
        assert all(argument.help for argument in task.get_arguments())


def test_two_tasks_of_one_body_are_two(tmp_path: Path) -> None:
    """Invoke runs only one of two tasks with the same bytecode."""

    @stage_task(name="a")
    def body(app: App) -> None:
        """Do it."""

    one, two = body.bound(App(tmp_path)), body.bound(App(tmp_path))
    assert one != two
    assert len({one, two}) == 2


def test_from_a_shell(repository: Repository) -> None:
    """The whole way: short flags, exit codes, no traceback unless it is asked for."""
    assert repository.inv("build.list", "-n", "1").stdout.startswith("BUILD")
    wrong = repository.attempt("build.list", "--last", "many")
    assert (wrong.code, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: --last: 'many' is not a whole number\n"
    asked = repository.attempt("build.show", "--help")
    assert (asked.code, "next: inv --help build.show" in asked.stderr) == (2, True)
    unknown = repository.attempt("release", "-e", "nope")
    assert unknown.code == 2
    assert "next: there are: dev, prod" in unknown.stderr
    debug = repository.attempt("release", "-e", "nope", STAGEKIT_DEBUG="1")
    assert debug.code != 0
    assert "Traceback" in debug.stderr
    assert "Traceback" not in wrong.text + unknown.text
    assert repository.attempt("build.list", "-j").code != 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("look one", "one/False"),
        ("look --name one", "one/False"),
        ("look --all", "/True"),
        ("look --all look two", "/True two/False"),
    ],
)
def test_a_flag_may_stand_for_a_positional(
    repository: Repository, arguments: str, said: str
) -> None:
    """Without either, Invoke says which positional is missing."""
    repository.write(
        "tasks.py",
        "import stagekit\n"
        "from stagekit.cli.task import stage_task\n"
        '@stage_task(positional=["name"], instead={"all": "name"})\n'
        "def look(app, name, *, all=False):\n"
        '    """Look."""\n'
        '    print(f"{name}/{all}")\n'
        "ns = stagekit.collection(look)\n",
    )
    assert repository.inv(*arguments.split()).stdout.split() == said.split()
    missing = repository.attempt("look")
    assert (missing.code, "'name'" in missing.stderr) == (1, True)
