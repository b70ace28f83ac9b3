"""Tasks that a build needs: done before its images are looked at, and not for a plan."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Machine
from tests.engine.images import files
from tests.repository import Repository

pytestmark = pytest.mark.engine

TASKS = """\
from pathlib import Path

import stagekit
from invoke import task


def log(text):
    with Path("log").open("a") as file:
        file.write(f"{text}\\n")


@stagekit.task(inputs=["src/*.ts"], outputs=["src/gen/"])
def codegen(c):
    log("codegen")
    Path("src/gen").mkdir(exist_ok=True)
    Path("src/gen/x.ts").write_text("gen")


@stagekit.task(inputs=["src/"], outputs=["app/dist/"], needs=["codegen"])
def assets(c):
    log("assets")
    print("printed")
    c.run("mkdir -p app/dist; cat src/*.ts src/gen/*.ts > app/dist/app.js; echo run")
    if Path("fail").exists():
        c.run("exit 3")


@task
def version(c):
    log("version")


ns = stagekit.collection(codegen, assets, version)
"""


@pytest.fixture
def project(deployed: Repository) -> Repository:
    deployed.write("tasks.py", TASKS)
    deployed.write("src/a.ts", "a")
    deployed.write(".gitignore", "log\nfail\n/artifacts/\n/app/dist/\n/src/gen/\n__pycache__\n")
    deployed.write("app/Dockerfile", "FROM busybox:1\nCOPY dist /src\n")
    settings = deployed.read("pyproject.toml")
    deployed.write("pyproject.toml", f'{settings}needs = ["assets"]\n')
    return deployed


def log(project: Repository) -> list[str]:
    path = project.root / "log"
    return path.read_text().split() if path.exists() else []


def test_a_build_of_what_tasks_made(project: Repository, machine: Machine) -> None:
    """What they make is in the image; where nothing changed, neither they nor the image are made
    again; a change of a source goes all the way."""
    first = project.inv("build", "--json")
    assert files(machine, first.json["images"]["app"]) == {"app.js": b"agen"}
    assert log(project) == ["codegen", "assets"]
    lines = first.stderr.splitlines()
    assert lines[0] == "codegen: not done before"
    assert "assets: not done before" in lines
    assert "assets | printed" in lines
    assert "assets | run" in lines
    again = project.inv("build", "--json")
    assert again.json == first.json
    assert "nothing changed since" in again.stderr
    assert log(project) == ["codegen", "assets"]
    project.write("src/a.ts", "b")
    changed = project.inv("build", "--json")
    assert files(machine, changed.json["images"]["app"]) == {"app.js": b"bgen"}
    assert "assets: src/a.ts changed\n" in changed.stderr
    assert "app: dist/app.js changed\n" in changed.stderr


def test_a_plan_says_what_would_run_and_runs_nothing(project: Repository) -> None:
    """So does build.why; where images start from what is not there yet, that is said."""
    needs = [
        {"task": "codegen", "run": True, "why": ["not done before"], "after": []},
        {"task": "assets", "run": True, "why": ["not done before"], "after": ["codegen"]},
    ]
    plan = project.inv("build", "--plan", "--json").json
    assert (plan["needs"], plan["unchanged"]) == (needs, False)
    assert project.inv("build.why", "--json").json["app"]["needs"] == needs
    shown = project.inv("build", "--plan").stdout.splitlines()
    assert shown[:2] == ["run    codegen  (not done before)", "run    assets  (not done before)"]
    assert log(project) == []
    project.inv("build")
    assert project.inv("build", "--plan").stdout.splitlines()[:2] == [
        "skip   codegen  (nothing changed)",
        "skip   assets  (nothing changed)",
    ]
    project.write("src/a.ts", "b")
    done = project.inv("build", "--plan")
    assert done.stdout.splitlines()[:2] == [
        "run    codegen  (src/a.ts changed)",
        "run    assets  (src/a.ts changed)",
    ]
    assert "may change what is said of images" in done.stderr
    assert "assets: src/a.ts changed\n" in project.inv("build.why").stdout
    assert log(project) == ["codegen", "assets"]


def test_a_context_that_a_task_makes(project: Repository, machine: Machine) -> None:
    """A folder that is not there yet is no wrong setting of an image that needs a task."""
    settings = project.read("pyproject.toml")
    project.write("pyproject.toml", settings.replace('"app"', '"app/dist"'))
    project.write("src/Dockerfile", "FROM busybox:1\nCOPY app.js /src/\n")
    project.write("tasks.py", TASKS.replace("; echo run", "; cp src/Dockerfile app/dist; echo run"))
    plan = project.inv("build", "--plan")
    assert plan.stdout.startswith("run    codegen  (not done before)\n")
    assert "can be told after these tasks ran" in plan.stderr
    why = project.inv("build.why", "--json").json["app"]
    assert (why["build"], [item["run"] for item in why["needs"]]) == (None, [True, True])
    assert project.inv("build.why").stdout == (
        "codegen: not done before\nassets: not done before\n"
    )
    built = project.inv("build", "--json").json
    assert files(machine, built["images"]["app"]) == {"app.js": b"agen"}


def test_a_task_that_fails_stops_the_build(project: Repository) -> None:
    """Nothing is built or recorded; the exit code is a failed build's."""
    project.write("fail", "")
    failed = project.attempt("build", "--json")
    assert (failed.code, failed.stdout) == (3, "")
    assert failed.stderr.endswith("error: task assets: exit 3 ended with 3\n")
    assert project.inv("build.list", "--json").json == []


def test_a_plain_task_runs_each_time(project: Repository) -> None:
    """Also where nothing else changed; each task once, however many images need it."""
    settings = project.read("pyproject.toml").replace('["assets"]', '["version", "assets"]')
    project.write(
        "pyproject.toml",
        f'{settings}[tool.stagekit.images.side]\ncontext = "app"\nneeds = ["version"]\n',
    )
    project.inv("build")
    project.inv("build")
    assert sorted(log(project)) == ["assets", "codegen", "version", "version"]
    why = project.inv("build.why", "--json").json
    assert [item["task"] for item in why["side"]["needs"]] == ["version"]
    assert {item["task"] for item in why["app"]["needs"]} == {"version", "codegen", "assets"}


def test_a_need_that_nobody_knows(project: Repository) -> None:
    """It is named with where it is written, and with a near name."""
    settings = project.read("pyproject.toml")
    project.write("pyproject.toml", settings.replace('["assets"]', '["aset"]'))
    for command in (("build",), ("build", "--plan"), ("build.why",)):
        wrong = project.attempt(*command)
        assert (wrong.code, wrong.stdout) == (2, "")
        assert wrong.stderr == (
            "error: pyproject.toml [tool.stagekit.images.app] needs: there is no task 'aset'\n"
            "  next: did you mean assets?\n"
        )


def test_what_tasks_make_can_be_uncommitted_changes(project: Repository) -> None:
    """`require_clean` looks again after them: a build is of its commit."""
    project.write(
        "pyproject.toml",
        project.read("pyproject.toml").replace("\n\n", "\nrequire_clean = true\n\n", 1),
    )
    project.write("tasks.py", TASKS.replace('log("codegen")', 'Path("new").touch()'))
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        author = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
        subprocess.run(["git", *author, *command], cwd=project.root, check=True)
    wrong = project.attempt("build")
    assert wrong.code == 2
    assert "the source has uncommitted changes: new" in wrong.stderr


def test_a_release_takes_no_build_that_is_out_of_date(project: Repository) -> None:
    """A source that changed is one until the tasks made of it what images are made from."""
    project.inv("build")
    project.inv("release", "--env", "dev")
    project.write("src/a.ts", "b")
    wrong = project.attempt("release", "--env", "dev")
    assert wrong.code == 2
    assert "codegen would run (src/a.ts changed)" in wrong.stderr
    assert "next: inv build" in wrong.stderr
    project.inv("build")
    project.inv("release", "--env", "dev")


def test_the_whole_way(project: Repository) -> None:
    """`inv up` does the tasks too."""
    project.inv("up", "--env", "dev")
    assert log(project) == ["codegen", "assets"]
