"""A release is run where there is neither source nor tasks: from the shared ledger, and from a file
on a machine without a registry. On a real engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from stagekit.testing.project import Outcome
from tests.conftest import Machine
from tests.machines import git
from tests.repository import Repository

pytestmark = pytest.mark.engine

PROGRAM = Path(sys.executable).with_name("stagekit")


def stagekit(folder: Path, repository: Repository, *words: str, **environ: str) -> Outcome:
    """Run the program ``stagekit`` in a folder that has nothing of the project."""
    done = subprocess.run(
        [PROGRAM, *words],
        cwd=folder,
        env={**repository.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    folder = tmp_path / "server"
    folder.mkdir()
    return folder


@pytest.fixture
def client(machine: Machine) -> Iterator[docker.DockerClient]:
    with closing(docker.DockerClient(base_url=machine.engine.url)) as client:
        yield client


def test_a_release_is_run_from_the_shared_ledger(
    deployed: Repository, server: Path, tmp_path: Path
) -> None:
    """Built and released by one machine, run and rolled back by another, seen by both."""
    git("init", "--quiet", "--bare", tmp_path / "ledger.git")
    url = f"git+file://{tmp_path}/ledger.git#shop"
    deployed.environ["STAGEKIT_LEDGER"] = url
    deployed.inv("build")
    deployed.inv("release", "--env", "prod")
    deployed.inv("release", "--env", "prod", "--set", "GREETING=again")

    ran = stagekit(server, deployed, "run", "--from", url, "--env", "prod", "--release", "v1")
    assert ran.code == 0, ran.text
    ran = stagekit(server, deployed, "run", "--from", url, "--env", "prod", "--json")
    assert (ran.code, ran.json["release"]["id"]) == (0, "v2"), ran.text
    back = stagekit(server, deployed, "run.rollback", "--env", "prod", "--json")
    assert (back.code, back.json["release"]["id"]) == (0, "v1"), back.text
    assert [run["n"] for run in deployed.inv("run.history", "--env", "prod", "--json").json] == [
        *(3, 2, 1),
    ]
    assert not (deployed.root / "artifacts/runs").exists()
    assert [path.name for path in server.iterdir()] == ["artifacts"]


def test_a_release_is_run_from_a_file(
    deployed: Repository, server: Path, client: docker.DockerClient
) -> None:
    """Its images are in the file: what comes up is proven by their ids, as the registry is not
    asked, and a later command knows them as well."""
    deployed.inv("build")
    deployed.inv("release", "--env", "prod")
    exported = deployed.inv(
        "release.export", "prod/v1", "--out", str(server / "v1.tar"), "--images", "--json"
    ).json
    [(pin, image)] = exported["images"].items()
    client.images.remove(image, force=True)

    ran = stagekit(server, deployed, "run", "--bundle", "v1.tar", "--json")
    assert (ran.code, ran.json["outcome"]) == (0, "running"), ran.text
    [seen] = ran.json["containers"]
    assert (seen["image_id"], seen["proven"], pin in seen["digests"]) == (image, True, True)
    assert client.images.get(image).attrs["RepoDigests"] == []
    again = stagekit(server, deployed, "run", "--env", "prod", "--json")
    assert again.code == 0, again.text
    assert again.json["containers"][0]["id"] == seen["id"]
    status = stagekit(server, deployed, "run.status", "--env", "prod", "--exit-code")
    assert status.code == 0, status.text
    gone = stagekit(server, deployed, "run.stop", "--env", "prod")
    assert gone.code == 0, gone.text


def test_a_file_without_images_pulls_them(deployed: Repository, server: Path) -> None:
    """A machine that reaches the registry, and nothing else."""
    deployed.inv("build")
    deployed.inv("release", "--env", "prod")
    exported = deployed.inv("release.export", "prod/v1", "--out", str(server / "v1.tar"))
    assert "without images" in exported.stdout
    ran = stagekit(server, deployed, "run", "--bundle", "v1.tar", "--env", "prod", "--json")
    assert (ran.code, ran.json["outcome"]) == (0, "running"), ran.text
    other = stagekit(server, deployed, "run", "--bundle", "v1.tar", "--env", "dev")
    assert (other.code, "this is prod/v1" in other.stderr) == (2, True)
