"""Which engine is taken, of those that somebody named and those that are there."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stagekit.testing.project import Outcome
from tests.certificates import make_certificates
from tests.conftest import Machine
from tests.engine.bare import Bare
from tests.engine.relay import relay
from tests.repository import Repository

pytestmark = pytest.mark.engine

_LIMIT = 30


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="sk-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def engine_socket(machine: Machine) -> Path:
    """The socket of the session's engine."""
    assert machine.engine.endpoint.socket
    return machine.engine.endpoint.socket


@pytest.fixture
def relayed(short: Path, engine_socket: Path) -> Iterator[Path]:
    """Another socket of the session's engine, which nothing looks for unless it is named."""
    path = short / "relayed.sock"
    with relay(engine_socket, "unix", str(path)):
        yield path


@pytest.fixture
def docker_config(alone: Repository, tmp_path: Path) -> Path:
    """The settings of the docker command, for this test alone."""
    folder = tmp_path / "docker-config"
    alone.environ["DOCKER_CONFIG"] = str(folder)
    return folder


def docker(project: Repository, *arguments: str) -> None:
    """Run the docker command as the person does whose commands run in ``project``."""
    subprocess.run(
        ["docker", *arguments],
        env=project.environ,
        capture_output=True,
        timeout=_LIMIT,
        check=True,
    )


def found(project: Repository, **environ: str) -> dict[str, str]:
    """Return the engine that ``inv engine.status`` shows."""
    engine: dict[str, str] = project.inv("engine.status", "--json", **environ).json["engine"]
    return engine


def refused(outcome: Outcome, *says: str) -> None:
    """One error, in one line and a hint, with the exit code of engines."""
    assert outcome.code == 6, outcome.text
    assert outcome.stderr.startswith("error: ")
    assert len(outcome.stderr.splitlines()) <= 2
    assert "Traceback" not in outcome.text
    for text in says:
        assert text in outcome.stderr


def test_docker_host_is_taken(alone: Repository, relayed: Path, docker_config: Path) -> None:
    """It goes before a docker context in use, even a broken one."""
    docker_config.mkdir()
    (docker_config / "config.json").write_text('{"currentContext": "gone"}')

    engine = found(alone, DOCKER_HOST=f"unix://{relayed}")

    assert (engine["url"], engine["origin"]) == (f"unix://{relayed}", "DOCKER_HOST")


@pytest.mark.parametrize("command", [("build",), ("engine.start",), ("engine.status",)])
def test_a_dead_docker_host_is_an_error(
    alone: Repository,
    bare: Bare,
    relayed: Path,
    free_port: Callable[[], int],
    command: tuple[str, ...],
) -> None:
    """No other engine is taken in its place, and none is started."""
    bare.do("ln", "-s", str(relayed), "/run/docker.sock")
    url = f"tcp://127.0.0.1:{free_port()}"

    outcome = alone.attempt(*command, DOCKER_HOST=url)

    refused(outcome, f"error: {url}: the engine does not answer", ": connection refused\n")
    assert not Path(alone.environ["STAGEKIT_HOME"]).exists()
    assert found(alone)["origin"] == "the default socket"


@pytest.mark.parametrize("url", ["unix:///nowhere/docker.sock", "carrier-pigeon://dove", "tcp://"])
def test_a_wrong_docker_host_is_an_error(alone: Repository, url: str) -> None:
    """The error names it as it was written."""
    refused(alone.attempt("build", DOCKER_HOST=url), url)


def test_an_engine_that_does_not_answer_is_given_up(alone: Repository, short: Path) -> None:
    """Somebody listens and says nothing: an error within seconds."""
    path = short / "silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        begun = time.monotonic()

        refused(
            alone.attempt("build", DOCKER_HOST=f"unix://{path}"),
            f"error: unix://{path}: the engine does not answer",
            "nothing was heard in time",
        )

    assert time.monotonic() - begun < 15


def test_the_docker_context_in_use_is_taken(
    alone: Repository, bare: Bare, relayed: Path, engine_socket: Path, docker_config: Path
) -> None:
    """As the docker command stores it, by its settings or DOCKER_CONTEXT; ``default`` leaves it."""
    bare.do("ln", "-s", str(engine_socket), "/run/docker.sock")
    docker(alone, "context", "create", "other", "--docker", f"host=unix://{relayed}")
    by_name = found(alone, DOCKER_CONTEXT="other")
    assert found(alone)["origin"] == "the default socket"
    docker(alone, "context", "use", "other")

    engine = found(alone)

    assert engine["url"] == f"unix://{relayed}"
    assert engine["origin"] == "the docker context 'other'"
    assert by_name == engine
    assert found(alone, DOCKER_CONTEXT="default")["origin"] == "the default socket"
    assert docker_config.is_dir()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('{"currentContext": "gone"}', "the docker context 'gone' names no engine"),
        ('{"currentContext":', "cannot be read"),
    ],
)
def test_a_broken_context_is_an_error(
    alone: Repository,
    bare: Bare,
    engine_socket: Path,
    docker_config: Path,
    settings: str,
    says: str,
) -> None:
    """It says which, and where it stands; the engine next to it is not taken."""
    bare.do("ln", "-s", str(engine_socket), "/run/docker.sock")
    docker_config.mkdir()
    (docker_config / "config.json").write_text(settings)

    refused(alone.attempt("engine.status"), says, str(docker_config))


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/run/docker.sock", "the default socket"),
        ("/run/me/docker.sock", "the rootless socket"),
        ("{home}/.docker/run/docker.sock", "Docker Desktop's socket"),
        ("/run/me/podman/podman.sock", "a Podman socket"),
        ("/run/podman/podman.sock", "a Podman socket"),
    ],
)
def test_sockets_are_found(
    alone: Repository, bare: Bare, engine_socket: Path, path: str, origin: str
) -> None:
    """Where nobody named an engine, each usual place is looked at."""
    path = path.format(home=alone.environ["HOME"])
    bare.do("mkdir", "-p", str(Path(path).parent))
    bare.do("ln", "-s", str(engine_socket), path)

    engine = found(alone, XDG_RUNTIME_DIR="/run/me")

    assert engine["origin"] == origin
    assert Path(engine["url"].removeprefix("unix://")).name == Path(path).name


def test_a_podman_socket_builds(
    alone: Repository, bare: Bare, engine_socket: Path, machine: Machine
) -> None:
    """A dead default socket is passed over; the engine behind the Podman socket does the work."""
    bare.do("mkdir", "-p", "/run/me/podman")
    bare.do("ln", "-s", str(engine_socket), "/run/me/podman/podman.sock")
    alone.environ["XDG_RUNTIME_DIR"] = "/run/me"
    listen_and_die(bare, "/run/docker.sock")

    built = alone.inv("build", "--json").json

    assert built["builder"]["engine"] == machine.engine.facts().id


def test_no_engine_at_all(alone: Repository, bare: Bare) -> None:
    """The error lists what was asked, each with its reason, and says what to type."""
    listen_and_die(bare, "/run/docker.sock")
    bare.do("mkdir", "/run/podman")
    listen_and_die(bare, "/run/podman/podman.sock")

    outcome = alone.attempt("build")

    assert outcome.code == 6
    default, podman, error, hint = outcome.stderr.splitlines()
    assert default.startswith("  | the default socket (unix:///var/run/docker.sock): ")
    assert podman.startswith("  | a Podman socket (unix:///run/podman/podman.sock): ")
    assert default.endswith("connection refused")
    assert podman.endswith("connection refused")
    assert error == "error: no Docker engine answers"
    assert hint == "  next: inv engine.start starts one of stagekit's own, or set DOCKER_HOST"
    assert not (alone.root / "artifacts").exists()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority of the test's own, and what it signed for a server and for a client."""
    folder = tmp_path / "certificates"
    make_certificates(folder)
    return folder


@pytest.fixture
def secured(certificates: Path, engine_socket: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """The session's engine behind TCP and TLS, which takes only clients it knows."""
    port = free_port()
    with relay(engine_socket, "tls", str(port), str(certificates)):
        yield f"tcp://127.0.0.1:{port}"


def test_the_whole_way_over_tls(deployed: Repository, certificates: Path, secured: str) -> None:
    """By DOCKER_HOST and its certificates, Compose reaches the engine as stagekit does."""
    deployed.environ |= {
        "DOCKER_HOST": secured,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(certificates),
    }

    goes_the_whole_way(deployed, secured)


def test_files_reach_an_engine_over_tls(
    deployed: Repository, machine: Machine, certificates: Path, secured: str
) -> None:
    """Its host is another machine, for all that is known: what a release mounts is put there."""
    deployed.environ |= {
        "DOCKER_HOST": secured,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(certificates),
    }
    deployed.write("environments/dev/files/page", "hello, file\n")
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n    command: [sh, -c, cat /page; sleep 1000]\n"
        "    volumes: ['./environments/dev/files/page:/page']\n",
    )
    deployed.inv("up", "--env", "dev")

    [container] = machine.engine.containers(f"{deployed.name}-dev")
    assert machine.engine.logs(container.id, 5) == ("hello, file",)


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "unverified"])
def test_the_whole_way_over_a_context_with_tls(
    deployed: Repository, certificates: Path, secured: str, tmp_path: Path, verified: bool
) -> None:
    """The certificates that the docker command keeps for a context are used, by Compose too."""
    deployed.environ["DOCKER_CONFIG"] = str(tmp_path / "docker-config")
    deployed.environ.pop("DOCKER_HOST")
    settings = {"host": secured, "cert": certificates / "cert.pem", "key": certificates / "key.pem"}
    settings |= {"ca": certificates / "ca.pem"} if verified else {"skip-tls-verify": "true"}
    described = ",".join(f"{key}={value}" for key, value in settings.items())
    docker(deployed, "context", "create", "remote", "--docker", described)
    docker(deployed, "context", "use", "remote")

    goes_the_whole_way(deployed, secured)


def test_certificates_without_verification(
    deployed: Repository, certificates: Path, secured: str
) -> None:
    """DOCKER_CERT_PATH alone is TLS towards an engine whose certificate is not checked."""
    elsewhere = secured.replace("127.0.0.1", "localhost")  # a name the certificate does not have
    deployed.environ |= {"DOCKER_HOST": elsewhere, "DOCKER_CERT_PATH": str(certificates)}

    refused(deployed.attempt("build", DOCKER_TLS_VERIFY="1"), elsewhere, "certificate")
    goes_the_whole_way(deployed, elsewhere)


def test_a_stranger_is_not_let_in(deployed: Repository, secured: str) -> None:
    """Without certificates, the engine behind TLS is an error in one line."""
    outcome = deployed.attempt("build", DOCKER_HOST=secured)

    refused(outcome, f"error: {secured}: the engine does not answer")


def goes_the_whole_way(project: Repository, url: str) -> None:
    """Build, release, run, look and stop, on the engine at ``url``."""
    assert found(project)["url"] == url
    project.inv("up", "--env", "dev")
    assert project.inv("run.status", "--env", "dev", "--json").json[0]["well"] is True
    project.inv("run.stop", "--env", "dev")
    assert project.inv("run.status", "--env", "dev", "--json").json[0]["outcome"] == "stopped"


def listen_and_die(bare: Bare, path: str) -> None:
    """Leave a socket behind at which nobody listens any more."""
    code = f"import socket; socket.socket(socket.AF_UNIX).bind({path!r})"
    bare.do("python3", "-c", code)
