"""Source → build → release → running, on a real engine and registry."""

from __future__ import annotations

import signal
import tomllib
import urllib.request
from collections.abc import Callable
from hashlib import sha256

import pytest

from stagekit.testing.project import FILES
from tests.conftest import Machine
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

PUBLISHED = """\
services:
  web:
    image: ${{IMAGE_APP}}
    environment:
      GREETING: {{{{ GREETING | yaml }}}}
    ports: ["127.0.0.1:{port}:8080"]
  store:
    image: busybox:1
    command: ["sh", "-c", "while :; do sleep 1; done"]
    stop_signal: SIGKILL
    volumes: ["data:/data"]
volumes:
  data:
"""


def fetch(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(answer.read().decode())


def started(machine: Machine, repository: Repository, service: str) -> tuple[str, str]:
    """Which container of a service runs, and since when."""
    found = machine.engine.containers(f"{repository.name}-dev")
    return next((item.id, item.started) for item in found if item.service == service)


def test_build_release_run(
    deployed: Repository, machine: Machine, free_port: Callable[[], int]
) -> None:
    """Three commands bring source to a page that answers, and leave three linked records."""
    port = free_port()
    deployed.write("templates/compose.yaml.j2", PUBLISHED.format(port=port))

    built = deployed.inv("build", "--json").json
    released = deployed.inv("release", "--env", "dev", "--json").json
    run = deployed.inv("run", "--env", "dev", "--json").json

    assert fetch(port) == "hello\n"
    image = built["images"]["app"]
    assert image["pushed"] is True
    assert image["tags"] == [built["id"], "latest"]
    for tag in image["tags"]:
        assert machine.engine.registry_digest(f"{image['repository']}:{tag}") == image["digest"]
    assert released["build"]["id"] == built["id"]
    assert released["pins"]["web"]["pinned"] == f"{image['repository']}@{image['digest']}"
    assert run["release"]["id"] == released["id"] == "v1"
    assert run["outcome"] == "running"
    assert all(container["proven"] for container in run["containers"])


def test_records_are_chained_by_digests(deployed: Repository) -> None:
    """Each record's digest is that of its bytes, and the next record names it."""
    deployed.inv("build")
    deployed.inv("release", "--env", "dev")
    deployed.inv("run", "--env", "dev")

    build = next((deployed.root / "artifacts/builds").glob("*.toml"))
    release = deployed.root / "artifacts/releases/dev/v1/release.toml"
    run = deployed.root / "artifacts/runs/dev/1.toml"
    digests = {}
    for path in (build, release, run):
        first, second, body = path.read_bytes().split(b"\n", 2)
        assert first == b"schema = 1"
        digests[path] = f"sha256:{sha256(body).hexdigest()}"
        assert second.decode() == f'digest = "{digests[path]}"'
    assert tomllib.loads(release.read_text())["build"]["digest"] == digests[build]
    assert tomllib.loads(run.read_text())["release"]["digest"] == digests[release]


def test_config_alone_restarts_only_what_it_concerns(
    deployed: Repository, machine: Machine, free_port: Callable[[], int]
) -> None:
    """A new value replaces the service that uses it; the store keeps running; nothing is built."""
    deployed.write("templates/compose.yaml.j2", PUBLISHED.format(port=free_port()))
    deployed.inv("up", "--env", "dev")
    web, store = (started(machine, deployed, name) for name in ("web", "store"))

    deployed.inv("release", "--env", "dev", "--set", "GREETING=other")
    deployed.inv("run", "--env", "dev")

    assert started(machine, deployed, "web") != web
    assert started(machine, deployed, "store") == store
    assert len(deployed.inv("build.list", "--json").json) == 1


def test_release_without_a_change_restarts_nothing(deployed: Repository, machine: Machine) -> None:
    """The same inputs are the same content, and running them again touches no container."""
    deployed.inv("up", "--env", "dev")
    before = started(machine, deployed, "web")

    again = deployed.inv("release", "--env", "dev")
    deployed.inv("run", "--env", "dev")

    assert "nothing changed since dev/v1: no release is made" in again.stderr
    assert started(machine, deployed, "web") == before


def test_a_new_build_reaches_what_runs(deployed: Repository, free_port: Callable[[], int]) -> None:
    """Changed source, built and released, is what answers; `inv build release` chains the two."""
    port = free_port()
    deployed.write("templates/compose.yaml.j2", PUBLISHED.format(port=port))
    deployed.inv("up", "--env", "dev")

    deployed.write("app/index.html", "changed\n")
    deployed.inv("build", "release", "--env", "dev")
    assert fetch(port) == "hello\n"
    deployed.inv("run", "--env", "dev")

    assert fetch(port) == "changed\n"


def test_rollback_runs_the_earlier_release(
    deployed: Repository, free_port: Callable[[], int]
) -> None:
    """Without --to, a rollback goes to the last good release before; with it, where it says."""
    port = free_port()
    deployed.write("templates/compose.yaml.j2", PUBLISHED.format(port=port))
    deployed.inv("up", "--env", "dev")
    deployed.write("app/index.html", "changed\n")
    deployed.inv("up", "--env", "dev")

    back = deployed.inv("run.rollback", "--env", "dev", "--json").json
    assert (back["release"]["id"], back["reason"]) == ("v1", "rollback")
    assert fetch(port) == "hello\n"
    nothing_left = deployed.attempt("run.rollback", "--env", "dev")
    assert nothing_left.code == 2
    assert "no earlier release ran well" in nothing_left.stderr

    deployed.inv("run.rollback", "--env", "dev", "--to", "v2")
    assert fetch(port) == "changed\n"


def test_stop_keeps_volumes(
    deployed: Repository, machine: Machine, free_port: Callable[[], int]
) -> None:
    """After a stop nothing runs, the volume is there, status says so, and run starts it again."""
    port = free_port()
    deployed.write("templates/compose.yaml.j2", PUBLISHED.format(port=port))
    deployed.inv("up", "--env", "dev")

    stopped = deployed.inv("run.stop", "--env", "dev", "--json").json

    assert stopped["outcome"] == "stopped"
    assert machine.engine.containers(f"{deployed.name}-dev") == ()
    assert machine.volume_exists(f"{deployed.name}-dev_data")
    assert deployed.inv("run.status", "--env", "dev", "--json").json[0]["outcome"] == "stopped"
    deployed.inv("run", "--env", "dev")
    assert fetch(port) == "hello\n"


def test_status_sees_what_was_changed_by_hand(deployed: Repository, machine: Machine) -> None:
    """A container that was removed behind stagekit's back is missing in the status."""
    deployed.inv("up", "--env", "dev")
    assert deployed.inv("run.status", "--env", "dev", "--json").json[0]["well"] is True

    machine.engine.remove_container(f"{deployed.name}-dev-web-1")

    report = deployed.inv("run.status", "--env", "dev", "--json").json[0]
    assert report["well"] is False
    assert report["services"][0]["state"] == "missing"


def test_an_engine_that_lost_the_image_pulls_it_by_digest(
    deployed: Repository, machine: Machine
) -> None:
    """The registry has what the release pins: run pulls exactly that."""
    deployed.inv("build")
    released = deployed.inv("release", "--env", "dev", "--json").json
    pin = released["pins"]["web"]["pinned"]
    machine.remove_image(released["build"]["id"], pin)
    assert machine.engine.image(pin) is None

    run = deployed.inv("run", "--env", "dev", "--json").json

    steps = [step["name"] for step in run["steps"]]
    assert steps == ["verify", "lock", "check", "pull", "up", "settle", "prove"]


def test_without_a_registry_the_build_stays_here(deployed: Repository) -> None:
    """No registry: the image's id pins, and build and release say that they are engine-local."""
    deployed.environ.pop("STAGEKIT_REGISTRY")
    deployed.environ["STAGEKIT_HOME"] = str(deployed.root / "no-registry-here")

    built = deployed.inv("build", "--json")
    released = deployed.inv("release", "--env", "dev", "--json").json
    run = deployed.inv("run", "--env", "dev", "--json").json

    assert "can only run on this engine" in built.stderr
    assert built.json["engine_local"] is True
    assert built.json["images"]["app"]["pushed"] is False
    assert "digest" not in built.json["images"]["app"]
    assert released["engine_local"] is True
    assert released["pins"]["web"] == {
        "asked": built.json["images"]["app"]["image_id"],
        "pinned": built.json["images"]["app"]["image_id"],
        "kind": "image id",
    }
    assert run["containers"][0]["proven"] is True


def test_a_build_of_the_same_minute_gets_a_number(deployed: Repository) -> None:
    """Ids are never used twice, and each build can be released by its name."""
    ids = [deployed.inv("build", "--force", "--json").json["id"] for _ in range(2)]

    assert len(set(ids)) == 2
    assert (
        deployed.inv("release", "--env", "dev", "--build", ids[0], "--json").json["build"]["id"]
        == ids[0]
    )


def test_gocd_names_the_build(deployed: Repository) -> None:
    """On GoCD the id is the pipeline and its counter, and the record names the job."""
    built = deployed.inv(
        "build",
        "--json",
        GO_PIPELINE_NAME="shop",
        GO_PIPELINE_COUNTER="41",
        GO_SERVER_URL="https://ci.example.com/go",
        GO_STAGE_NAME="build",
        GO_STAGE_COUNTER="2",
    ).json

    assert built["id"] == "shop-41.2"
    assert built["ci"] == {
        "name": "gocd",
        "url": "https://ci.example.com/go/pipelines/shop/41/build/2",
        "pipeline": "shop",
        "counter": "41",
        "attempt": "2",
    }


def test_plans_change_nothing(deployed: Repository) -> None:
    """--plan says what would be done, and leaves no record."""
    assert "build  app" in deployed.inv("build", "--plan").stdout
    deployed.inv("build")
    assert "services:" in deployed.inv("release", "--env", "dev", "--plan").stdout
    deployed.inv("release", "--env", "dev")
    plan = deployed.inv("run", "--env", "dev", "--plan").stdout
    assert plan.startswith("dev/v1 on ")
    assert "  create    web  (1 container)\n" in plan

    assert len(list((deployed.root / "artifacts/builds").glob("*.toml"))) == 1
    assert [path.name for path in (deployed.root / "artifacts/releases/dev").iterdir()] == ["v1"]
    assert not (deployed.root / "artifacts/runs").exists()


def test_from_another_folder(deployed: Repository) -> None:
    """The project is where tasks.py is, not where the command is typed."""
    outcome = deployed.attempt("build", "--json", cwd=deployed.root / "app")

    assert outcome.code == 0, outcome.text
    assert (deployed.root / "artifacts/builds").is_dir()


def test_up_does_only_what_is_stale(deployed: Repository) -> None:
    """Once all of it is done, there is nothing to do: no build, no release, no run."""
    deployed.inv("up", "--env", "dev")
    again = deployed.inv("up", "--env", "dev")
    assert "dev/v1 runs already" in again.stderr
    assert [
        path.name for path in sorted((deployed.root / "artifacts/runs/dev").glob("*.toml"))
    ] == ["1.toml"]


def test_up_again_whenever_something_changes(deployed: Repository, machine: Machine) -> None:
    """Also where it fails in between; Ctrl-C ends it well."""
    record = deployed.root / "artifacts/runs/dev"
    with under_way(deployed, "up", "--env", "dev", "--watch") as watching:
        wait_until((record / "1.toml").exists, "the first run")
        deployed.write("app/Dockerfile", "FORM busybox:1\n")
        builds = deployed.root / "artifacts/builds"
        wait_until(
            lambda: any("failed" in path.read_text() for path in builds.glob("*.toml")),
            "the build to fail",
        )
        deployed.write("app/Dockerfile", FILES["app/Dockerfile"])
        deployed.write("environments/dev/config.toml", '[vars]\nGREETING = "changed"\n')
        wait_until((record / "2.toml").exists, "the second run")
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=30)
    assert watching.returncode == 0, said
    assert "watching; Ctrl-C ends it" in said
    assert "changed: app/Dockerfile" in said
    [web] = machine.engine.containers(f"{deployed.name}-dev")
    code, greeting = machine.engine.execute(web.id, ("sh", "-c", "echo $GREETING"), limit=10)
    assert (code, greeting) == (0, b"changed\n")
