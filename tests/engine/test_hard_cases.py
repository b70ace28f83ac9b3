"""Releases and runs that look well and are not, or the other way round."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Machine
from tests.engine.test_bad_input import records, refused
from tests.repository import Repository

pytestmark = pytest.mark.engine

SECRET = "hunter2-$hunter2"  # noqa: S105  # a test's own


def template(repository: Repository, services: str, rest: str = "") -> None:
    repository.write("templates/compose.yaml.j2", f"services:\n{services}{rest}")


@pytest.mark.parametrize(
    "service",
    [
        "    command: ['sh', '-c', 'cat /run/secrets/key; echo; exit 1']\n",
        (
            "    healthcheck:\n      test: ['CMD-SHELL', 'cat /run/secrets/key; exit 1']\n"
            "      interval: 0.2s\n      retries: 1\n"
        ),
    ],
)
def test_a_secret_that_a_container_prints(deployed: Repository, service: str) -> None:
    """It stands neither in the error nor in any record, whoever printed it."""
    template(
        deployed,
        f"  web:\n    image: ${{IMAGE_APP}}\n    secrets: [key]\n{service}",
        "secrets:\n  key:\n    environment: API_KEY\n",
    )
    deployed.inv("build", "release", "--env", "dev")

    outcome = deployed.attempt("run", "--env", "dev", STAGEKIT_SECRET_API_KEY=SECRET)

    refused(outcome, code=5, says="service web")
    assert "***" in outcome.stderr
    assert SECRET not in outcome.text
    assert not any(SECRET.encode() in data for data in records(deployed).values())


def test_a_secret_named_like_the_programs_own(deployed: Repository, machine: Machine) -> None:
    """HOME as a secret is the secret's value, not the home of whoever runs the release."""
    template(
        deployed,
        "  web:\n    image: ${IMAGE_APP}\n    secrets: [key]\n"
        "    command: ['sh', '-c', 'cat /run/secrets/key; echo; sleep 1000']\n",
        "secrets:\n  key:\n    environment: HOME\n",
    )
    deployed.inv("build", "release", "--env", "dev")

    deployed.inv("run", "--env", "dev", STAGEKIT_SECRET_HOME="not a folder")

    container = machine.engine.containers(f"{deployed.name}-dev")[0]
    assert machine.engine.logs(container.id, 5) == ("not a folder",)


def test_a_one_shot_beside_a_slow_start(deployed: Repository) -> None:
    """Compose gives up waiting once the one-shot has ended; the release is well all the same."""
    template(
        deployed,
        "  init:\n    image: ${IMAGE_APP}\n    command: ['true']\n"
        "  web:\n    image: ${IMAGE_APP}\n"
        "    command: ['sh', '-c', 'sleep 3; touch /ok; exec sleep 999']\n"
        "    healthcheck:\n      test: ['CMD', 'test', '-e', '/ok']\n"
        "      interval: 0.5s\n      start_period: 20s\n",
    )

    deployed.inv("up", "--env", "dev")


def test_a_loop_that_is_slower_than_the_settle_time(deployed: Repository) -> None:
    """A container that has restarted lately has to hold for longer than one that has not."""
    template(
        deployed,
        "  web:\n    image: ${IMAGE_APP}\n    command: ['sh', '-c', 'sleep 3; exit 1']\n"
        "    restart: always\n"
        "  slow:\n    image: ${IMAGE_APP}\n"
        "    command: ['sh', '-c', 'sleep 5; touch /ok; exec sleep 999']\n"
        "    healthcheck:\n      test: ['CMD', 'test', '-e', '/ok']\n"
        "      interval: 0.5s\n      start_period: 20s\n",
    )
    deployed.inv("build", "release", "--env", "dev")

    refused(deployed.attempt("run", "--env", "dev"), code=5, says="service web: ")


@pytest.mark.parametrize("name", ["docker.io/library/busybox:1", "library/busybox:1"])
def test_long_names_of_the_hub(deployed: Repository, name: str) -> None:
    """However Docker Hub's images are written, they are the ones that run."""
    template(deployed, f"  web:\n    image: {name}\n    command: ['sleep', '1000']\n")

    deployed.inv("up", "--env", "dev")


def test_an_image_of_the_build_by_a_tag(deployed: Repository, machine: Machine) -> None:
    """`app:latest` in a template is what the released build made, each time."""
    template(deployed, f"  web:\n    image: {machine.registry}/app:latest\n")
    deployed.inv("build", "release", "--env", "dev")
    deployed.write("app/index.html", "changed\n")

    built = deployed.inv("build", "--json").json
    released = deployed.inv("release", "--env", "dev", "--json").json

    digest = built["images"]["app"]["digest"]
    assert released["pins"]["web"]["pinned"] == f"{machine.registry}/app@{digest}"


def test_a_release_copied_to_another_environment(deployed: Repository) -> None:
    """A record says which one it is: in another's place it is refused."""
    deployed.inv("build", "release", "--env", "dev")
    folder = deployed.root / "artifacts/releases"
    (folder / "prod").mkdir()
    shutil.copytree(folder / "dev/v1", folder / "prod/v1")

    refused(
        deployed.attempt("run", "--env", "prod"),
        code=7,
        says="this is the record of another one: its env is 'dev', not 'prod'",
    )


def test_a_link_in_a_release(deployed: Repository, tmp_path: Path) -> None:
    """A file that is a link to the same bytes may have others tomorrow."""
    deployed.inv("build", "release", "--env", "dev")
    document = deployed.root / "artifacts/releases/dev/v1/compose.yaml"
    document.rename(tmp_path / "elsewhere.yaml")
    document.symlink_to(tmp_path / "elsewhere.yaml")

    refused(deployed.attempt("run", "--env", "dev"), code=7, says="not a regular file")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("volumes: ['.:/code']", "is a path of the machine that releases"),
        ("volumes: ['../beside:/x']", "is a path of the machine that releases"),
        ("volumes: ['~/x:/x']", "is a path of the machine that releases"),
        ("devices: ['./d:/dev/d']", "is a path of the machine that releases"),
        ("security_opt: ['seccomp:./s.json']", "is a file of the machine that releases"),
        ("environment: [TOKEN]", "TOKEN has no value"),
    ],
)
def test_what_a_release_may_not_hold(deployed: Repository, line: str, says: str) -> None:
    """Nothing that means something only on the machine that releases is sealed."""
    template(deployed, f"  web:\n    image: ${{IMAGE_APP}}\n    {line}\n")
    deployed.inv("build")

    refused(deployed.attempt("release", "--env", "dev", TOKEN="x"), code=4, says=says)


def test_a_name_without_a_value_in_an_included_file(deployed: Repository) -> None:
    """What a template takes in must not be blanked either."""
    template(deployed, "  web:\n    image: ${IMAGE_APP}\n", "include: [more.yaml]\n")
    deployed.write(
        "more.yaml", "services:\n  more:\n    image: busybox:1\n    command: ['${WHO}']\n"
    )
    deployed.inv("build")

    refused(deployed.attempt("release", "--env", "dev"), code=2, says="${WHO} has no value")


def test_an_env_file_beside_an_included_one(deployed: Repository) -> None:
    """A `.env` that nobody named reaches no release, also by way of `include`."""
    template(deployed, "  web:\n    image: ${IMAGE_APP}\n", "include: [more.yaml]\n")
    deployed.write(
        "more.yaml", "services:\n  more:\n    image: busybox:1\n    command: ['${WHO:-nobody}']\n"
    )
    deployed.write(".env", "WHO=the file's\n")
    deployed.inv("build")

    refused(
        deployed.attempt("release", "--env", "dev"),
        code=2,
        says=".env for what it includes",
        next="env_file: /dev/null",
    )
    text = deployed.read("templates/compose.yaml.j2")
    named = "include: [{path: more.yaml, env_file: /dev/null}]"
    deployed.write("templates/compose.yaml.j2", text.replace("include: [more.yaml]", named))
    deployed.inv("release", "--env", "dev")
    assert "nobody" in deployed.read("artifacts/releases/dev/v1/compose.yaml")


def test_a_project_in_a_folder_named_like_one_in_the_container(deployed: Repository) -> None:
    """Where the source is checked out is nobody's business."""
    template(
        deployed,
        f"  web:\n    image: ${{IMAGE_APP}}\n    working_dir: {deployed.root}\n"
        f"    volumes: ['data:{deployed.root}/data']\n",
        "volumes:\n  data:\n",
    )

    deployed.inv("up", "--env", "dev")


def test_stop_and_status_of_a_release_that_was_changed(
    deployed: Repository, machine: Machine
) -> None:
    """What runs can be seen and stopped whatever became of the release's files."""
    deployed.inv("up", "--env", "dev")
    with (deployed.root / "artifacts/releases/dev/v1/compose.yaml").open("a") as edited:
        edited.write("# changed\n")

    status = deployed.inv("run.status", "--env", "dev", "--json")
    deployed.inv("run.stop", "--env", "dev")

    assert "was changed after it was sealed" in status.stderr
    assert status.json[0]["services"][0]["state"] == "running"
    assert machine.engine.containers(f"{deployed.name}-dev") == ()


def test_a_damaged_run_record_is_no_end(deployed: Repository) -> None:
    """Neither an old one nor the newest keeps anybody from going back."""
    deployed.inv("build")
    for greeting in ("one", "two", "three"):
        deployed.inv("release", "--env", "dev", "--set", f"GREETING={greeting}")
        deployed.inv("run", "--env", "dev")
    deployed.write("artifacts/runs/dev/1.toml", "schema = 1\n")

    back = deployed.inv("run.rollback", "--env", "dev", "--json")

    assert back.json["release"]["id"] == "v2"
    deployed.write(f"artifacts/runs/dev/{back.json['n']}.toml", "schema = 1\n")
    assert "is passed over" in deployed.inv("run.status", "--env", "dev").stderr
    deployed.inv("run.stop", "--env", "dev")


def test_up_runs_what_it_made(deployed: Repository) -> None:
    """`inv up` releases its own build and runs its own release."""
    deployed.inv("up", "--env", "dev")
    deployed.write("app/index.html", "changed\n")

    deployed.inv("up", "--env", "dev")

    newest = deployed.inv("build.list", "--json").json[0]["id"]
    assert deployed.inv("run.status", "--env", "dev", "--json").json[0]["build"] == newest


def test_output_that_nobody_reads_on(deployed: Repository) -> None:
    """`inv … | head -1` is no fault."""
    deployed.inv("build", "release", "--env", "dev")
    done = subprocess.run(  # noqa: S602  # the pipe is what is tested
        f"{sys.executable} -m invoke release.show dev/v1 | head -1",
        shell=True,
        cwd=deployed.root,
        env=deployed.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("release dev/v1")
    assert done.stderr == ""


def test_a_server_that_ends_well_is_not_well(
    deployed: Repository, free_port: Callable[[], int]
) -> None:
    """What publishes a port was meant to stay: that it ended with 0 is no excuse."""
    template(
        deployed,
        "  web:\n    image: ${IMAGE_APP}\n    command: ['true']\n"
        f"    ports: ['127.0.0.1:{free_port()}:8080']\n",
    )
    deployed.inv("build", "release", "--env", "dev")

    refused(deployed.attempt("run", "--env", "dev"), code=5, says="exited with 0")


def test_releases_are_named_alike_everywhere(deployed: Repository) -> None:
    """`run` takes the names that `release.show` takes, of its own environment."""
    deployed.inv("build", "release", "--env", "dev")
    deployed.inv("release", "--env", "dev", "--force")

    deployed.inv("run", "--env", "dev", "--release", "dev/v1")
    newest = deployed.inv("run", "--env", "dev", "--release", "latest", "--json").json

    assert newest["release"]["id"] == "v2"
    refused(
        deployed.attempt("run", "--env", "prod", "--release", "dev/v1"),
        code=2,
        says="dev/v1 is a release of dev",
    )
