"""A repository's own tasks: done again only where something changed, and never half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from invoke.context import Context

import stagekit
from stagekit.testing.project import clean_environment
from tests.repository import Repository

TASKS = """\
import os
import time
from pathlib import Path

import stagekit
from invoke import task

FLAGS = ["-x"]


def joined(c):
    return "".join(path.read_text() for path in sorted(Path("app").rglob("*.ts")))


@stagekit.task(
    inputs=["app/**/*.ts", "!**/*.test.ts"],
    outputs=["dist/"],
    help={"minify": "make it small"},
    iterable=["only"],
)
def assets(c, minify=False, only=None):
    \"\"\"Make assets.\"\"\"
    text = joined(c)
    Path("dist/sub").mkdir(parents=True, exist_ok=True)
    Path("dist/app.js").write_text(text)
    Path("dist/sub/flags").write_text(str(FLAGS))
    print("made", minify, only)
    if (wait := Path("wait")).exists():
        Path("begun").touch()
        while wait.exists():
            time.sleep(0.02)
    if Path("fail").exists():
        c.run("echo failing; exit 3")
    return 42


ns = stagekit.collection(assets)
"""


class Project(Repository):
    """A repository with a task, and what it says of it."""

    def done(self, *arguments: str) -> str | None:
        """Run the task; return the reason that it gave, None where it was skipped."""
        outcome = self.inv("assets", *arguments)
        first = outcome.stderr.splitlines()[0]
        assert first.startswith("assets: "), outcome.text
        skipped = first == "assets: nothing changed"
        assert ("made" in outcome.stdout) != skipped, outcome.text
        return None if skipped else first.removeprefix("assets: ")

    def why(self, name: str = "assets") -> list[str]:
        found: list[str] = self.inv("why", name, "--json").json["why"]
        return found

    def replace(self, old: str, new: str) -> None:
        text = self.read("tasks.py")
        assert old in text
        self.write("tasks.py", text.replace(old, new))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project", "project", clean_environment())
    project.write("tasks.py", TASKS)
    project.write("app/a.ts", "a\n")
    project.write("app/sub/b.ts", "b\n")
    return project


@contextmanager
def beside(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``inv`` beside the test; kill it if the test did not end it."""
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=project.root,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_task_is_done_once(project: Project) -> None:
    """And skipped while nothing changed, as often as it is called."""
    assert project.why() == ["not done before"]
    assert project.done() == "not done before"
    for _ in range(2):
        assert project.why() == []
        assert project.done() is None
    assert project.inv("why", "assets").stdout == "assets: nothing changed\n"


def change(name: str, text: str = "new\n") -> Callable[[Project], object]:
    return lambda project: project.write(name, text)


def remove(name: str) -> Callable[[Project], object]:
    return lambda project: (project.root / name).unlink()


CHANGES: list[tuple[Callable[[Project], object], list[str]]] = [
    (change("app/a.ts"), ["app/a.ts changed"]),
    (change("app/c.ts"), ["app/c.ts added"]),
    (remove("app/sub/b.ts"), ["app/sub/b.ts removed"]),
    (change("app/x.test.ts"), []),
    (change("app/x.txt"), []),
    (change("dist/others.js"), []),
    (lambda project: os.utime(project.root / "app/a.ts"), []),
    (lambda project: (project.root / "app/a.ts").chmod(0o755), ["app/a.ts changed"]),
    (change("dist/app.js"), ["output dist/app.js changed"]),
    (remove("dist/sub/flags"), ["output dist/sub/flags is missing"]),
    (
        lambda project: (project.root / "dist").rename(project.root / "other"),
        ["output dist/ is missing"],
    ),
    (lambda project: project.replace('"made"', '"made", 1'), ["its code changed"]),
    (
        lambda project: project.replace('return ""', 'return "x" + ""'),
        ["code of joined changed"],
    ),
    (lambda project: project.replace('["-x"]', '["-y"]'), ["value of FLAGS changed"]),
    (lambda project: project.replace("import os\n", "import os\n# more\n"), []),
]


@pytest.mark.parametrize(("make", "said"), CHANGES, ids=[" ".join(s) or "none" for _, s in CHANGES])
def test_what_changed_makes_it_run(
    project: Project, make: Callable[[Project], object], said: list[str]
) -> None:
    """The reason is the first line; `inv why` says the same before, and both say nothing after."""
    project.done()
    make(project)
    assert project.why() == said
    assert project.done() == (", ".join(said) or None)
    assert project.done() is None


def test_a_change_that_no_time_tells_of_is_found(project: Project) -> None:
    """Written again in the same moment, with the same size and time (git's racy entries)."""
    path = project.root / "app/a.ts"
    project.done()
    seen = path.stat()
    path.write_text("b\n")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert project.done() == "app/a.ts changed"


def test_arguments_count(project: Project) -> None:
    """Other ones than the last time; the same are the same, however they are written."""
    project.done()
    assert project.done("--minify") == "argument minify changed"
    assert project.done("-m") is None
    assert project.done("--only", "a", "--minify") == "argument only changed"
    assert project.done("--only=a", "--minify") is None
    assert project.why() == ["argument minify changed", "argument only changed"]


def test_arguments_are_kept_nowhere_in_clear(project: Project) -> None:
    """One of them may be a secret."""
    project.done("--only", "geheim")
    kept = list((project.root / "artifacts").rglob("*"))
    assert kept
    assert not any(b"geheim" in path.read_bytes() for path in kept if path.is_file())


def test_force(project: Project) -> None:
    """It runs all the same, and says that this is why."""
    project.done()
    assert project.done("--force") == "--force"
    project.write("app/a.ts", "new")
    assert project.done("--force") == "app/a.ts changed"
    assert project.done() is None
    assert "--force" in project.inv("assets", "--help").stdout


def test_a_failed_task_is_not_done(project: Project) -> None:
    """Its exit code is the command's; the next time it runs, whatever it made before."""
    project.done()
    project.write("app/a.ts", "new")
    project.write("fail", "")
    failed = project.attempt("assets")
    assert failed.code == 3
    assert "Traceback" not in failed.text
    (project.root / "fail").unlink()
    assert project.why() == ["it did not end well the last time"]
    assert project.done() == "it did not end well the last time"
    assert project.done() is None


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_task_that_was_ended_is_not_done(project: Project, name: signal.Signals) -> None:
    """kill -9 in the middle too, though what it makes is there."""
    project.done()
    project.write("app/a.ts", "new")
    wait = project.write("wait", "")
    with beside(project, "assets") as command:
        until((project.root / "begun").exists)
        os.kill(command.pid, name)
        assert command.wait(timeout=30) != 0
    wait.unlink()
    assert (project.root / "dist/app.js").read_text() == "newb\n"
    assert project.done() == "it did not end well the last time"
    assert project.done() is None


def test_two_at_once(project: Project) -> None:
    """One does it, and the other finds it done."""
    wait = project.write("wait", "")
    with beside(project, "assets") as first:
        until((project.root / "begun").exists)
        with beside(project, "assets") as second:
            assert second.stderr
            told = second.stderr.readline()
            assert told == f"assets: waiting for process {first.pid}, which does it now\n"
            assert second.poll() is None
            wait.unlink()
            out, err = second.communicate(timeout=60)
            assert (second.returncode, out, err) == (0, "", "assets: nothing changed\n")
        out, err = first.communicate(timeout=60)
    assert (first.returncode, out) == (0, "made False []\n")
    assert err == "assets: not done before\n"


def test_many_at_once(project: Project) -> None:
    """Exactly one of them does it."""
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "invoke", "assets"],
            cwd=project.root,
            env=project.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(5)
    ]
    said = [command.communicate(timeout=120)[0] for command in commands]
    assert [command.returncode for command in commands] == [0] * 5
    assert sorted(said) == ["", "", "", "", "made False []\n"]


def test_who_waits_for_a_task_that_dies_does_it(project: Project) -> None:
    """The lock goes with the process."""
    wait = project.write("wait", "")
    with beside(project, "assets") as first:
        until((project.root / "begun").exists)
        with beside(project, "assets") as second:
            assert second.stderr
            second.stderr.readline()
            first.kill()
            wait.unlink()
            out, err = second.communicate(timeout=60)
    assert (second.returncode, out) == (0, "made False []\n")
    assert err == "assets: it did not end well the last time\n"


def test_a_pattern_without_a_file_is_an_error(project: Project) -> None:
    """It is named; nothing runs."""
    project.replace('"app/**/*.ts",', '"app/**/*.ts", "styles/*.css",')
    for command in (("assets",), ("why", "assets"), ("assets", "--force")):
        wrong = project.attempt(*command)
        assert (wrong.code, wrong.stdout) == (2, "")
        assert wrong.stderr.startswith(
            "error: inputs of task assets: nothing is there for 'styles/*.css'\n  next: "
        )


def test_an_output_that_was_not_made_is_an_error(project: Project) -> None:
    """The task is not done."""
    project.replace('"dist/"', '"dist/", "map.json"')
    wrong = project.attempt("assets")
    assert wrong.code == 2
    assert "task assets: it ended well, but made nothing for 'map.json'" in wrong.stderr
    assert project.why() == ["it did not end well the last time"]


def test_records_and_git_are_never_inputs(project: Project) -> None:
    """A build's record makes no task run; what the task makes itself does not either."""
    project.replace('["app/**/*.ts", "!**/*.test.ts"]', '"."')
    project.done()
    project.write("artifacts/builds/b1.toml", "")
    project.write(".git/index", "")
    assert project.done() is None


@pytest.mark.parametrize("damage", ["", "{", '{"format": 99}', "null"])
def test_damaged_state_means_doing_it_again(project: Project, damage: str) -> None:
    """Never an error, and never a wrong answer."""
    project.done()
    project.write("artifacts/.cache/tasks/assets.json", damage)
    assert project.done() == "not done before"
    assert project.done() is None


def test_the_cache_can_be_thrown_away(project: Project) -> None:
    """Then everything is done again."""
    project.done()
    subprocess.run(["rm", "-r", str(project.root / "artifacts")], check=True)
    assert project.done() == "not done before"


def test_from_a_folder_below(project: Project) -> None:
    """Patterns start at the folder of tasks.py, wherever inv is called."""
    project.replace('Path("', 'Path(__file__).with_name("x").parent.joinpath("')
    project.inv("assets")
    below = project.attempt("assets", cwd=project.root / "app/sub")
    assert below.stderr == "assets: nothing changed\n"


def test_settings_of_other_tasks_do_not_matter(project: Project) -> None:
    """A broken pyproject.toml is no reason not to make assets."""
    project.write("pyproject.toml", "[tool\n")
    assert project.done() == "not done before"


def test_unknown_names_get_near_ones(project: Project) -> None:
    """As does one of stagekit's."""
    wrong = project.attempt("why", "asets")
    assert (wrong.code, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        "error: inv why: there is no task 'asets'\n  next: did you mean assets?\n"
    )
    shipped = project.attempt("why", "build")
    assert shipped.code == 2
    assert "inv build.why" in shipped.stderr


def test_everything_invoke_takes(project: Project) -> None:
    """Names, aliases, positionals, pre, post, defaults: a task as any other."""
    project.write(
        "tasks.py",
        "import stagekit\n"
        "from invoke import Collection, task\n"
        "@task\n"
        "def before(c):\n"
        "    print('before')\n"
        "@task\n"
        "def after(c):\n"
        "    print('after')\n"
        "@stagekit.task(before, post=[after], name='make-it', aliases=['mi'], autoprint=True,\n"
        "               positional=['what'], incrementable=['loud'], optional=['log'],\n"
        "               inputs='app/*.ts')\n"
        "def made(c, what, loud=0, log=None):\n"
        "    '''Make it.'''\n"
        "    c.run(f'echo {what} {loud} {log}')\n"
        "    return 'made'\n"
        "@stagekit.task\n"
        "def plain(c):\n"
        "    c.run('echo plain')\n"
        "ns = stagekit.collection(made, plain)\n"
        "ns.add_collection(Collection('group', plain))\n",
    )
    first = project.inv("mi", "x", "-l", "-l", "--log=y")
    assert first.stdout.split() == ["before", "x", "2", "y", "made", "after"]
    again = project.inv("make-it", "-l", "-l", "x", "--log=y")
    assert again.stdout.split() == ["before", "None", "after"]
    said = ["argument loud changed", "argument log changed"]  # `what` nobody can know
    assert project.why("make-it") == project.why("mi") == said
    assert project.inv("plain").stderr == "plain: it names no inputs and no outputs\n"
    assert project.inv("plain").stdout == "plain\n"


def test_a_task_may_call_another(project: Project) -> None:
    """In Python, as any task may; the other one is skipped as it would be."""
    project.replace(
        "ns = ",
        "@stagekit.task(inputs='dist/app.js')\n"
        "def site(c):\n"
        "    print('got', assets(c))\n"
        "    print('got', assets(c, minify=True))\n"
        "    print('got', assets(c, minify=True))\n\n\n"
        "ns = ",
    )
    project.replace("collection(assets", "collection(assets, site")
    project.done()
    assert project.inv("site").stdout.splitlines() == [
        "got None",
        "made True None",
        "got 42",
        "got None",
    ]


def test_an_edit_while_it_waits_is_not_taken_for_what_ran(project: Project) -> None:
    """The code that was loaded is what counts: the next time the task is done with the new one."""
    project.write("flags.py", "FLAG = len('x')\n")
    project.replace("FLAGS = [", "import flags\n\n\n@task\ndef slow(c):\n    wait()\n\n\nFLAGS = [")
    project.replace(
        "def joined(c)",
        "def wait():\n"
        "    Path('begun').touch()\n"
        "    while Path('wait').exists():\n"
        "        time.sleep(0.02)\n\n\n"
        "def joined(c)",
    )
    project.replace('"made", minify', '"made", flags.FLAG, minify')
    project.replace("    help={", "    needs=[slow],\n    help={")
    wait = project.write("wait", "")
    with beside(project, "assets") as command:
        until((project.root / "begun").exists)
        project.replace('"made", flags', '"made", "new", flags')
        project.write("flags.py", "FLAG = len('xyz')\n")
        wait.unlink()
        out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (0, "made 1 False []\n"), err
    assert project.why() == ["its code changed", "value of flags.FLAG changed"]
    assert project.inv("assets").stdout == "made new 3 False []\n"
    assert project.why() == []


def test_what_a_task_before_it_left_in_a_module_is_no_change(project: Project) -> None:
    """Values are those that modules have before any task was called: a version that is asked for
    once, a list of what was seen. The task is done or skipped by them whatever was done before."""
    project.write(
        "version.py",
        "found = None\n"
        "seen = set()\n\n\n"
        "def version():\n"
        "    global found\n"
        "    found = found or '1.2'\n"
        "    seen.add(found)\n"
        "    return found, seen\n",
    )
    project.replace(
        "ns = ",
        "@task\n"
        "def plain(c):\n"
        "    version.version()\n\n\n"
        "@stagekit.task(inputs='app/', needs=NEEDS)\n"
        "def first(c):\n"
        "    version.version()\n\n\n"
        "@stagekit.task(inputs='app/', needs='first')\n"
        "def second(c):\n"
        "    version.version()\n\n\n"
        "ns = ",
    )
    project.replace("import stagekit\n", "import stagekit\nimport version\nNEEDS = []\n")
    project.replace("collection(assets", "collection(assets, plain, first, second")
    project.inv("second")
    assert (project.why("first"), project.why("second")) == ([], [])
    project.replace("NEEDS = []", "NEEDS = ['plain']")
    assert "second: nothing changed" in project.inv("second").stderr
    assert (project.why("first"), project.why("second")) == ([], [])


def test_a_project_that_is_reached_by_a_link_is_the_same(project: Project) -> None:
    """Its modules are then called otherwise, and their values count all the same."""
    project.write("level.py", "from pathlib import Path\nLEVEL = Path('level').read_text()\n")
    project.write("level", "1")
    project.replace("import stagekit\n", "import level\nimport stagekit\n")
    project.replace("str(FLAGS)", "str(level.LEVEL)")
    link = project.root.with_name("link")
    link.symlink_to(project.root)

    def said() -> str:
        return project.inv("--search-root", str(link), "assets").stderr

    project.inv("assets")
    assert "assets: nothing changed" in said()
    project.write("level", "2")
    assert "assets: value of level.LEVEL changed" in said()
    assert project.done() is None


@pytest.mark.parametrize(
    "collected",
    [
        "ns.add_collection(Collection('own', page.html), name='own')",
        "ns = stagekit.collection(plugins=[Plugin()])",
    ],
)
def test_values_count_wherever_a_task_is_collected(project: Project, collected: str) -> None:
    """In a collection below stagekit's, and by a plugin of the project's own, too."""
    project.write("level.py", "from pathlib import Path\nLEVEL = Path('level').read_text()\n")
    project.write("level", "1")
    project.write(
        "page.py",
        "import stagekit, level\n\n\n"
        "@stagekit.task(inputs='app/')\n"
        "def html(c):\n"
        "    print(level.LEVEL)\n",
    )
    project.write(
        "tasks.py",
        "import page, stagekit\n"
        "from invoke import Collection\n\n\n"
        "class Plugin:\n"
        "    def stagekit_tasks(self):\n"
        "        return [page.html]\n\n\n"
        f"ns = stagekit.collection()\n{collected}\n",
    )
    name = "own.html" if "own" in collected else "html"
    said = []
    for level in ("1", "1", "2"):
        project.write("level", level)
        said.append(project.inv(name).stderr)
    assert "html: nothing changed" in said[1]
    assert "html: value of level.LEVEL changed" in said[2]


def test_what_is_doubtful_in_a_module_is_not_said_twice(project: Project) -> None:
    """Python says so when it loads it."""
    project.replace('    print("made"', '    assert "\\d" is not 1\n    print("made"')
    assert project.inv("assets").stderr.count("SyntaxWarning") == 1


def test_a_task_that_calls_itself_is_an_error(project: Project) -> None:
    """It would wait for itself."""
    project.replace("    return 42", "    assets(c, minify=True)")
    wrong = project.attempt("assets")
    assert wrong.code == 2
    assert "task assets: it calls itself" in wrong.stderr


def test_a_task_that_reaches_itself_by_way_of_needs_is_an_error(project: Project) -> None:
    """What is needed is done in other threads, and is a part of the task all the same."""
    project.replace("    return 42", "    site(c)")
    project.replace(
        "ns = stagekit.collection(assets",
        "@stagekit.task(needs=['assets'])\n"
        "def site(c):\n"
        "    print('site')\n\n\n"
        "ns = stagekit.collection(assets, site",
    )
    with beside(project, "assets") as command:
        out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (2, "made False []\n")
    assert "task assets: it calls itself" in err
    assert "waiting for process" not in err


def test_a_task_with_a_flag_of_that_name_is_refused() -> None:
    """--force is what this adds."""

    def publish(c: object, force: bool = False) -> None:
        """Publish."""

    with pytest.raises(
        ValueError, match=r"'publish' of tests\.test_own_tasks has a parameter force"
    ):
        stagekit.task(publish)


def test_without_a_collection(project: Project) -> None:
    """A tasks.py that has none works as well: its folder is the project."""
    project.replace("ns = stagekit.collection(assets)\n", "")
    assert project.done() == "not done before"
    assert project.done() is None


def test_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task is called as a function, and returns what that does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("1")

    @stagekit.task(inputs=["a"])
    def count(c: Context, by: int = 1) -> int:
        """Count."""
        return by + 1

    stagekit.collection(count, root=tmp_path)
    assert [count(Context()), count(Context()), count(Context(), by=2), count(Context(), 2)] == [
        2,
        None,
        3,
        None,
    ]
    assert count(Context(), 2, force=True) == 3
    assert count.called


def test_what_is_kept_is_readable(project: Project) -> None:
    """One file of JSON below the cache, with digests only."""
    project.done()
    kept = json.loads(project.read("artifacts/.cache/tasks/assets.json"))
    assert set(kept["inputs"]) == {"app/a.ts", "app/sub/b.ts"}
    assert set(kept["outputs"]) == {"dist/app.js", "dist/sub/flags"}
    assert kept["ended"]
