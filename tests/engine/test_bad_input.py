"""What goes wrong, as a user meets it.

One clear line, what to type next, an exit code, no traceback, no half record, nothing lost.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stagekit.testing.project import Outcome
from tests.conftest import Machine
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

CRASHING = """\
services:
  web:
    image: ${{IMAGE_APP}}
    command: ["sh", "-c", "echo starting; echo cannot find the key >&2; exit {code}"]
    restart: {restart}
"""


def refused(outcome: Outcome, *, code: int, says: str, next: str | None = None) -> None:
    """One line of error that says this, a line of what to do, and no traceback."""
    assert outcome.code == code, outcome.text
    assert "Traceback" not in outcome.text
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, outcome.stderr
    assert says in errors[0], outcome.stderr
    if next is not None:
        hints = [line for line in outcome.stderr.splitlines() if line.startswith("  next: ")]
        assert len(hints) == 1, outcome.stderr
        assert next in hints[0], outcome.stderr


def records(repository: Repository) -> dict[str, bytes]:
    """Every file below artifacts/, but for locks and what is only cached."""
    folder = repository.root / "artifacts"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock" and ".cache" not in path.parts
    }


@pytest.mark.parametrize("task", ["release", "run", "run.status", "run.rollback", "run.stop", "up"])
def test_unknown_environment(deployed: Repository, task: str) -> None:
    """Every task that takes an environment names those there are."""
    refused(
        deployed.attempt(task, "--env", "qa"),
        code=2,
        says="no environment 'qa'",
        next="there are: dev, prod",
    )
    assert records(deployed) == {}


@pytest.mark.parametrize(
    "name", ["../x", "/etc", "dev/../prod", "Dev", "a" * 100, "-x", "a b", "é"]
)
def test_environment_that_is_no_name(deployed: Repository, name: str) -> None:
    """A path, or anything else that could not be a folder of environments/, is refused as such."""
    refused(
        deployed.attempt("release", f"--env={name}"),
        code=2,
        says="is not a name for an environment",
        next="starting with a letter or digit",
    )


def test_no_environment_given(deployed: Repository) -> None:
    """Without --env the error asks which, and names them."""
    refused(deployed.attempt("release"), code=2, says="which environment?", next="dev, prod")


def test_no_build_yet(deployed: Repository) -> None:
    """A release before any build says what to type."""
    refused(
        deployed.attempt("release", "--env", "dev"),
        code=2,
        says="there is no build yet",
        next="inv build",
    )
    refused(
        deployed.attempt("run", "--env", "dev"),
        code=2,
        says="nothing was released to dev yet",
        next="inv release --env dev",
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("PORT: ${PORT_WEB}", "templates/compose.yaml.j2:5: ${PORT_WEB} has no value"),
        ("PORT: {{ PORT_WEB }}", "templates/compose.yaml.j2:5: 'PORT_WEB' is undefined"),
        ("PORT: '{{ web.port }}'", "templates/compose.yaml.j2:5: 'web' is undefined"),
        ("PORT: {{ 1 | nofilter }}", "templates/compose.yaml.j2:5: No filter named 'nofilter'"),
    ],
)
def test_template_that_asks_for_what_is_not_there(
    deployed: Repository, line: str, says: str
) -> None:
    """A name without a value, in either form, is an error with the template's file and line."""
    deployed.write(
        "templates/compose.yaml.j2",
        "# one comment\nservices:\n  web:\n    environment:\n"
        f"      {line}\n    image: ${{IMAGE_APP}}\n",
    )
    deployed.inv("build")
    before = records(deployed)

    refused(deployed.attempt("release", "--env", "dev"), code=2, says=says)

    assert records(deployed) == before


def test_line_of_a_plain_template(deployed: Repository) -> None:
    """A plain Compose file is a template as it is, and errors name its line."""
    (deployed.root / "templates/compose.yaml.j2").unlink()
    deployed.write(
        "templates/compose.yaml",
        "services:\n  web:\n    image: ${IMAGE_APP}\n    command:\n      - echo\n      - ${WHO}\n",
    )
    deployed.inv("build")

    refused(
        deployed.attempt("release", "--env", "dev"),
        code=2,
        says="templates/compose.yaml:6: ${WHO} has no value",
        next="set WHO in environments/dev/config.toml [vars]",
    )


def test_result_that_is_no_compose_file(deployed: Repository) -> None:
    """What Compose refuses is refused in its own words, with the template's name."""
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n    prots: ['80:80']\n",
    )
    deployed.inv("build")

    refused(
        deployed.attempt("release", "--env", "dev"),
        code=4,
        says="templates/compose.yaml.j2: Compose refuses the document: ",
    )
    assert "prots" in deployed.attempt("release", "--env", "dev").stderr


def test_the_shell_does_not_reach_a_release(deployed: Repository) -> None:
    """A variable of the shell is not the environment's: neither fills a name, nor a default."""
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n    environment:\n"
        "      HOME_OF: ${HOME:-nobody's}\n      TOKEN: ${TOKEN:-none}\n",
    )
    deployed.write(".env", "TOKEN=from a file nobody asked for\n")
    deployed.inv("build")

    deployed.inv("release", "--env", "dev", TOKEN="from the shell")

    sealed = deployed.read("artifacts/releases/dev/v1/compose.yaml")
    assert 'HOME_OF: "nobody\'s"' in sealed
    assert 'TOKEN: "none"' in sealed


class Refusing(BaseHTTPRequestHandler):
    """A registry that knows nobody."""

    def _answer(self) -> None:
        self.send_response(401 if self.path != "/v2/" else 200)
        self.end_headers()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815  # http.server's names

    def log_message(self, *_: object) -> None: ...


@contextmanager
def refusing_registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_registry_that_refuses(deployed: Repository) -> None:
    """A refused push fails the build, which is recorded as failed and cannot be released."""
    with refusing_registry() as address:
        outcome = deployed.attempt("build", STAGEKIT_REGISTRY=address)

    refused(outcome, code=3, says="the registry did not take it", next="docker login")
    (build,) = deployed.inv("build.list", "--json").json
    assert build["status"] == "failed"
    (failure,) = build["failures"]
    assert (failure["step"], failure["subject"]) == ("push", "app")
    refused(
        deployed.attempt("release", "--env", "dev"),
        code=2,
        says="build 20",
        next="--build",
    )


def test_registry_that_is_not_there(deployed: Repository, free_port: Callable[[], int]) -> None:
    """A registry nobody listens at is said to be that."""
    outcome = deployed.attempt("build", STAGEKIT_REGISTRY=f"127.0.0.1:{free_port()}")

    refused(outcome, code=3, says="connection refused", next="check that the registry runs")


def test_engine_that_is_gone(deployed: Repository) -> None:
    """An engine that was named and does not answer is an error of its own; another is not taken."""
    for task in (["build"], ["engine.status"], ["engine.start"]):
        refused(
            deployed.attempt(*task, DOCKER_HOST="unix:///nowhere/docker.sock"),
            code=6,
            says="unix:///nowhere/docker.sock: the engine does not",
            next="start that engine, or name another: DOCKER_HOST",
        )
    assert records(deployed) == {}


class Silent(socketserver.BaseRequestHandler):
    """An engine that takes calls and never answers."""

    def handle(self) -> None:
        self.request.recv(65536)
        time.sleep(30)


def test_engine_that_hangs(deployed: Repository, tmp_path: Path) -> None:
    """An engine that says nothing is given up on after seconds."""
    path = str(tmp_path / "s")
    server = socketserver.ThreadingUnixStreamServer(path, Silent)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        begun = time.monotonic()
        outcome = deployed.attempt("build", DOCKER_HOST=f"unix://{path}")
        assert time.monotonic() - begun < 20
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()
    refused(
        outcome,
        code=6,
        says=f"unix://{path}: the engine does not answer: nothing was heard in time",
    )


def test_port_held_by_a_program(deployed: Repository) -> None:
    """A port that something outside Docker holds is found before anything is touched."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        deployed.write(
            "templates/compose.yaml.j2",
            f"services:\n  web:\n    image: ${{IMAGE_APP}}\n    ports: ['127.0.0.1:{port}:8080']\n",
        )
        deployed.inv("build", "release", "--env", "dev")

        refused(
            deployed.attempt("run", "--env", "dev"),
            code=5,
            says=f"port {port}, which web publishes, is taken by another program",
            next="environments/dev/config.toml",
        )
    assert "changed = false" in deployed.read("artifacts/runs/dev/1.toml")
    deployed.inv("run", "--env", "dev")


def test_port_held_by_a_container(
    deployed: Repository, machine: Machine, free_port: Callable[[], int]
) -> None:
    """A port that a container of another project publishes is said to be that container's."""
    port = free_port()
    deployed.write(
        "templates/compose.yaml.j2",
        f"services:\n  web:\n    image: ${{IMAGE_APP}}\n    ports: ['127.0.0.1:{port}:8080']\n",
    )
    deployed.inv("up", "--env", "dev")

    refused(
        deployed.attempt("up", "--env", "prod"),
        code=5,
        says=f"port {port}, which web publishes, is taken by container {deployed.name}-dev-web-1",
    )
    assert machine.engine.containers(f"{deployed.name}-prod") == ()


@pytest.mark.parametrize("path", ["compose.yaml", "variables.toml", "release.toml", "extra.txt"])
def test_release_edited_after_sealing(deployed: Repository, path: str) -> None:
    """One byte more in any file of a release, or one file more, and it does not run."""
    deployed.inv("build", "release", "--env", "dev")
    file = deployed.root / "artifacts/releases/dev/v1" / path
    with file.open("a") as edited:
        edited.write("# only a comment\n")

    refused(
        deployed.attempt("run", "--env", "dev"),
        code=7,
        says="changed",
        next="bring" if path == "release.toml" else "inv release --env dev",
    )
    assert not (deployed.root / "artifacts/runs").exists()


def test_build_exchanged_under_a_release(deployed: Repository) -> None:
    """A release whose build's record is another one than it was made from does not run."""
    deployed.inv("build", "--id", "b1")
    deployed.inv("release", "--env", "dev")
    for path in (deployed.root / "artifacts/builds").glob("b1.*"):
        path.unlink()
    deployed.inv("build", "--id", "b1", "--force")

    refused(
        deployed.attempt("run", "--env", "dev"),
        code=7,
        says="is not the one this release was made from",
    )


@pytest.mark.parametrize("length", [0, 10, 40, 200])
def test_truncated_record(deployed: Repository, length: int) -> None:
    """A record that was cut is refused by name, and the others stay readable."""
    first, second = (deployed.inv("build", "--force", "--json").json["id"] for _ in range(2))
    path = deployed.root / f"artifacts/builds/{second}.toml"
    os.truncate(path, length)

    refused(
        deployed.attempt("release", "--env", "dev", "--build", second),
        code=7,
        says=f"{second}.toml",
    )
    listed = deployed.inv("build.list")
    assert re.search(rf"^{re.escape(second)} +damaged", listed.stdout, re.MULTILINE)
    assert re.search(rf"^{re.escape(first)} +succeeded", listed.stdout, re.MULTILINE)
    deployed.inv("release", "--env", "dev", "--build", first)


def test_truncated_release_does_not_stop_the_next(deployed: Repository) -> None:
    """After a damaged release there can be another one, with a number of its own."""
    deployed.inv("build", "release", "--env", "dev")
    os.truncate(deployed.root / "artifacts/releases/dev/v1/release.toml", 100)

    released = deployed.inv("release", "--env", "dev", "--json")

    assert released.json["id"] == "v2"
    assert "dev/v1 is passed over" in released.stderr
    deployed.inv("run", "--env", "dev")
    assert "damaged" in deployed.inv("release.list", "--env", "dev").stdout


def test_no_disk_space(deployed: Repository, tmp_path: Path) -> None:
    """A full disk fails the stage with one line, leaves no half record, and harms nothing."""
    folder = deployed.root / "artifacts"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    try:
        deployed.inv("build")
        filler = folder / "filler"
        _fill(filler)
        before = records(deployed)

        refused(
            deployed.attempt("release", "--env", "dev"),
            code=7,
            says="no space left on device",
            next="free some space",
        )
        assert records(deployed) == before
        assert not list(folder.glob("releases/dev/*"))
        refused(deployed.attempt("build", "--force"), code=7, says="no space left on device")
        assert records(deployed) == before

        filler.unlink()
        deployed.inv("release", "--env", "dev")
        deployed.inv("run", "--env", "dev")
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(("code", "restart"), [(3, '"no"'), (3, "always"), (0, "always")])
def test_failing_container(deployed: Repository, code: int, restart: str) -> None:
    """A container that ends, once or over and over, fails the run with its last lines."""
    deployed.write("templates/compose.yaml.j2", CRASHING.format(code=code, restart=restart))
    deployed.inv("build", "release", "--env", "dev")

    outcome = deployed.attempt("run", "--env", "dev")

    refused(outcome, code=5, says="dev/v1, service web: ", next="inv run.show dev/1 tells more")
    assert "  | cannot find the key" in outcome.stderr
    record = deployed.read("artifacts/runs/dev/1.toml")
    assert 'outcome = "failed"' in record
    assert "cannot find the key" in record


def test_unhealthy_container(deployed: Repository) -> None:
    """A service whose health check fails is not up, and the check's output says why."""
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n    healthcheck:\n"
        "      test: ['CMD-SHELL', 'echo no answer yet; exit 1']\n"
        "      interval: 0.2s\n      retries: 2\n",
    )
    deployed.inv("build", "release", "--env", "dev")

    refused(deployed.attempt("run", "--env", "dev"), code=5, says="unhealthy: no answer yet")


def test_one_shot_that_ends_well(deployed: Repository) -> None:
    """A service that has done its work and ended with 0 is no failure (compose#10596)."""
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n"
        "  migrate:\n    image: ${IMAGE_APP}\n    command: ['true']\n",
    )

    outcome = deployed.inv("up", "--env", "dev")

    assert "-migrate-1  exited" in outcome.stdout
    assert deployed.inv("run.status", "--env", "dev", "--json").json[0]["well"] is True
    assert deployed.inv("up", "--env", "dev", "--json").json["release"]["id"] == "v1"


def test_rollback_after_a_failed_run(deployed: Repository) -> None:
    """After a release that does not come up, the one before is one command away."""
    deployed.inv("up", "--env", "dev")
    good = deployed.read("templates/compose.yaml.j2")
    deployed.write("templates/compose.yaml.j2", CRASHING.format(code=1, restart='"no"'))
    deployed.inv("release", "--env", "dev")
    assert deployed.attempt("run", "--env", "dev").code == 5

    back = deployed.inv("run.rollback", "--env", "dev", "--json").json

    assert back["release"]["id"] == "v1"
    deployed.write("templates/compose.yaml.j2", good)


def test_two_runs_at_once(deployed: Repository) -> None:
    """While a run is under way, another of the same environment is refused, and the first is
    not disturbed."""
    deployed.write(
        "environments/base/config.toml", '[stagekit]\nsettle = 6\n\n[vars]\nGREETING = "x"\n'
    )
    deployed.inv("build", "release", "--env", "dev")
    with under_way(deployed, "run", "--env", "dev") as first:
        journal = deployed.root / "artifacts/runs/dev/1.journal"
        wait_until(journal.exists, "the run to begin")

        refused(
            deployed.attempt("run", "--env", "dev"),
            code=9,
            says="another run holds it: 'inv run --env dev' by",
            next="--wait-lock SECONDS waits",
        )
        deployed.inv("run", "--env", "dev", "--wait-lock", "60")
        assert first.wait(60) == 0


@pytest.mark.parametrize(
    ("number", "outcome"), [(signal.SIGINT, "cancelled"), (signal.SIGKILL, "interrupted")]
)
def test_stopped_on_the_way(deployed: Repository, number: signal.Signals, outcome: str) -> None:
    """Ctrl-C or kill -9 in the middle of a run leaves a record, and the next run goes through."""
    deployed.write(
        "environments/base/config.toml", '[stagekit]\nsettle = 30\n\n[vars]\nGREETING = "x"\n'
    )
    deployed.inv("build", "release", "--env", "dev")
    with under_way(deployed, "run", "--env", "dev") as first:
        journal = deployed.root / "artifacts/runs/dev/1.journal"
        wait_until(journal.exists, "the run to begin")
        wait_until(lambda: '"step": "up"' in journal.read_text(), "its first step")
        first.send_signal(number)
        assert first.wait(30) == (130 if number == signal.SIGINT else -9)
    warned = "run 1 of dev is under way, or was interrupted" in deployed.inv("run.status").stderr
    assert warned == (number == signal.SIGKILL)
    deployed.write(
        "environments/base/config.toml", '[stagekit]\nsettle = 0\n\n[vars]\nGREETING = "x"\n'
    )

    deployed.inv("release", "--env", "dev")
    deployed.inv("run", "--env", "dev")

    assert f'outcome = "{outcome}"' in deployed.read("artifacts/runs/dev/1.toml")
    assert 'outcome = "running"' in deployed.read("artifacts/runs/dev/2.toml")
    assert not list(deployed.root.glob("artifacts/runs/dev/*.journal"))


def test_image_that_nobody_has(deployed: Repository) -> None:
    """A third-party image that neither registry nor engine knows stops the release by name."""
    deployed.write("templates/compose.yaml.j2", "services:\n  web:\n    image: nobody-has/this:1\n")
    deployed.inv("build")

    refused(
        deployed.attempt("release", "--env", "dev"),
        code=6,
        says="image nobody-has/this:1: cannot be pinned",
    )


def test_secret_reaches_the_container_and_no_file(deployed: Repository, machine: Machine) -> None:
    """A secret is a file in the container; it stands in no record, and a missing one is named."""
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n"
        "    command: ['sh', '-c', 'cat /run/secrets/key; echo; sleep 1000']\n    secrets: [key]\n"
        "secrets:\n  key:\n    environment: API_KEY\n",
    )
    deployed.inv("build", "release", "--env", "dev")

    refused(
        deployed.attempt("run", "--env", "dev"),
        code=2,
        says="secret API_KEY has no value",
        next="STAGEKIT_SECRET_API_KEY",
    )
    run = deployed.inv("run", "--env", "dev", STAGEKIT_SECRET_API_KEY="s3cret-$value")

    container = machine.engine.containers(f"{deployed.name}-dev")[0]
    assert machine.engine.logs(container.id, 5) == ("s3cret-$value",)
    assert "s3cret" not in run.text
    assert not any(b"s3cret" in data for data in records(deployed).values())


def test_debug_shows_the_traceback(deployed: Repository) -> None:
    """STAGEKIT_DEBUG=1 is for those who want to know where."""
    assert "Traceback" in deployed.attempt("release", "--env", "qa", STAGEKIT_DEBUG="1").stderr


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
