"""From a repository's tasks.py to what ``inv`` can do."""

from __future__ import annotations

from pathlib import Path

import pytest
from invoke.tasks import Task, task

import stagekit
from stagekit.cli.app import App
from stagekit.cli.task import stage_task
from stagekit.errors import NameClash
from tests.repository import Repository


def plain(name: str, **settings: object) -> Task:  # type: ignore[type-arg]
    """A plain Invoke task of a name."""

    @task(name=name, **settings)
    def body(c: object) -> None:
        """Do it."""

    return body


def test_what_ships_is_all_there(tmp_path: Path) -> None:
    """Groups have a default, so that ``inv build`` builds."""
    names = stagekit.collection(root=tmp_path).task_names
    assert {*names, *(alias for aliases in names.values() for alias in aliases)} >= {
        *("build", "build.list", "release", "release.list", "release.show", "release.diff"),
        *("release.verify", "release.cancel", "release.notes", "release.prune"),
        *("run", "run.status", "run.rollback", "run.stop", "up", "doctor"),
        *("engine.start", "engine.stop", "engine.status"),
    }


def test_own_tasks_stand_next_to_them(tmp_path: Path) -> None:
    """Plain ones and shipped-style ones, under their own names."""

    @stage_task(name="mine")
    def mine(app: App) -> None:
        """Do mine."""

    namespace = stagekit.collection(plain("deploy_docs"), mine, root=tmp_path)
    assert {"deploy-docs", "mine"} <= set(namespace.task_names)
    assert namespace["mine"].app.root == tmp_path


@pytest.mark.parametrize("name", ["up", "doctor", "build", "run", "engine"])
def test_a_shipped_name_is_refused(tmp_path: Path, name: str) -> None:
    """Invoke would overwrite one of the two without a word; the error names both sides."""
    with pytest.raises(NameClash, match=f"'{name}' of tests.test_collection .*stagekit's own"):
        stagekit.collection(plain(name), root=tmp_path)


def test_a_shipped_name_is_refused_as_an_alias_too(tmp_path: Path) -> None:
    """An alias would hide the shipped task just the same."""
    with pytest.raises(NameClash, match="'doctor'"):
        stagekit.collection(plain("mine", aliases=["doctor"]), root=tmp_path)


def test_two_own_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    """Neither hides the other."""
    with pytest.raises(NameClash, match="'mine'"):
        stagekit.collection(plain("mine"), plain("mine"), root=tmp_path)


def test_the_project_is_the_folder_of_tasks_py(repository: Repository) -> None:
    """Also when inv is called in a folder below it."""
    missing = repository.attempt("build.show", "b1", cwd=repository.root / "app")
    assert (missing.code, missing.stdout) == (2, "")
    assert f"{repository.root}/artifacts/builds/b1.toml" in missing.stderr


def test_broken_settings_do_not_stop_the_listing(repository: Repository) -> None:
    """Each task reports them itself."""
    repository.write("pyproject.toml", "[tool\n")
    assert "run.rollback" in repository.inv("--list").stdout
    broken = repository.attempt("build", "--plan")
    assert (broken.code, broken.stdout) == (2, "")
    assert "pyproject.toml" in broken.stderr


def test_a_wrong_plugin_is_one_line(repository: Repository) -> None:
    """The listing works; the task that asks plugins says which hook is unknown."""
    repository.write(
        "tasks.py",
        "import sys\nimport stagekit\n\n@stagekit.hookimpl\ndef stagekit_nope():\n"
        "    return 1\n\nns = stagekit.collection(plugins=[sys.modules[__name__]])\n",
    )
    repository.inv("--list")
    wrong = repository.attempt("build", "--plan", DOCKER_HOST="unix:///nowhere")
    assert wrong.code == 2
    assert "stagekit_nope" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_clash_names_both_sides(tmp_path: Path) -> None:
    """Two own tasks, or one of a plugin's, are told from those that ship."""
    with pytest.raises(NameClash, match=r"test_collection\.py:\d+: task 'mine' .* the one .*:\d+$"):
        stagekit.collection(plain("mine"), plain("mine"), root=tmp_path)
    with pytest.raises(NameClash) as caught:
        stagekit.collection(plain("doctor"), root=tmp_path)
    assert caught.value.hint == "rename it, or override={'doctor': …}"


def test_what_is_uncaught_is_shown_as_in_shipped_tasks(repository: Repository) -> None:
    """A clash while tasks.py is read, and what a plain task lets through; other errors keep their
    tracebacks."""
    repository.write(
        "tasks.py",
        "import stagekit\nfrom invoke import task\nfrom stagekit import stages\n\n"
        "@task\ndef ship(c):\n    stages.release(env='prod')\n\n"
        "@task\ndef slip(c):\n    raise ValueError('slipped')\n\n"
        "ns = stagekit.collection(ship, slip)\n",
    )
    refused = repository.attempt("ship")
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr == "error: artifacts/builds/: there is no build yet\n  next: inv build\n"
    assert "Traceback" in repository.attempt("ship", STAGEKIT_DEBUG="1").stderr
    slipped = repository.attempt("slip")
    assert slipped.code == 1
    assert slipped.stderr.endswith("ValueError: slipped\n")
    repository.write("tasks.py", repository.read("tasks.py").replace("ship", "build"))
    clash = repository.attempt("--list")
    assert clash.code == 2
    assert clash.stderr == (
        "error: tasks.py:5: task 'build' of tasks has the name of one of stagekit's own\n"
        "  next: rename it, or override={'build': …}\n"
    )


def test_a_shipped_task_is_overridden_by_name(tmp_path: Path) -> None:
    """At the top, in a group and as a group's own: it takes the shipped one's names."""
    look, halt, up = plain("look"), plain("halt"), plain("anything", aliases=["other"])
    namespace = stagekit.collection(
        override={"doctor": look, "run.stop": halt, "build": up}, root=tmp_path
    )
    assert namespace["doctor"] is look
    assert namespace["run.stop"] is halt
    assert namespace["build"] is namespace["build.new"] is up
    shipped = stagekit.collection(root=tmp_path)
    assert set(namespace.task_names) == set(shipped.task_names)
    assert "build" in namespace.task_names["build.new"]


def test_only_what_ships_can_be_overridden(tmp_path: Path) -> None:
    """A misspelt name would else leave the shipped task where somebody thinks it is not."""
    with pytest.raises(NameClash, match=r"'run\.stopp'") as caught:
        stagekit.collection(override={"run.stopp": plain("halt")}, root=tmp_path)
    assert caught.value.hint == "did you mean run.stop?"


def test_an_overriding_task_is_called_by_the_shipped_ones_name(repository: Repository) -> None:
    """It is listed with its own words, and may do what the shipped one does by `stages`."""
    repository.write(
        "tasks.py",
        "import stagekit\nfrom invoke import task\nfrom stagekit import stages\n"
        "@task(help={'env': 'where to'})\ndef careful(c, env):\n"
        '    """Release, but for Fridays."""\n    print(env, stages.releases(env=env))\n'
        "ns = stagekit.collection(override={'release': careful})\n",
    )
    assert repository.inv("release", "--env", "dev").stdout == "dev ()\n"
    assert "Release, but for Fridays." in repository.inv("--list").stdout
