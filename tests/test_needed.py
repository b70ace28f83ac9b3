"""Tasks that are needed before others: in order, side by side, and all or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stagekit.alive import start_time
from stagekit.testing.project import clean_environment
from tests.repository import Repository

HEAD = """\
import subprocess
import sys
import time
from pathlib import Path

import stagekit
from invoke import call, task


def log(text):
    with Path("log").open("a") as file:
        file.write(f"{text}\\n")


"""


class Project(Repository):
    """A repository whose tasks a test writes."""

    def tasks(self, text: str, names: str) -> None:
        self.write("tasks.py", f"{HEAD}{text}\n\nns = stagekit.collection({names})\n")

    @property
    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project", "project", clean_environment())
    project.write("pyproject.toml", '[tool.stagekit]\nname = "project"\n')
    project.write("a", "1")
    return project


CHAIN = """\
@stagekit.task(inputs="a", outputs="b")
def first(c):
    log("first")
    Path("b").write_text(Path("a").read_text())


@stagekit.task(inputs="b", outputs="c", needs=first)
def second(c):
    log("second")
    Path("c").write_text(Path("b").read_text())


@stagekit.task(inputs="c", needs=["second"])
def third(c):
    log("third")
"""


def test_what_a_task_needs_is_done_first(project: Project) -> None:
    """By name or as it is, as often as something changed, and no more."""
    project.tasks(CHAIN, "first, second, third")
    assert (
        project.inv("why", "third").stdout.splitlines()
        == [
            "first: not done before",
            "second: not done before",
            "third: not done before",
        ]
        or project.log == []
    )
    project.inv("third")
    assert project.log == ["first", "second", "third"]
    project.inv("third")
    assert project.log == ["first", "second", "third"]
    project.write("a", "2")
    said = project.inv("why", "third", "--json").json
    assert (said["run"], said["why"], said["after"]) == (None, [], ["second"])
    assert [(item["task"], item["run"], item["why"], item["after"]) for item in said["needs"]] == [
        ("first", True, ["a changed"], []),
        ("second", None, [], ["first"]),
    ]
    assert project.inv("why", "third").stdout.splitlines() == [
        "first: a changed",
        "second: depends on what first will have made",
        "third: depends on what second will have made",
    ]
    project.inv("third")
    assert project.log == ["first", "second", "third"] * 2
    project.write("b", "by hand")
    assert project.inv("third").stderr.splitlines()[0] == "first: output b changed"


def test_side_by_side_where_nothing_orders_them(project: Project) -> None:
    """At most `jobs` at a time."""
    project.tasks(
        "def work(name):\n"
        "    log(f'+{name}')\n"
        "    time.sleep(0.5)\n"
        "    log(f'-{name}')\n\n\n"
        "@stagekit.task\n"
        "def one(c):\n    work('one')\n\n\n"
        "@stagekit.task\n"
        "def two(c):\n    work('two')\n\n\n"
        "@stagekit.task\n"
        "def three(c):\n    work('three')\n\n\n"
        "@stagekit.task(needs=['one', 'two', 'three'])\n"
        "def site(c):\n    log('site')\n",
        "one, two, three, site",
    )
    project.inv("site")
    assert {item[0] for item in project.log[:3]} == {"+"}
    assert project.log[-1] == "site"
    (project.root / "log").unlink()
    project.write("pyproject.toml", "[tool.stagekit]\njobs = 1\n")
    project.inv("site")
    assert [item[0] for item in project.log] == [*"+-+-+-s"]


def test_a_plain_task_can_be_needed(project: Project) -> None:
    """It runs each time, with what Invoke runs before and after it, in Invoke's order."""
    project.tasks(
        "@task\ndef before(c, what='x'):\n    log(f'before-{what}')\n\n\n"
        "@task\ndef also(c):\n    log('also')\n\n\n"
        "@task\ndef after(c):\n    log('after')\n\n\n"
        "@task(pre=[call(before, 'y'), also], post=[after])\n"
        "def plain(c):\n    log('plain')\n\n\n"
        "@stagekit.task(inputs='a', needs='plain')\ndef site(c):\n    log('site')\n",
        "before, also, after, plain, site",
    )
    project.inv("site")
    each = ["before-y", "also", "plain", "after"]
    assert project.log == [*each, "site"]
    project.inv("site")
    assert project.log == [*each, "site", *each]
    assert project.inv("why", "plain").stdout.splitlines()[-1] == (
        "plain: a plain task runs each time"
    )


NOISY = """\
@stagekit.task
def noisy(c):
    print("printed")
    print("and", end="")
    sys.stderr.write(" err\\n")
    c.run("echo run; printf '\\\\033[31mred\\\\033[0m\\\\rlast\\\\n' >&2; cat")
    c.run("echo hidden", hide=True)
    subprocess.run(["echo", "inherited"], check=True)


@stagekit.task(needs="noisy")
def site(c):
    print("result")
"""


def test_what_needed_tasks_print_is_on_stderr(project: Project) -> None:
    """Each line under the task's name; stdout is the task's that was called."""
    project.tasks(NOISY, "noisy, site")
    done = project.inv("site")
    assert done.stdout == "result\n"
    lines = done.stderr.splitlines()
    for line in ("noisy | printed", "noisy | and err", "noisy | run", "noisy | last", "inherited"):
        assert line in lines
    assert "hidden" not in done.stderr


FAILING = """\
@stagekit.task
def bad(c):
    c.run("echo why; exit 3")


@stagekit.task(needs="bad")
def left(c):
    log("left")


@stagekit.task
def good(c):
    time.sleep(0.5)
    log("good")


@stagekit.task(needs=["left", "good"])
def site(c):
    log("site")
"""


def test_a_failure_stops_what_needs_it(project: Project) -> None:
    """Others go on to their end; the task that was called is not done."""
    project.tasks(FAILING, "bad, left, good, site")
    failed = project.attempt("site")
    assert (failed.code, failed.stdout) == (3, "")
    assert "bad | why\n" in failed.stderr
    assert "left: left out, because of bad\n" in failed.stderr
    assert failed.stderr.endswith("error: task bad: echo why; exit 3 ended with 3\n")
    assert project.log == ["good"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('odd')", "ValueError: odd"),
        ("sys.exit(4)", "it ended with 4"),
        ("from invoke import Exit; raise Exit('gone', 5)", "gone"),
        ("c.run('kill -9 $$')", "kill -9 $$ ended with -9"),
        ("c.run('sleep 60', timeout=1)", "sleep 60 took more than 1 s"),
    ],
)
def test_every_way_to_fail(project: Project, body: str, said: str) -> None:
    """None of them is taken for an end that is well; a mistake in the task shows its line."""
    project.tasks(
        f"@stagekit.task(inputs='a')\ndef bad(c):\n    {body}\n\n\n"
        "@stagekit.task(needs='bad')\ndef site(c):\n    log('site')\n",
        "bad, site",
    )
    failed = project.attempt("site")
    assert failed.code == 3
    assert f"error: task bad: {said}" in failed.stderr
    assert project.log == []
    assert ("tasks.py" in failed.stderr) == ("ValueError" in said)
    assert project.inv("why", "bad").stdout == "bad: it did not end well the last time\n"


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ("['gone']", "tasks.py, needs of task site: there is no task 'gone'"),
        ("['onne']", "next: did you mean one?"),
        ("['build']", "build.new is one of stagekit's tasks, and cannot be needed"),
        ("['given']", "task given cannot be needed: nobody gives it name"),
        ("['site']", "needs: tasks need one another: site → site"),
        ("['circle']", "needs: tasks need one another: "),
    ],
)
def test_a_need_that_cannot_be(project: Project, needs: str, said: str) -> None:
    """It is named, before anything is done."""
    project.tasks(
        "@stagekit.task\ndef one(c):\n    log('one')\n\n\n"
        "@task\ndef given(c, name):\n    log('given')\n\n\n"
        "@stagekit.task(needs=['site'])\ndef circle(c):\n    log('circle')\n\n\n"
        f"@stagekit.task(needs=['one', *{needs}])\ndef site(c):\n    log('site')\n",
        "one, given, circle, site",
    )
    for command in (("site",), ("why", "site")):
        wrong = project.attempt(*command)
        assert (wrong.code, wrong.stdout) == (2, "")
        assert said in wrong.stderr
        assert "Traceback" not in wrong.stderr
    assert project.log == []


def test_an_input_that_is_made_by_a_need(project: Project) -> None:
    """It need not be there before; it must be after."""
    project.tasks(CHAIN, "first, second, third")
    assert project.inv("why", "second").stdout == (
        "first: not done before\nsecond: depends on what first will have made\n"
    )
    project.inv("second")
    project.tasks(CHAIN.replace('inputs="b"', 'inputs="x"'), "first, second, third")
    wrong = project.attempt("second")
    assert wrong.code == 2
    assert "inputs of task second: nothing is there for 'x'" in wrong.stderr


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_programs_that_run(project: Project, name: signal.Signals) -> None:
    """Also those that a shell started; nothing is left behind, and nothing is done."""
    project.tasks(
        "@stagekit.task(inputs='a')\n"
        "def slow(c):\n    c.run('sleep 987 & echo $! > pid; wait; echo x')\n\n\n"
        "@stagekit.task(needs='slow')\ndef site(c):\n    log('site')\n",
        "slow, site",
    )
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "site"],
        cwd=project.root,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        pid = project.root / "pid"
        while not (pid.exists() and pid.read_text().strip()):
            time.sleep(0.02)
        os.kill(command.pid, name)
        _, err = command.communicate(timeout=30)
    assert command.returncode == 130, err
    assert start_time(int(pid.read_text())) is None
    assert project.log == []
    assert project.inv("why", "slow").stdout == "slow: it did not end well the last time\n"


def test_settings_of_invoke_reach_needed_tasks(project: Project) -> None:
    """`inv --echo`, and what a collection is configured with."""
    project.tasks(
        "@stagekit.task\ndef told(c):\n    print(c.colour)\n    c.run('true')\n\n\n"
        "@stagekit.task(needs='told')\ndef site(c):\n    log('site')\n",
        "told, site",
    )
    project.write("tasks.py", project.read("tasks.py") + "ns.configure({'colour': 'red'})\n")
    said = project.inv("--echo", "site").stderr
    assert "told | red\n" in said
    assert "told | \x1b[1;37mtrue" in said or "told | true\n" in said
