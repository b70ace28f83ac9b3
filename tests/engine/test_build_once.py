"""What did not change is not built again, and what did is said."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.conftest import Machine
from tests.engine.under_way import under_way
from tests.repository import Repository

pytestmark = pytest.mark.engine


@contextmanager
def image_events(machine: Machine) -> Iterator[list[str]]:
    """What the engine did with images meanwhile."""
    found: list[str] = []
    with closing(machine.client()) as client:
        since = time.time()
        yield found
        listed = client.events(
            since=since, until=time.time(), filters={"type": ["image", "container"]}, decode=True
        )
        found += [f"{event['Type']} {event['Action']}" for event in listed]


def built(project: Repository, *arguments: str, **environ: str) -> dict[str, Any]:
    build: dict[str, Any] = project.inv("build", "--json", *arguments, **environ).json
    return build


def builds(project: Repository) -> list[str]:
    return [build["id"] for build in project.inv("build.list", "--json").json]


def test_what_did_not_change_is_not_built(deployed: Repository, machine: Machine) -> None:
    """The engine builds and pushes nothing; the same build is the answer, ready to release."""
    first = built(deployed)
    with image_events(machine) as events:
        again = deployed.inv("build", "--json")
    assert again.json == first
    assert "nothing changed since" in again.stderr
    assert [event for event in events if event != "image pull"] == []
    assert deployed.inv("build", "--plan").stdout == (
        f"nothing to do: build {first['id']} is what the source makes\n"
    )
    assert deployed.inv("build", "--plan", "--json").json["unchanged"] is True
    assert builds(deployed) == [first["id"]]
    deployed.inv("release", "--env", "dev")


def test_what_changed_is_said(deployed: Repository) -> None:
    """By file, in the build's first line, in its record, and by build.why before it."""
    assert deployed.inv("build.why").stdout == "app: not built before\n"
    first = built(deployed)
    assert deployed.inv("build.why").stdout == f"app: unchanged since {first['id']}\n"
    deployed.write("app/index.html", "changed")
    deployed.write("app/new/style.css", "p {}")
    said = "index.html changed, new/style.css added"
    why = deployed.inv("build.why", "--json").json["app"]
    assert why == {
        "build": True,
        "unchanged_since": None,
        "changes": ["index.html changed", "new/style.css added"],
    }
    assert f"({said})" in deployed.inv("build", "--plan").stdout
    plan = deployed.inv("build", "--plan", "--json").json
    assert (plan["unchanged"], plan["cannot"], plan["tags"][1:]) == (False, [], ["latest"])
    assert [(image["name"], image["build"], image["why"]) for image in plan["images"]] == [
        ("app", True, said)
    ]
    second = deployed.inv("build")
    assert second.stderr.startswith(f"app: {said}\n")
    id = builds(deployed)[0]
    shown = deployed.inv("build.show", id)
    latest = deployed.inv("build.show", "latest", "--json").json
    assert latest == deployed.inv("build.show", id, "--json").json
    assert "index.html changed" in shown.stdout
    assert deployed.inv("build.show", id, "--json").json["images"]["app"]["why"] == why["changes"]


def test_force_builds_all_the_same(deployed: Repository) -> None:
    """A new build with a new id, by the builder and not from a record."""
    first = built(deployed)
    second = deployed.inv("build", "--force", "--json")
    assert second.json["id"] != first["id"]
    assert second.stderr.startswith("app: --force\n")
    assert second.json["images"]["app"]["why"] == ["--force"]


@pytest.mark.parametrize("builder", ["classic", "buildx"])
def test_stagekit_is_never_its_own_cause(deployed: Repository, buildx: Any, builder: str) -> None:
    """With the whole repository as context: records, environments and runs change no image."""
    deployed.environ["DOCKER_CONFIG"] = str(buildx)
    deployed.write(
        "pyproject.toml",
        f'[tool.stagekit]\nname = "{deployed.name}"\nbuilder = "{builder}"\n'
        '[tool.stagekit.images.app]\ncontext = "."\n',
    )
    deployed.write("Dockerfile", deployed.read("app/Dockerfile").replace("index.html", ".", 1))
    first = built(deployed)
    deployed.inv("release", "--env", "dev")
    deployed.inv("run", "--env", "dev")
    deployed.write("environments/dev/config.toml", '[vars]\nGREETING = "another"\n')
    deployed.inv("release", "--env", "dev")

    again = deployed.inv("build", "--json")

    assert again.json["id"] == first["id"], again.stderr
    deployed.write("environment", "a file that only looks like it")
    assert deployed.inv("build.why").stdout == "app: environment added\n"


def test_a_cache_that_is_gone_or_damaged_is_no_reason(deployed: Repository) -> None:
    """Files are read again, and found to be the same; and a change is found all the same."""
    first = built(deployed)
    caches = list((deployed.root / "artifacts/.cache").iterdir())
    assert caches
    for damage in (b"", b"damaged" * 100):
        for cache in caches:
            cache.write_bytes(damage)
        assert built(deployed)["id"] == first["id"]
    for cache in caches:
        cache.unlink()
    deployed.write("app/index.html", "jello\n")  # as long as before
    assert deployed.inv("build.why").stdout == "app: index.html changed\n"


def test_an_image_that_is_gone_is_fetched_or_built(deployed: Repository, machine: Machine) -> None:
    """Where the registry has it, there is nothing to do; without one it is built again."""
    first = built(deployed)
    machine.remove_image(first["images"]["app"]["image_id"][7:], deployed.name, ":" + first["id"])
    assert built(deployed)["id"] == first["id"]


def test_back_on_another_branch_the_image_is_taken_up(deployed: Repository) -> None:
    """An image of an earlier build with the same inputs gets the new build's names."""
    first = built(deployed)
    deployed.write("app/index.html", "other")
    built(deployed)
    deployed.write("app/index.html", "hello\n")

    third = deployed.inv("build", "--json")

    image = third.json["images"]["app"]
    assert image["made_by"] == first["id"]
    assert image["digest"] == first["images"]["app"]["digest"]
    assert third.json["id"] in image["tags"]
    assert f"app: unchanged since {first['id']}" in third.stderr
    deployed.inv("release", "--env", "dev")


def test_two_builds_at_one_instant_are_two_builds(deployed: Repository) -> None:
    """Neither waits, neither overwrites: two ids, two records, two tags."""
    with (
        under_way(deployed, "build", "--force") as one,
        under_way(deployed, "build", "--force") as other,
    ):
        said = [running.communicate(timeout=120)[1] for running in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), said
    found = deployed.inv("build.list", "--json").json
    assert len({build["id"] for build in found}) == 2
    for build in found:
        assert build["status"] == "succeeded"
        assert build["images"]["app"]["tags"] == [build["id"], "latest"]


def test_an_own_plugin_names_the_builds(deployed: Repository) -> None:
    """tasks.py hands its plugins to the collection; --id and its variable go before."""
    deployed.write(
        "tasks.py",
        "import sys\nimport stagekit\n\n@stagekit.hookimpl\ndef stagekit_build_id():\n"
        "    return 'mine'\n\nns = stagekit.collection(plugins=[sys.modules[__name__]])\n",
    )
    assert ":mine\n" in deployed.inv("build", "--plan").stdout
    assert ":v1.0\n" in deployed.inv("build", "--plan", "--id", "v1.0").stdout
    assert ":v2.0\n" in deployed.inv("build", "--plan", STAGEKIT_BUILD_ID="v2.0").stdout


def test_github_shows_what_was_built(deployed: Repository) -> None:
    """A job summary, and outputs for the steps after it; the record names the job."""
    summary, outputs = deployed.root / "summary", deployed.root / "outputs"
    build = built(
        deployed,
        GITHUB_ACTIONS="true",
        GITHUB_WORKFLOW="Ship it!",
        GITHUB_RUN_NUMBER="7",
        GITHUB_STEP_SUMMARY=str(summary),
        GITHUB_OUTPUT=str(outputs),
    )
    assert build["id"] == "Ship-it--7"
    assert build["ci"]["name"] == "github"
    image = build["images"]["app"]
    pin = f"{image['repository']}@{image['digest']}"
    assert outputs.read_text() == f"build=Ship-it--7\nimage-app={pin}\n"
    assert f"| app | `{pin}` | Ship-it--7, latest |" in summary.read_text()


def test_a_dirty_source_can_be_refused(deployed: Repository) -> None:
    """Before anything is built; on a CI alone, where that is asked for."""
    for command in (
        ["init", "-q"],
        ["add", "app"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "1"],
    ):
        subprocess.run(["git", *command], cwd=deployed.root, check=True)
    settings = deployed.read("pyproject.toml")
    setting = f'name = "{deployed.name}"\nrequire_clean = "ci"'
    deployed.write("pyproject.toml", settings.replace(f'name = "{deployed.name}"', setting))
    refused = deployed.attempt("build", CI="true")
    assert refused.code == 2
    assert "the source has uncommitted changes: " in refused.stderr
    assert "pyproject.toml" in refused.stderr
    assert built(deployed)["source"]["dirty"] is True
