"""``stagekit`` on its own: with a tasks.py, with settings alone, and with neither."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stagekit.cli.program import project_folder
from stagekit.testing.project import Outcome, clean_environment
from stagekit.version import __version__
from tests.repository import Repository

SETTINGS = '[tool.stagekit]\nname = "shop"\n'


def stagekit(folder: Path, *arguments: str, **environ: str) -> Outcome:
    """Run the program as its script does."""
    done = subprocess.run(
        [Path(sys.executable).with_name("stagekit"), *arguments],
        cwd=folder,
        env={**clean_environment(), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder without tasks.py, nor is there one above."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_version_is_stagekits(empty: Path) -> None:
    """In the form of Invoke's own; asked as a module, too."""
    assert stagekit(empty, "--version").stdout == f"stagekit {__version__}\n"
    asked = [sys.executable, "-m", "stagekit", "--version"]
    assert subprocess.check_output(asked, text=True) == f"stagekit {__version__}\n"


def test_help_is_invokes_under_its_own_name(empty: Path) -> None:
    """Of the program, and of a task."""
    assert stagekit(empty, "--help").stdout.startswith("Usage: stagekit [--core-opts] task1")
    assert "Usage: stagekit [--core-opts] build.new" in stagekit(empty, "-h", "build.new").stdout


def test_its_name_alone_lists_what_it_can_do(empty: Path) -> None:
    """The tasks; Invoke's own options help nobody who has not seen one yet."""
    bare = stagekit(empty)
    assert bare.code == 0
    assert bare.stdout == stagekit(empty, "--list").stdout
    assert bare.stderr == "stagekit --help TASK says how one is called\n"


def test_what_to_type_next_can_be_typed(empty: Path) -> None:
    """Without a tasks.py, `inv` would find nothing."""
    (empty / "pyproject.toml").write_text(SETTINGS)
    (empty / "environments/dev").mkdir(parents=True)
    (empty / "environments/dev/config.toml").touch()
    refused = stagekit(empty, "release", "--env", "dev")
    assert "next: stagekit build" in refused.stderr
    assert "inv " not in refused.stderr


def test_a_list_that_is_not_read_to_its_end_is_no_failure(empty: Path) -> None:
    """``stagekit | head -1``."""
    program = Path(sys.executable).with_name("stagekit")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{program} | true"],
        cwd=empty,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr


def test_without_tasks_py_what_ships_answers(empty: Path) -> None:
    """For the current folder: it says what is missing, and writes nothing there."""
    listed = stagekit(empty, "--list", "--list-format=json").json
    assert {"doctor", "up", "completion"} <= {task["name"] for task in listed["tasks"]}
    shown = stagekit(empty, "doctor", DOCKER_HOST="unix:///nowhere", PATH="/nowhere")
    assert "registry: stagekit engine.start" in shown.stdout
    assert "inv " not in shown.stdout
    doctor = stagekit(empty, "doctor", "--json", DOCKER_HOST="unix:///nowhere")
    assert doctor.code == 1
    parts = {part["name"]: part for part in doctor.json}
    assert parts["project"]["where"].startswith(f"{empty} ")
    assert list(empty.iterdir()) == []


def test_with_tasks_py_its_tasks_are_the_ones(repository: Repository) -> None:
    """Own ones included, from folders below, and as ``inv`` has them."""
    repository.write(
        "tasks.py",
        "import stagekit\nfrom invoke import task\n"
        '@task\ndef mine(c):\n    """Mine."""\n    print("mine was run")\n'
        "ns = stagekit.collection(mine)\n",
    )
    below = repository.root / "app"
    assert stagekit(below, "mine").stdout == "mine was run\n"
    listed = stagekit(below, "--list").stdout
    assert listed == repository.inv("--list").stdout
    missing = stagekit(below, "build.show", "b1")
    assert missing.code == 2
    assert f"{repository.root}/artifacts/builds/b1.toml" in missing.stderr


def test_what_to_type_next_names_the_program_that_was_called(repository: Repository) -> None:
    """Where there is a tasks.py, either would do."""
    wrong = stagekit(repository.root, "release", "--env", "nope")
    assert (wrong.code, wrong.stderr) == (
        2,
        "error: environments/: no environment 'nope'\n  next: there are: dev, prod\n",
    )
    none = stagekit(repository.root, "run.rollback", "-e", "dev")
    assert "stagekit release.list --env dev" in none.stderr
    assert "inv release.list --env dev" in repository.attempt("run.rollback", "-e", "dev").stderr


def test_settings_alone_make_a_project(repository: Repository) -> None:
    """Without tasks.py, from any folder of it: its name, its images, its environments."""
    (repository.root / "tasks.py").unlink()
    found = stagekit(repository.root / "app", "doctor", "--json", DOCKER_HOST="unix:///nowhere")
    parts = {part["name"]: part for part in found.json}
    assert parts["project"]["where"] == f"{repository.root} (images: app; dev, prod)"
    why = stagekit(repository.root / "app", "build", "--plan", DOCKER_HOST="unix:///nowhere")
    assert why.code == 6
    back = stagekit(repository.root / "app", "run.rollback", "--env", "dev")
    assert "no earlier release ran well in dev" in back.stderr


@pytest.mark.parametrize(
    "settings", [SETTINGS, "[tool]\nstagekit = { name = 'shop' }\n", f"{SETTINGS}images = [\n"]
)
def test_the_folder_with_settings_is_the_project(tmp_path: Path, settings: str) -> None:
    """The nearest one; broken settings are told of by the task that reads them."""
    below = tmp_path / "shop" / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (below / "pyproject.toml").write_text('[project]\nname = "other"\n')
    (tmp_path / "shop" / "pyproject.toml").write_text(settings)
    assert project_folder(below) == tmp_path / "shop"


def test_without_settings_the_folder_itself_is(tmp_path: Path) -> None:
    """Whatever lies above it, readable or not."""
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    assert project_folder(tmp_path / "here") == tmp_path / "here"


def test_another_root_and_another_collection(repository: Repository, empty: Path) -> None:
    """As Invoke's own -r and -c."""
    repository.write("others.py", "from invoke import task\n@task\ndef other(c):\n    print('o')\n")
    assert stagekit(empty, "-r", str(repository.root), "-c", "others", "other").stdout == "o\n"
    missing = stagekit(repository.root, "-c", "nope", "--list")
    assert (missing.code, missing.stderr) == (1, "Can't find any collection named 'nope'!\n")
    assert "doctor" in stagekit(repository.root, "-r", str(empty), "--list").stdout


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("biuld", "did you mean build?"),
        ("release.shw dev/v1", "did you mean release.show?"),
        ("--help doctr", "did you mean doctor?"),
        ("release --evn dev", "did you mean --env?"),
        ("release --evn=dev", "did you mean --env?"),
        ("release --zzz", "stagekit --help release.new shows what there is"),
        ("deploy-docs", "stagekit --list shows what there is; there is no tasks.py here or above"),
    ],
)
def test_a_wrong_command_line_names_what_is_near(empty: Path, arguments: str, meant: str) -> None:
    """With Invoke's own words and exit code before that."""
    wrong = stagekit(empty, *arguments.split())
    assert (wrong.code, wrong.stdout) == (1, "")
    what, next_line = wrong.stderr.splitlines()
    assert (what.startswith("No idea what '"), next_line) == (True, f"  next: {meant}")


def test_other_parse_errors_are_invokes_own(empty: Path) -> None:
    """There is nothing to add."""
    missing = stagekit(empty, "build.show")
    assert missing.code == 1
    assert missing.stderr == (
        "'build.show' did not receive required positional arguments: 'build'\n"
    )


def test_tasks_py_without_stagekit(empty: Path) -> None:
    """Its tasks are the ones; of ours it is said how they get there."""
    (empty / "tasks.py").write_text("from invoke import task\n@task\ndef own(c):\n    print(1)\n")
    assert stagekit(empty, "own").stdout == "1\n"
    wrong = stagekit(empty, "doctor")
    assert wrong.code == 1
    assert f"the tasks.py in {empty} does not have it: ns = stagekit.coll" in wrong.stderr


def test_a_tasks_py_of_another_tool(empty: Path) -> None:
    """Without one task in it, what ships answers."""
    (empty / "tasks.py").write_text("def add(x, y):\n    return x + y\n")
    assert "doctor" in stagekit(empty, "--list").stdout


def test_a_tasks_py_that_needs_what_is_not_there(empty: Path) -> None:
    """As where stagekit has an environment of its own: no traceback, unless it is asked for."""
    (empty / "tasks.py").write_text("import no_such_module\n")
    wrong = stagekit(empty, "--list")
    assert (wrong.code, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: tasks.py: No module named 'no_such_module'\n  next: ")
    assert "Traceback" in stagekit(empty, "--list", STAGEKIT_DEBUG="1").stderr


def test_an_exit_of_tasks_py_is_its_own(empty: Path) -> None:
    """It is not taken for a collection that is not there."""
    (empty / "tasks.py").write_text("import invoke\nraise invoke.Exit('not here', code=3)\n")
    assert (stagekit(empty, "--list").code, stagekit(empty, "--list").stderr) == (3, "not here\n")
