"""Moving in, and then the whole way: build, release, run, on a real engine and registry."""

from __future__ import annotations

import secrets
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from examples.cleaning import remove_projects
from tests.conftest import Machine
from tests.repository import Repository

pytestmark = pytest.mark.engine

DOCKERFILE = """\
FROM busybox:1
EXPOSE 8080
STOPSIGNAL SIGKILL
COPY serve /serve
CMD ["sh", "/serve"]
"""
SERVE = """\
mkdir -p /www
echo "$GREETING ${TOKEN:+knows} $LEVEL" > /www/index.html
cat /page >> /www/index.html 2>/dev/null
exec httpd -f -p 8080 -h /www
"""
COMPOSE = """\
# What we had.
services:
  web:
    build: .
    ports: ["127.0.0.1:${PORT}:8080"]   # only here
    env_file: web.env
    environment:
      GREETING: ${GREETING:-good day}
      TOKEN: ${TOKEN}
    volumes:
      - ./page:/page:ro
      - data:/data
  store:
    image: busybox:1
    command: ["sh", "-c", "ls /src && while :; do sleep 1; done"]
    stop_signal: SIGKILL
    volumes: ["./src:/src"]
volumes:
  data:
"""


@pytest.fixture
def empty(machine: Machine, tmp_path: Path) -> Iterator[Repository]:
    """A repository with nothing in it, on the session's engine and registry."""
    name = f"t{secrets.token_hex(4)}"
    (tmp_path / name).mkdir()
    environ = {**machine.environ, "STAGEKIT_REGISTRY": machine.registry}
    repository = Repository(tmp_path / name, name, environ)
    yield repository
    remove_projects(name, machine.engine)


def page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(answer.read().decode())


def brought_up(repository: Repository, *options: str, **environ: str) -> None:
    """Build, release to dev and run it, as typed."""
    repository.inv("build")
    repository.inv("release", "--env", "dev", *options)
    run = repository.inv("run", "--env", "dev", "--json", **environ).json
    assert run["outcome"] == "running"


@pytest.mark.parametrize("dockerfile", [True, False])
def test_without_a_compose_file(
    empty: Repository, free_port: Callable[[], int], dockerfile: bool
) -> None:
    """A folder with a Dockerfile, or with nothing at all, runs after three more commands."""
    if dockerfile:
        empty.write("Dockerfile", DOCKERFILE)
        empty.write("serve", SERVE)
    port = free_port()

    empty.stagekit("init")
    brought_up(empty, "--set", f"PUBLISH=127.0.0.1:{port}")

    assert page(port)


def test_with_a_compose_file(
    empty: Repository, machine: Machine, free_port: Callable[[], int]
) -> None:
    """What ran by Compose runs as a release: variables, a secret, a file, a mounted folder."""
    port = free_port()
    for path, text in (
        ("Dockerfile", DOCKERFILE),
        ("serve", SERVE),
        ("docker-compose.yml", COMPOSE),
        (".env", f"PORT={port}\nTOKEN=a-secret-token\n"),
        ("web.env", "LEVEL='very quiet'\n"),
        ("page", "the page\n"),
        ("src/a.txt", "source\n"),
    ):
        empty.write(path, text)

    told = empty.stagekit("init").text
    brought_up(empty, STAGEKIT_SECRET_TOKEN="a-secret-token")

    assert page(port) == "good day knows very quiet\nthe page\n"
    assert "docker-compose.yml:9: TOKEN looks like a secret" in told
    assert "a-secret-token" not in told
    written = [path for path in empty.root.rglob("*") if path.is_file() and path.name != ".env"]
    assert not [path for path in written if b"a-secret-token" in path.read_bytes()]
    with closing(machine.client()) as client:
        [store] = [
            item
            for item in client.containers.list(ignore_removed=True)
            if item.name == f"{empty.name}-dev-store-1"
        ]
        assert b"a.txt" in store.logs()


def test_with_files_of_several_environments(
    empty: Repository, free_port: Callable[[], int]
) -> None:
    """The override is dev's, the file for production is prod's; both are released and run."""
    ports = {"dev": free_port(), "prod": free_port()}
    empty.write("Dockerfile", DOCKERFILE)
    empty.write("serve", SERVE)
    empty.write(
        "compose.yaml",
        "services:\n  web:\n    build: .\n    environment: {GREETING: hi, LEVEL: low}\n",
    )
    for env, path in (("dev", "compose.override.yaml"), ("prod", "compose.prod.yaml")):
        empty.write(
            path,
            f'services:\n  web:\n    ports: ["127.0.0.1:{ports[env]}:8080"]\n'
            f"    environment: {{GREETING: {env}}}\n",
        )

    empty.stagekit("init")
    brought_up(empty)
    empty.inv("release", "--env", "prod")
    empty.inv("run", "--env", "prod")

    assert page(ports["dev"]) == "dev  low\n"
    assert page(ports["prod"]) == "prod  low\n"
