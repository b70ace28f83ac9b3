"""How long a release takes, against what it cannot do without.

    python -m benchmarks.services [COUNT …]

For 10, 200 and 1,000 services (or as many as are named): ``inv release`` against one bare
``docker-compose config`` of the sealed file plus ``inv --list``. Of the engine it asks only whether
it answers, since the images are pinned already: something that does is enough.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from threading import Thread

from benchmarks.timing import Command, compare
from stagekit.engine.programs import find_program
from stagekit.ledger.files import FileLedger
from stagekit.testing.records import a_build

_INV = (sys.executable, "-m", "invoke")
_GOAL = 2.0
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
def engine(folder: Path) -> Iterator[dict[str, str]]:
    """Something that answers as an engine does to a ping, and the environment that leads to it."""
    path = str(folder / "socket")
    with ThreadingUnixStreamServer(path, _Answer) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield {"DOCKER_HOST": f"unix://{path}"}
        server.shutdown()


def project(folder: Path, count: int, environ: dict[str, str]) -> None:
    """Lay out a project of ``count`` services, built and released once."""
    digest = sha256(b"redis").hexdigest()
    services = (
        _SERVICE.format(number=number, port=10_000 + number, digest=digest)
        for number in range(count)
    )
    files = {
        "tasks.py": "import stagekit\n\nns = stagekit.collection()\n",
        "pyproject.toml": '[tool.stagekit]\nname = "bench"\n',
        "environments/prod/config.toml": '[vars]\nHOST = "redis"\nPORT = 6379\nDEBUG = "no"\n',
        "templates/compose.yaml.j2": f"services:\n{''.join(services)}volumes:\n  data:\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    ledger = FileLedger(folder / "artifacts")
    ledger.reserve_build(a_build("b1")).finish(a_build("b1", images={}))
    Command([(*_INV, "release", "--env", "prod")], folder, environ).seconds()


def measure(count: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="stagekit-bench-"))
    try:
        with engine(folder) as environ:
            project(folder, count, environ)
            sealed = folder / "artifacts/releases/prod/v1/compose.yaml"
            compose = str(find_program("docker-compose", os.environ))
            bare = (compose, "--file", str(sealed), "config", "--quiet")
            compare(
                f"inv release of {count:,} services",
                Command([(*_INV, "release", "--env", "prod")], folder, environ),
                Command([bare, (*_INV, "--list")], folder, environ),
                name="config + list",
                rounds=5,
                goal=_GOAL,
            )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    for number in map(int, sys.argv[1:] or ("10", "200", "1000")):
        measure(number)
