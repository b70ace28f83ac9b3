"""A run that fails on a real engine, in each way it can, and what is left after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from stagekit.records import HOOK_MOMENTS
from stagekit.testing.project import Outcome
from tests.conftest import Machine
from tests.engine.under_way import wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

TEMPLATE = """\
services:
  web:
    image: ${IMAGE_APP}
    command: {{ COMMAND | yaml }}
    stop_signal: SIGKILL
    volumes: ["data:/data"]
    healthcheck:
      test: ["CMD", "test", "-e", "/www/{{ HEALTHY }}"]
      interval: 0.2s
      retries: 3
volumes:
  data: {}
"""
CONFIG = """\
[stagekit]
settle = 1
timeout = 20

[vars]
HEALTHY = "index.html"
COMMAND = ["httpd", "-f", "-p", "8080", "-h", "/www"]
"""
EXITS = 'COMMAND=["sh", "-c", "echo cannot start; exit 3"]'
DIES_LATER = 'COMMAND=["sh", "-c", "sleep 1.2; echo lost my database; exit 4"]'
NEVER_HEALTHY = "HEALTHY=nothing"


@pytest.fixture
def shop(deployed: Repository) -> Iterator[Repository]:
    """A repository whose service has a health check and a volume; built."""
    deployed.write("templates/compose.yaml.j2", TEMPLATE)
    deployed.write("environments/base/config.toml", CONFIG)
    deployed.write("environments/prod/config.toml", "")
    deployed.inv("build")
    return deployed


def release(shop: Repository, *options: str, env: str = "prod") -> str:
    settings = [word for option in options for word in ("--set", option)]
    return str(shop.inv("release", "--env", env, *settings, "--json").json["id"])


def runs(shop: Repository, env: str = "prod") -> list[tuple[str, str, str]]:
    """Return reason, release and outcome of each run, the first first."""
    found = sorted((shop.root / f"artifacts/runs/{env}").glob("*.toml"), key=lambda p: int(p.stem))
    return [(run["reason"], run["release"]["id"], run["outcome"]) for run in map(toml, found)]


def toml(path: Path) -> dict[str, object]:
    import tomllib

    return tomllib.loads(path.read_text())


def services(shop: Repository, machine: Machine, env: str = "prod") -> dict[str, str]:
    """Return the state of each container there is, by service."""
    found = machine.engine.containers(f"{shop.name}-{env}")
    return {item.service: item.state for item in found}


def nobody_holds(shop: Repository, env: str = "prod") -> None:
    assert shop.inv("run.unlock", "--env", env).stdout == f"nobody holds {env}\n"


@pytest.mark.parametrize(
    ("what", "says", "last_words"),
    [
        (EXITS, "exited with 3", "cannot start"),
        (DIES_LATER, "exited with 4", "lost my database"),
        (NEVER_HEALTHY, "unhealthy", ""),
    ],
)
def test_what_fails_goes_back_to_what_ran_well(
    shop: Repository, machine: Machine, what: str, says: str, last_words: str
) -> None:
    """With the failing container's last words; the record tells of both, and nothing is locked."""
    release(shop)
    shop.inv("run", "--env", "prod")
    release(shop, what)

    failed = shop.attempt("run", "--env", "prod")

    assert failed.code == 8
    assert says in failed.stderr
    assert last_words in failed.stderr
    assert "prod/v1 runs again (run 3)" in failed.stderr
    assert runs(shop) == [
        ("run", "v1", "running"),
        ("run", "v2", "failed"),
        ("automatic rollback", "v1", "running"),
    ]
    assert services(shop, machine) == {"web": "running"}
    status = shop.inv("run.status", "--env", "prod", "--json").json[0]
    assert (status["release"], status["well"]) == ("v1", True)
    nobody_holds(shop)
    standing = machine.engine.standing(f"{shop.name}-prod")
    assert standing is not None
    assert (standing.release, standing.run, standing.reason) == ("v1", 3, "automatic rollback")


def test_a_first_run_that_fails_is_taken_down(shop: Repository, machine: Machine) -> None:
    """But for its volume: what it wrote there may be all there is."""
    release(shop, EXITS)
    failed = shop.attempt("run", "--env", "prod")
    assert failed.code == 8
    assert "it was taken down, volumes stay" in failed.stderr
    assert services(shop, machine) == {}
    assert machine.volume_exists(f"{shop.name}-prod_data")
    assert runs(shop) == [("run", "v1", "failed"), ("automatic stop", "v1", "stopped")]


def test_in_dev_what_failed_stays_to_be_looked_at(shop: Repository, machine: Machine) -> None:
    """Unless its settings say otherwise; a rollback by hand goes back."""
    release(shop, env="dev")
    shop.inv("run", "--env", "dev")
    release(shop, EXITS, env="dev")
    assert shop.attempt("run", "--env", "dev").code == 5
    assert services(shop, machine, "dev") == {"web": "exited"}
    shop.inv("run.rollback", "--env", "dev")
    assert services(shop, machine, "dev") == {"web": "running"}


def test_where_going_back_fails_too_it_says_what_is_up(shop: Repository, machine: Machine) -> None:
    """The release that ran well cannot run any more: its port is taken since."""
    release(shop)
    shop.inv("run", "--env", "prod")
    release(shop, EXITS)
    text = shop.root / "artifacts/releases/prod/v1/compose.yaml"
    text.write_bytes(text.read_bytes() + b"#\n")
    failed = shop.attempt("run", "--env", "prod")
    assert failed.code == 5
    assert "going back to prod/v1 failed too" in failed.stderr
    assert "was changed after it was sealed" in failed.stderr
    assert f"{shop.name}-prod-web-1: exited, the image of prod/v2" in failed.stderr
    nobody_holds(shop)


def test_an_image_that_is_nowhere_is_said_before_anything_is_touched(
    shop: Repository, machine: Machine
) -> None:
    """Neither on the engine nor in the registry: what runs goes on."""
    release(shop)
    shop.inv("run", "--env", "prod")
    shop.write("app/index.html", "another page\n")
    build = shop.inv("build", "--json").json
    release(shop)
    image = build["images"]["app"]
    machine.remove_image(build["id"], image["digest"])
    repository = image["repository"].partition("/")[2]
    manifest = f"http://{machine.registry}/v2/{repository}/manifests/{image['digest']}"
    assert requests.delete(manifest, timeout=10).status_code == 202
    before = machine.engine.containers(f"{shop.name}-prod")

    failed = shop.attempt("run", "--env", "prod")

    assert failed.code == 5
    assert "is not on this engine, and cannot be pulled" in failed.stderr
    assert services_ids(shop, machine) == {item.service: item.id for item in before}
    assert runs(shop) == [("run", "v1", "running"), ("run", "v2", "failed")]


COMMANDED = """\
services:
  web:
    image: ${IMAGE_APP}
    stop_signal: SIGKILL
    depends_on:
      db: {condition: service_healthy}
    volumes: ["data:/data"]
  db:
    image: ${IMAGE_APP}
    stop_signal: SIGKILL
    healthcheck: {test: ["CMD", "true"], interval: 0.2s}
volumes:
  data: {}
"""


def commanded(shop: Repository, command: str) -> None:
    shop.write("templates/compose.yaml.j2", COMMANDED)
    shop.write(
        "environments/prod/config.toml",
        f"[stagekit.release_command]\nservice = 'web'\ncommand = ['sh', '-c', '''{command}''']\n",
    )


def in_volume(shop: Repository, machine: Machine) -> str:
    """Return what the release commands wrote into the volume."""
    [web] = [it for it in machine.engine.containers(f"{shop.name}-prod") if it.service == "web"]
    printed: list[bytes] = []

    def reads() -> bytes:  # now and then, engine 20.10 loses what a short command prints
        code, said = machine.engine.execute(web.id, ("cat", "/data/log"), limit=10)
        assert code == 0
        printed.append(said)
        return said

    wait_until(reads, "the engine to pass on what was read")
    return printed[-1].decode()


def test_a_release_command_runs_before_what_it_is_for(shop: Repository, machine: Machine) -> None:
    """On the first deploy after what it depends on; later beside what runs, which is not touched
    before it is done."""
    commanded(shop, 'echo "migrated $(wget -q -O - web:8080 2>&1)" >> /data/log')
    release(shop)
    first = shop.inv("run", "--env", "prod", "--json").json
    assert [step["name"] for step in first["steps"]] == [
        *("verify", "lock", "check", "command", "up", "settle", "prove")
    ]
    assert in_volume(shop, machine).startswith("migrated wget: bad address")
    db = services_ids(shop, machine)["db"]
    release(shop, "NEW=1")
    shop.inv("release", "--env", "prod", "--force")
    shop.inv("run", "--env", "prod")
    assert in_volume(shop, machine).splitlines()[-1] == "migrated hello"
    assert services_ids(shop, machine)["db"] == db
    with closing(machine.client()) as client:
        left = client.containers.list(all=True, filters={"label": "stagekit.command"})
        assert left == []


def services_ids(shop: Repository, machine: Machine) -> dict[str, str]:
    return {it.service: it.id for it in machine.engine.containers(f"{shop.name}-prod")}


def test_a_release_command_that_fails_leaves_what_runs(shop: Repository, machine: Machine) -> None:
    """Its last words are told; nothing was replaced, so nothing goes back."""
    commanded(shop, "true")
    release(shop)
    shop.inv("run", "--env", "prod")
    before = services_ids(shop, machine)
    commanded(shop, "echo no such table >&2; exit 7")
    release(shop)
    failed = shop.attempt("run", "--env", "prod")
    assert failed.code == 5
    assert "the release command ended with 7" in failed.stderr
    assert "no such table" in failed.stderr
    assert services_ids(shop, machine) == before
    assert shop.inv("run.status", "--env", "prod", "--json").json[0]["release"] == "v1"


def asked(shop: Repository, checks: str) -> Outcome:
    shop.write("environments/prod/config.toml", checks)
    release(shop)
    return shop.attempt("run", "--env", "prod")


def test_pages_have_to_answer(shop: Repository, machine: Machine) -> None:
    """Asked from here or within a container; each says which, and what was wrong."""
    template = TEMPLATE.replace(
        "    stop_signal", "    ports: ['127.0.0.1::8080']\n    stop_signal"
    )
    shop.write("templates/compose.yaml.j2", template)
    within = '[[stagekit.checks]]\nurl = "http://web:8080/%s"\nfrom = "web"\ndeadline = 1\n%s'
    well = asked(shop, within % ("", 'body = "hello"'))
    assert well.code == 0, well.text
    assert "ask     http://web:8080/  200 in a container of web, after" in well.stderr
    wrong = asked(shop, within % ("", 'body = "bye"'))
    assert wrong.code == 8
    assert "asked in a container of web: 'bye' is not in its answer: hello" in wrong.stderr
    assert asked(shop, within % ("none", "status = 404")).code == 0
    missing = asked(shop, within % ("none", ""))
    assert "404 instead of 200" in missing.stderr
    port = free_port_of(machine, shop)
    here = '[[stagekit.checks]]\nurl = "http://127.0.0.1:%s/"\ndeadline = 1\n'
    assert "no answer: [Errno 111] Connection refused" in asked(shop, here % 1).stderr
    fixed = template.replace("127.0.0.1::8080", f"127.0.0.1:{port}:8080")
    shop.write("templates/compose.yaml.j2", fixed)
    assert "200 from here" in asked(shop, here % port).stderr


def free_port_of(machine: Machine, shop: Repository) -> str:
    """Return the port that the engine gave to the service: it is free for it again."""
    [web] = machine.engine.containers(f"{shop.name}-prod")
    return web.ports[0].number


def test_a_scale_is_a_run(shop: Repository, machine: Machine) -> None:
    """Proven, kept by the next run of the same release, and given up by that of another."""
    release(shop)
    shop.inv("run", "--env", "prod")
    shop.inv("run.scale", "--env", "prod", "--set", "web=3")
    assert len(machine.engine.containers(f"{shop.name}-prod")) == 3
    again = shop.inv("run", "--env", "prod")
    assert "scale, as before: web=3" in again.stderr
    assert len(machine.engine.containers(f"{shop.name}-prod")) == 3
    release(shop, "NEW=1")
    shop.inv("release", "--env", "prod", "--force")
    other = shop.inv("run", "--env", "prod")
    assert "the scale of v1 does not go on: web=3" in other.stderr
    assert len(machine.engine.containers(f"{shop.name}-prod")) == 1
    assert runs(shop)[1][0] == "scale"


# Kills stagekit, once: the hook is its child.
KILLS = '["sh", "-c", "test -e killed || { touch killed; kill -9 $PPID; sleep 5; }"]'


@pytest.mark.parametrize("moment", [at for at in HOOK_MOMENTS if "_place" not in at])
def test_killed_at_any_moment_the_next_run_makes_it_whole(
    shop: Repository, machine: Machine, moment: str
) -> None:
    """``kill -9`` before and after each step: the lock is free, the record says where it was, and
    one whole release runs."""
    release(shop)
    shop.inv("run", "--env", "prod")
    commands = (
        "[stagekit.release_command]\nservice = 'web'\ncommand = ['true']\n"
        "[[stagekit.checks]]\nurl = 'http://web:8080/'\nfrom = 'web'\ndeadline = 5\n"
    )
    shop.write("environments/prod/config.toml", f"[stagekit.hooks]\n{moment} = {KILLS}\n{commands}")
    fails = [EXITS] if moment == "on_failure" else []
    pinned = shop.inv("build", "--force", "--json").json["images"]["app"]
    release(shop, *fails)
    if moment.endswith("_pull"):
        machine.remove_image(f"{pinned['repository']}@{pinned['digest']}")

    killed = shop.attempt("run", "--env", "prod")

    assert (shop.root / "killed").exists(), f"the step of {moment} was not taken"
    assert killed.code == -9
    if fails:
        release(shop)
    after = shop.inv("run", "--env", "prod")
    assert "run 2 of prod was interrupted" in after.stderr
    assert [outcome for _, _, outcome in runs(shop)] == ["running", "interrupted", "running"]
    assert services(shop, machine) == {"web": "running"}
    assert shop.inv("run.status", "--env", "prod", "--json").json[0]["well"]
    nobody_holds(shop)
