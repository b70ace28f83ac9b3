"""A release from its build to the next environment, as typed, on a real engine and registry."""

from __future__ import annotations

import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from stagekit.testing.project import Outcome
from tests.conftest import Machine
from tests.engine.test_bad_input import refused
from tests.repository import Repository

pytestmark = pytest.mark.engine


def git(repository: Repository, *arguments: str) -> None:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    subprocess.run(["git", *who, *arguments], cwd=repository.root, check=True, capture_output=True)


@pytest.fixture
def shop(deployed: Repository, tmp_path: Path) -> Repository:
    """A committed repository with a remote, and the environments dev, staging and prod."""
    deployed.write("environments/staging/config.toml", 'extends = "dev"\n[vars]\nGREETING = "hi"\n')
    deployed.write("environments/prod/config.toml", '[vars]\nGREETING = "good day"\n')
    deployed.write(".gitignore", "/artifacts/\n__pycache__/\n")
    git(deployed, "init", "--quiet", "--initial-branch", "main")
    git(deployed, "init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    git(deployed, "remote", "add", "origin", str(tmp_path / "remote.git"))
    commit(deployed)
    return deployed


def commit(repository: Repository) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "A change")


def release(repository: Repository, env: str = "dev", *more: str) -> Outcome:
    return repository.inv("release", "--env", env, "--json", *more)


def test_configuration_alone_needs_no_build(shop: Repository) -> None:
    """One build, three releases, and none where nothing changed: the records prove it."""
    build = shop.inv("build", "--json").json["id"]
    first = release(shop).json
    assert release(shop).json["id"] == first["id"] == "v1"
    shop.write(
        "environments/dev/config.toml", f"# more\n{shop.read('environments/dev/config.toml')}"
    )
    commit(shop)
    assert "nothing changed since dev/v1" in release(shop).stderr
    assert release(shop, "dev", "--set", "GREETING=bye").json["id"] == "v2"
    assert release(shop, "dev", "--set", "GREETING=bye", "--force").json["id"] == "v3"
    assert {release["build"]["id"] for release in listed(shop)} == {build}
    assert len(shop.inv("build.list", "--json").json) == 1


def listed(repository: Repository) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = repository.inv(
        "release.list", "--env", "dev", "--json"
    ).json
    return found


def test_source_that_was_not_built_is_not_released(shop: Repository) -> None:
    """It says so, and builds it where the environment says that it may; a plan never does."""
    shop.inv("build")
    shop.write("app/index.html", "changed\n")
    refused(shop.attempt("release", "--env", "dev"), code=2, says="no build of", next="inv build")
    config = shop.read("environments/dev/config.toml")
    shop.write("environments/dev/config.toml", f"[stagekit]\nauto_build = true\n{config}")
    refused(shop.attempt("release", "--env", "dev", "--plan"), code=2, says="no build of")
    made = release(shop)
    assert "building (auto_build)" in made.stderr
    assert made.json["build"]["id"] == shop.inv("build.list", "--json").json[0]["id"]


def test_what_ran_well_is_promoted(shop: Repository) -> None:
    """The same build and pins, the configuration of where it goes; not before it ran."""
    shop.inv("build")
    staged = release(shop, "staging").json
    promote = ("release.promote", "--from", "staging", "--to", "prod")
    refused(
        shop.attempt(*promote), code=2, says="nothing was ever run in staging", next="--release"
    )
    shop.inv("run", "--env", "staging")
    shop.write("app/index.html", "changed since\n")
    promoted = shop.inv(*promote, "--json").json
    assert promoted["promoted_from"] == "staging/v1"
    assert promoted["build"] == staged["build"]
    assert promoted["pins"] == staged["pins"]
    assert 'GREETING: "good day"' in shop.inv("release.show", "prod/v1").stdout
    difference = shop.attempt("release.diff", "staging/v1", "prod/v1", "--exit-code", "--json")
    assert difference.code == 1
    assert [item["name"] for item in difference.json["variables"]] == ["GREETING"]


def test_a_protected_environment_lets_in_what_it_wants(shop: Repository) -> None:
    """A clean commit that is pushed, and its own name typed."""
    protected = '[stagekit]\nprotected = true\n[vars]\nGREETING = "good day"\n'
    shop.write("environments/prod/config.toml", protected)
    commit(shop)
    shop.inv("build")
    outcome = shop.attempt("release", "--env", "prod")
    assert outcome.code == 2
    assert "require_pushed" in outcome.stderr
    assert "--confirm prod" in outcome.stderr
    git(shop, "push", "--quiet", "origin", "main")
    refused(shop.attempt("release", "--env", "prod", "--confirm", "dev"), code=2, says="not 'dev'")
    assert release(shop, "prod", "--confirm", "prod").json["id"] == "v1"


@pytest.mark.parametrize(
    ("scheme", "pattern"),
    [("timestamp", r"\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d"), ("ci", "77")],
)
def test_releases_are_named_as_the_environment_says(
    shop: Repository, scheme: str, pattern: str
) -> None:
    """By the time or by the CI's counter; either name is found again, and runs."""
    config = shop.read("environments/dev/config.toml")
    shop.write("environments/dev/config.toml", f'[stagekit]\nid = "{scheme}"\n{config}')
    gocd = {"GO_PIPELINE_NAME": "shop", "GO_PIPELINE_COUNTER": "77", "GO_SERVER_URL": "http://go"}
    shop.inv("build", **gocd)
    id = shop.inv("release", "--env", "dev", "--json", **gocd).json["id"]
    assert re.fullmatch(pattern, id)
    assert shop.inv("release.list", "--env", "dev", "--json").json[0]["id"] == id
    run = shop.inv("run", "--env", "dev", "--release", f"dev/{id}", "--json").json
    assert run["release"]["id"] == id
    assert shop.inv("release.verify", f"dev/{id}").code == 0


def test_a_plan_writes_nothing(shop: Repository) -> None:
    """It shows what would be different from the last release."""
    shop.inv("build")
    first = shop.inv("release", "--env", "dev", "--plan")
    assert "the first release to dev" in first.stderr
    release(shop)
    planned = shop.inv("release", "--env", "dev", "--plan", "--set", "GREETING=bye")
    assert '+ GREETING: "bye"  (--set)' in planned.stdout
    data = shop.inv("release", "--env", "dev", "--plan", "--json").json
    assert data["unchanged"] == "dev/v1"
    assert "id" not in data
    assert len(listed(shop)) == 1


def test_third_party_images_move_when_they_are_asked_to(
    shop: Repository, base_images: tuple[str, ...]
) -> None:
    """The pin stays from release to release; --refresh-images asks the registry again."""
    assert base_images is not None
    template = shop.read("templates/compose.yaml.j2")
    shop.write("templates/compose.yaml.j2", f"{template}  store:\n    image: redis:7\n")
    commit(shop)
    shop.inv("build")
    first = release(shop)
    again = release(shop, "dev", "--set", "GREETING=bye")
    assert "pin     redis:7" in first.stderr
    assert "pin     redis:7" not in again.stderr
    assert again.json["pins"]["store"] == first.json["pins"]["store"]
    refreshed = release(shop, "dev", "--set", "GREETING=hey", "--refresh-images")
    assert "pin     redis:7" in refreshed.stderr


def test_source_is_mounted_for_development(shop: Repository, machine: Machine) -> None:
    """Where the environment lets it, a changed file is there at once; elsewhere it is refused."""
    template = shop.read("templates/compose.yaml.j2")
    shop.write("templates/compose.yaml.j2", f"{template}    volumes: [./app:/www]\n")
    shop.inv("build")
    refused(shop.attempt("release", "--env", "dev"), code=4, says="./app is a path of the machine")
    config = shop.read("environments/dev/config.toml")
    shop.write("environments/dev/config.toml", f"[stagekit]\nsource_mounts = true\n{config}")
    made = release(shop)
    assert "runs only beside its source" in made.stderr
    assert str(shop.root) not in shop.inv("release.show", "dev/v1").stdout
    shop.inv("run", "--env", "dev")
    shop.write("app/index.html", "changed in place\n")
    (web,) = machine.engine.containers(f"{shop.name}-dev")
    with closing(machine.client()) as client:
        read = client.containers.get(web.id).exec_run(["cat", "/www/index.html"])
    assert read.output == b"changed in place\n"
