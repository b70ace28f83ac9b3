"""Several images: side by side, in order where one starts from another, all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Machine
from tests.engine.images import files
from tests.engine.test_builders import configure
from tests.repository import Repository

pytestmark = pytest.mark.engine

_TIMED = (
    "FROM busybox:1\n"
    "RUN echo {mark}; mkdir /src; cat /proc/uptime > /src/begun; sleep 2\n"
    "RUN cat /proc/uptime > /src/ended\n"
)
"""The kernel's clock, which all containers share; a mark that no build cache knows."""


@pytest.fixture(params=["classic", "buildx"])
def builder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(deployed: Repository, buildx: Any) -> Repository:
    deployed.environ["DOCKER_CONFIG"] = str(buildx)
    return deployed


def test_images_are_built_at_the_same_time(
    project: Repository, machine: Machine, builder: str
) -> None:
    """Each begins before any has ended; a line for each, and one record."""
    names = ["one", "two", "three"]
    configure(project, builder, **{name: {"context": name} for name in names})
    for name in names:
        project.write(f"{name}/Dockerfile", _TIMED.format(mark=f"{name} {project.name}"))

    done = project.inv("build", "--json")

    assert set(done.json["images"]) == set(names)
    found = [files(machine, done.json["images"][name]) for name in names]
    begun, ended = ([float(item[at].split()[0]) for item in found] for at in ("begun", "ended"))
    assert max(begun) < min(ended)
    for name in names:
        assert f"{name}: not built before\n" in done.stderr
        assert f"build   {name}  " in done.stderr


def test_an_image_starts_from_another(project: Repository, machine: Machine, builder: str) -> None:
    """A change below is a change above; a change above is none below."""
    configure(project, builder, base={"context": "base"}, app={"context": "app"})
    settings = project.read("pyproject.toml")
    project.write("pyproject.toml", f'{settings}depends = ["base"]\n')
    project.write("base/Dockerfile", "FROM busybox:1\nCOPY file /src/file\n")
    project.write("base/file", f"one {project.name}")
    project.write("app/Dockerfile", "ARG IMAGE_BASE\nFROM ${IMAGE_BASE}\nCOPY index.html /src/\n")
    first = project.inv("build", "--json").json
    assert files(machine, first["images"]["app"]) == {
        "file": f"one {project.name}".encode(),
        "index.html": b"hello\n",
    }

    project.write("base/file", f"two {project.name}")
    assert project.inv("build.why").stdout == (
        "base: file changed\napp: base image base of this project changed\n"
    )
    second = project.inv("build", "--json").json
    assert files(machine, second["images"]["app"])["file"] == f"two {project.name}".encode()

    project.write("app/index.html", "other")
    third = project.inv("build", "--json").json
    assert third["images"]["base"]["made_by"] == second["id"]
    assert third["images"]["base"]["digest"] == second["images"]["base"]["digest"]


def test_one_failure_fails_the_whole(project: Repository, machine: Machine, builder: str) -> None:
    """The others are built to their end, what starts from it is left out, nothing is pushed."""
    configure(
        project, builder, good={"context": "app"}, bad={"context": "bad"}, top={"context": "top"}
    )
    settings = project.read("pyproject.toml")
    project.write("pyproject.toml", f'{settings}depends = ["bad"]\n')
    project.write("bad/Dockerfile", "FROM busybox:1\nRUN echo the reason; exit 7\n")
    project.write("top/Dockerfile", "ARG IMAGE_BAD\nFROM ${IMAGE_BAD}\n")
    project.write("app/index.html", project.name)

    failed = project.attempt("build")

    assert failed.code == 3
    assert "build   good  " in failed.stderr
    assert "failed  build bad" in failed.stderr
    assert "top: left out, because of bad" in failed.stderr
    assert "  | the reason\n" in failed.stderr
    assert "push" not in failed.stderr
    (build,) = project.inv("build.list", "--json").json
    assert (build["status"], build.get("images", {})) == ("failed", {})
    (failure,) = build["failures"]
    assert (failure["subject"], failure["step"]) == ("bad", "build")
    log = project.inv("build.log", build["id"]).stdout
    assert "bad | " in log
    assert "the reason" in log
    assert "good | " in log
    assert project.attempt("release", "--env", "dev").code == 2


def test_fail_fast_stops_the_others(project: Repository) -> None:
    """Soon after the first failure."""
    configure(project, "buildx", slow={"context": "slow"}, bad={"context": "bad"})
    project.write("slow/Dockerfile", f"FROM busybox:1\nRUN echo {project.name}; sleep 300\n")
    project.write("bad/Dockerfile", "FROM busybox:1\nRUN exit 7\n")
    failed = project.attempt("build", "--fail-fast")
    assert failed.code == 3
    assert "failed  build slow" in failed.stderr
    (build,) = project.inv("build.list", "--json").json
    assert [failure["subject"] for failure in build["failures"]] == ["bad"]


def test_checks_run_in_the_image(project: Repository, machine: Machine) -> None:
    """What it prints is kept; a failing one is a failed build, and no container is left."""
    settings = project.read("pyproject.toml")
    checks = '\n[tool.stagekit.checks]\npage = "grep {} /www/index.html"\n'
    project.write("pyproject.toml", settings + checks.format("hello"))
    passed = project.inv("build", "--json")
    (check,) = passed.json["checks"]
    assert (check["name"], check["image"], check["run"]) == (
        "page",
        "app",
        ["grep", "hello", "/www/index.html"],
    )
    assert "check   app page" in passed.stderr
    assert "hello" in project.inv("build.log", passed.json["id"]).stdout

    project.write("pyproject.toml", settings + checks.format("goodbye"))
    failed = project.attempt("build")
    assert failed.code == 3
    says = "error: image app: check page ended with 1: grep goodbye /www/index.html\n"
    assert says in failed.stderr
    newest = project.inv("build.list", "--json").json[0]
    assert newest["failures"][0]["step"] == "check page"
    assert project.attempt("release", "--env", "dev").code == 2
    listed = machine.client().containers.list(
        all=True, filters={"label": f"stagekit.project={project.name}"}, ignore_removed=True
    )
    assert listed == []


def test_a_check_that_takes_too_long_is_ended(project: Repository) -> None:
    """By its own limit."""
    settings = project.read("pyproject.toml")
    project.write(
        "pyproject.toml",
        f'{settings}\n[tool.stagekit.checks.waits]\nrun = ["sleep", "300"]\ntimeout = 1\n',
    )
    failed = project.attempt("build")
    assert failed.code == 3, failed.text
    assert "error: image app: check waits was ended after 1 s: sleep 300\n" in failed.stderr
