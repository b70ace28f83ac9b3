"""Releases, beside Compose's own reading of the same document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from threading import Thread

from benchmarks.command import Command
from benchmarks.measure import Contestant, Measure
from benchmarks.measures.starting import OURS, TASKS
from benchmarks.place import INV, NOT_FOUND, Place, write
from benchmarks.report import Goal
from stagekit.ledger.files import FileLedger
from stagekit.records import Source
from stagekit.testing.records import a_build

COMPOSE = "docker compose config alone"
BOTH = "config and inv --list"

_PLAIN = "ansible, a template only"
_SERVICE = """\
  web{number}:
    image: redis@sha256:{digest}
    environment:
      HOST: ${{HOST}}
      PORT: "${{PORT}}"
      NAME: name-{number}
      DEBUG: {{{{ DEBUG | yaml }}}}
    labels:
      app.environment: ${{STAGEKIT_ENV}}
    ports:
      - "127.0.0.1:{port}:5000"
    command: ["redis-server", "--dir", "/data", "--appendonly", "yes"]
    volumes:
      - data:/data
    healthcheck:
      test: ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1/')"]
      interval: 2s
      timeout: 2s
      retries: 10
    restart: unless-stopped
"""
_PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {HOST: redis, PORT: 6379, DEBUG: "no"}
  tasks:
    - ansible.builtin.template: {src: play.j2, dest: played.yaml}
"""


SETTINGS = '[tool.stagekit]\nname = "bench"\n[tool.stagekit.images.app]\ncontext = "app"\n'


def built(place: Place, folder: Path) -> None:
    """Commit all of a project, and record a build of that commit."""
    author = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")
    words = (("init", "--quiet"), ("add", "--all"), (*author, "commit", "--quiet", "-m", "All"))
    place.command(folder, *(("git", *each) for each in words)).output()
    commit = place.command(folder, ("git", "rev-parse", "HEAD")).output().strip()
    build = a_build("b1", project="bench", images={}, source=Source(commit=commit, branch="main"))
    FileLedger(folder / "artifacts").reserve_build(build).finish(build)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # http.server's name
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def address_string(self) -> str:
        return "a socket"

    def log_message(self, *_: object) -> None: ...


@contextmanager
def answering(folder: Path) -> Iterator[str]:
    """Have something that answers as an engine does to a ping, which is all that a release of
    pinned images asks of one; yield its address."""
    path = folder / "socket"
    with ThreadingUnixStreamServer(str(path), _Answer) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()


def environ_of(place: Place) -> dict[str, str]:
    """Return an environment whose engine answers, and does nothing else."""

    def begin(folder: Path) -> dict[str, str]:
        return {**place.environ, "DOCKER_HOST": place.left.enter_context(answering(folder))}

    return place.once("answering", begin)


class Sample:
    """A project of ``count`` services, built once and released once."""

    def __init__(self, place: Place, folder: Path, count: int) -> None:
        self.place, self.folder, self.environ = place, folder, environ_of(place)
        services = services_of(count)
        write(
            folder,
            {
                "tasks.py": TASKS,
                "pyproject.toml": SETTINGS,
                "app/Dockerfile": "FROM scratch\n",
                ".gitignore": "artifacts/\nplayed.yaml\n",
                "environments/prod/config.toml": (
                    '[vars]\nHOST = "redis"\nPORT = 6379\nDEBUG = "no"\n'
                ),
                "templates/compose.yaml.j2": services,
                "play.yml": _PLAY,
                "play.j2": services.replace("| yaml", "| to_json"),
            },
        )
        built(place, folder)
        self.release().seconds()

    def release(self) -> Command:
        argv = (*INV, "release", "--env", "prod", "--force")
        return self.place.command(self.folder, argv, environ=self.environ)

    def config(self, *more: Sequence[str]) -> Command:
        sealed = self.folder / "artifacts/releases/prod/v1/compose.yaml"
        program = self.place.program("docker-compose")
        argv = (program, "--file", str(sealed), "config", "--quiet")
        return self.place.command(self.folder, argv, *more, environ=self.environ)

    def taking(
        self, sampled: Callable[[Command], Callable[[], float]] = lambda command: command.seconds
    ) -> list[Contestant]:
        """Return those that take part; ``sampled`` is what is taken of a command."""
        ansible = self.place.program("ansible-playbook")
        played = sampled(self.place.command(self.folder, (ansible, "play.yml")))
        return [
            Contestant(OURS, sampled(self.release()), "stagekit"),
            Contestant(COMPOSE, sampled(self.config()), "floor"),
            Contestant(BOTH, sampled(self.config((*INV, "--list"))), "floor"),
            Contestant(_PLAIN, played if ansible else NOT_FOUND),
        ]


def services_of(count: int) -> str:
    """Return the template of a document with that many services."""
    digest = sha256(b"redis").hexdigest()
    services = (
        _SERVICE.format(number=number, port=10_000 + number, digest=digest)
        for number in range(count)
    )
    return f"services:\n{''.join(services)}volumes:\n  data:\n"


def sample(place: Place, count: int) -> Sample:
    """Return a project of that many services."""
    return place.once(f"services{count}", lambda folder: Sample(place, folder, count))


def released(count: int, place: Place) -> Sequence[Contestant]:
    return sample(place, count).taking()


MEASURES = tuple(
    Measure(
        f"release-{count}",
        f"release of {count:,} services",
        partial(released, count),
        goal=Goal(2.0, BOTH),
    )
    for count in (10, 200, 1_000)
)
