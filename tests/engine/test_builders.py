"""What holds for every builder: the engine's own, and BuildKit by buildx."""

from __future__ import annotations

import re
import secrets
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Machine
from tests.engine.images import files
from tests.repository import Repository

pytestmark = pytest.mark.engine

_LIMIT = 60.0
_STEPS = {"classic": r"Step {step}/\d+ : RUN {command}", "buildx": r"\[{step}/\d+\] RUN {command}"}


@pytest.fixture(params=["classic", "buildx"])
def builder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(deployed: Repository, builder: str, buildx: Path) -> Repository:
    """A repository whose ``builder`` setting names one of the two; buildx is there for both."""
    deployed.environ["DOCKER_CONFIG"] = str(buildx)
    configure(deployed, builder, app={"context": "app"})
    return deployed


def configure(project: Repository, builder: str, **images: dict[str, Any]) -> None:
    """Write the project's settings: its builder and its images."""
    lines = ["[tool.stagekit]", f'name = "{project.name}"', f'builder = "{builder}"']
    for name, settings in images.items():
        lines += [f"[tool.stagekit.images.{name}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in settings.items()]
    project.write("pyproject.toml", "\n".join(lines) + "\n")


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'{key} = "{text}"' for key, text in value.items()) + "}"
    return f'"{value}"'


def build(project: Repository) -> dict[str, Any]:
    """Build, and return the record of the image ``app``."""
    image: dict[str, Any] = project.inv("build", "--json").json["images"]["app"]
    return image


def newest_record(project: Repository) -> dict[str, Any]:
    """Return the newest build's record, as it stands in its file."""
    paths = (project.root / "artifacts/builds").glob("*.toml")
    return tomllib.loads(max(paths, key=lambda path: path.stat().st_mtime_ns).read_text("utf-8"))


def no_record(project: Repository) -> bool:
    folder = project.root / "artifacts/builds"
    return not folder.exists() or not list(folder.iterdir())


def test_image_has_what_the_dockerfile_says(
    project: Repository, machine: Machine, builder: str
) -> None:
    """Content, arguments, stage and settings arrive in the image; the record names the builder."""
    configure(
        project,
        builder,
        app={"context": "app", "target": "wanted", "args": {"COLOUR": "blue = 'sky' $x"}},
    )
    project.write(
        "app/Dockerfile",
        "FROM busybox:1 AS wanted\nARG COLOUR=none\nENV SEEN=$COLOUR\nCOPY . /src\n"
        'RUN echo "$COLOUR" > /src/colour\nFROM wanted\nRUN touch /src/too-far\n',
    )
    script = project.write("app/bin/run", "#!/bin/sh\n")
    script.chmod(0o755)
    (project.root / "app/link").symlink_to("bin/run")

    image = build(project)

    found = files(machine, image)
    assert found["index.html"] == b"hello\n"
    assert found["colour"] == b"blue = 'sky' $x\n"
    assert found["bin/run"] == found["link"] == b"#!/bin/sh\n"
    assert "too-far" not in found
    with closing(machine.client()) as client:
        assert "SEEN=blue = 'sky' $x" in client.images.get(image["image_id"]).attrs["Config"]["Env"]
    made_by = newest_record(project)["builder"]
    assert made_by["name"] == builder
    assert re.match(r"\d+\.\d+", made_by["version"])


def test_dockerignore_is_honoured(project: Repository, machine: Machine) -> None:
    """Patterns, their exceptions and comments decide what is copied, Dockerfile included."""
    project.write("app/Dockerfile", "FROM busybox:1\nCOPY . /src\n")
    project.write(
        "app/.dockerignore",
        "# a comment\n\n*.log\n!keep.log\n**/cache\ndocs/*\n!docs/read me.txt\n"
        "Dockerfile\n.dockerignore\n",
    )
    for path in ("a.log", "keep.log", "deep/b.log", "deep/cache/x", "docs/c", "docs/read me.txt"):
        project.write(f"app/{path}", path)

    assert set(files(machine, build(project))) == {
        "index.html",
        "keep.log",
        "deep/b.log",
        "docs/read me.txt",
    }


def test_a_dockerfiles_own_dockerignore_goes_first(
    project: Repository, machine: Machine, builder: str
) -> None:
    """In a sub-folder too, ``<Dockerfile>.dockerignore`` takes the place of ``.dockerignore``."""
    configure(project, builder, app={"context": "app", "dockerfile": "docker/web.Dockerfile"})
    project.write("app/docker/web.Dockerfile", "FROM busybox:1\nCOPY . /src\n")
    project.write("app/docker/web.Dockerfile.dockerignore", "second\ndocker\nDockerfile\n")
    project.write("app/.dockerignore", "first\n")
    project.write("app/first", "")
    project.write("app/second", "")

    assert set(files(machine, build(project))) == {".dockerignore", "first", "index.html"}


def test_a_dockerfile_may_lie_outside_of_the_context(
    project: Repository, machine: Machine, builder: str
) -> None:
    """It is used, with its own .dockerignore, and does not get into the image."""
    configure(project, builder, app={"context": "app", "dockerfile": "../docker/web.Dockerfile"})
    (project.root / "app/Dockerfile").unlink()
    project.write("docker/web.Dockerfile", "FROM busybox:1\nCOPY . /src\n")
    project.write("docker/web.Dockerfile.dockerignore", "hidden\n")
    project.write("app/hidden", "")

    assert set(files(machine, build(project))) == {"index.html"}


@pytest.mark.parametrize(
    "ignore", ["", "!artifacts\n!environments\n!**\n!environments/dev/config.toml\n", "*\n!*/**\n"]
)
def test_records_and_environments_never_travel(
    project: Repository, machine: Machine, builder: str, ignore: str
) -> None:
    """With the whole repository as context, whatever .dockerignore says; not in other folders."""
    configure(project, builder, app={"context": "."})
    project.write("Dockerfile", "FROM busybox:1\nCOPY . /src\n")
    project.write(".dockerignore", ignore)
    project.write("artifacts/runs/dev/1.toml", "")
    project.write("app/environments/mine", "")

    found = set(files(machine, build(project)))

    assert {"app/index.html", "app/environments/mine"} <= found
    assert not [path for path in found if path.startswith(("artifacts", "environments"))]


def test_a_failing_step_is_named(project: Repository, builder: str, machine: Machine) -> None:
    """Error and record name image, step and last lines; nothing is pushed, nothing released."""
    configure(project, builder, app={"context": "app"}, other={"context": "other"})
    project.write("other/Dockerfile", "FROM busybox:1\n")
    built = project.inv("build", "--json").json
    project.write("app/index.html", secrets.token_hex())
    command = "echo one; echo the reason >&2; exit 7"
    project.write("other/Dockerfile", f"FROM busybox:1\nRUN true\nRUN {command}\n")

    failed = project.attempt("build")

    assert failed.code == 3
    error = next(line for line in failed.stderr.splitlines() if line.startswith("error: "))
    assert error.startswith("error: image other, ")
    assert re.search(_STEPS[builder].format(step=3, command=re.escape(command)), error)
    assert re.search(r"\b7$", error)
    assert "  | the reason\n" in failed.stderr
    assert "Traceback" not in failed.text
    record = newest_record(project)
    assert record["status"] == "failed"
    (failure,) = record["failures"]
    assert (failure["subject"], failure["step"]) == ("other", "build")
    assert f"error: {failure['message']}" == error
    assert "the reason" in failure["output"]
    assert not record.get("images")
    for image in built["images"].values():
        assert machine.engine.registry_digest(f"{image['repository']}:latest") == image["digest"]
    refused = project.attempt("release", "--env", "dev")
    assert refused.code == 2
    assert f"build {record['id']} failed" in refused.stderr


@pytest.mark.parametrize(
    ("text", "says"), [(None, "there is no Dockerfile"), (" \n", "the Dockerfile is empty")]
)
def test_without_a_dockerfile_nothing_is_begun(
    project: Repository, text: str | None, says: str
) -> None:
    """A missing or an empty one is an error in one line, and leaves no record."""
    path = project.root / "app/Dockerfile"
    path.unlink()
    if text is not None:
        path.write_text(text)

    refused = project.attempt("build")

    assert refused.code == 2
    assert f"error: image app: {says}\n" in refused.stderr
    assert no_record(project)


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("FROM busybox:1\nCOYP . /src\n", None, "COYP"),
        ("# nothing\n", None, "no build stage|No image was generated|file with no instructions"),
        ("FROM busybox:1\nCOPY nowhere /src\n", None, "nowhere"),
        ("FROM busybox:1\n", "release", "release"),
    ],
    ids=["syntax", "only comments", "copied file", "target"],
)
def test_a_wrong_dockerfile_is_a_failed_build(
    project: Repository, builder: str, text: str, target: str | None, says: str
) -> None:
    """The error names the image and what is wrong, in one line, and the failure is recorded."""
    configure(project, builder, app={"context": "app", **({"target": target} if target else {})})
    project.write("app/Dockerfile", text)

    failed = project.attempt("build")

    assert failed.code == 3, failed.text
    error = next(line for line in failed.stderr.splitlines() if line.startswith("error: "))
    assert error.startswith("error: image app")
    assert re.search(says, error)
    assert newest_record(project)["status"] == "failed"
