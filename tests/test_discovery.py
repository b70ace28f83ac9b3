"""Which engines are tried, in which order; the one that somebody named must answer."""

from __future__ import annotations

import gc
import hashlib
import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stagekit.engine.discovery import DEFAULT_SOCKET, endpoints, find_engine
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.home import home_of
from stagekit.errors import EngineError, NoEngine


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a user who has configured nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "STAGEKIT_HOME": str(tmp_path / "stagekit"),
    }


def write_context(environ: dict[str, str], name: str, docker: dict[str, Any]) -> Path:
    """Store a docker context as the docker command does; return its folder for TLS."""
    config = Path(environ["DOCKER_CONFIG"])
    id = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts/meta" / id / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": docker}}))
    return config / "contexts/tls" / id / "docker"


def found(environ: dict[str, str]) -> list[Endpoint]:
    """The endpoints, but for sockets of this very machine."""
    system = (f"unix://{DEFAULT_SOCKET}", "unix:///run/podman/podman.sock")
    return [item for item in endpoints(environ) if item.url not in system]


def test_docker_host_is_the_only_one_tried(bare: dict[str, str]) -> None:
    """Who names an engine gets that one or an error, never another; a context does not beat it."""
    write_context(bare, "remote", {"Host": "tcp://other:2375"})
    environ = {**bare, "DOCKER_HOST": "tcp://build:2375", "DOCKER_CONTEXT": "remote"}
    assert [(item.url, item.origin, item.named) for item in endpoints(environ)] == [
        ("tcp://build:2375", "DOCKER_HOST", True)
    ]


@pytest.mark.parametrize(
    ("given", "folder", "verify"),
    [
        ({"DOCKER_TLS_VERIFY": "1"}, "docker", True),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}, "/certs", True),
        ({"DOCKER_CERT_PATH": "/certs"}, "/certs", False),
        ({"DOCKER_TLS_VERIFY": ""}, None, False),
    ],
)
def test_tls_is_as_dockers_own_variables_say(
    bare: dict[str, str], tmp_path: Path, given: dict[str, str], folder: str | None, verify: bool
) -> None:
    """Certificates come from DOCKER_CERT_PATH, or lie among Docker's settings."""
    [endpoint] = endpoints({**bare, "DOCKER_HOST": "tcp://build:2376", **given})
    assert endpoint.certificates == (tmp_path / folder if folder else None)
    assert endpoint.verify is verify


def test_the_context_in_use_goes_before_the_sockets(bare: dict[str, str], tmp_path: Path) -> None:
    """By DOCKER_CONTEXT, or as ``docker context use`` left it; it is a named engine."""
    write_context(bare, "remote", {"Host": "ssh://build", "SkipTLSVerify": False})
    expected = Endpoint("ssh://build", "the docker context 'remote'", named=True, context="remote")
    assert list(endpoints({**bare, "DOCKER_CONTEXT": "remote"})) == [expected]
    (tmp_path / "docker/config.json").write_text('{"currentContext": "remote"}')
    assert list(endpoints(bare)) == [expected]
    assert found({**bare, "DOCKER_CONTEXT": "default"}) == []


def test_a_contexts_certificates_are_used(bare: dict[str, str]) -> None:
    """Its TLS material and whether to verify come with it."""
    folder = write_context(bare, "remote", {"Host": "tcp://build:2376", "SkipTLSVerify": True})
    folder.mkdir(parents=True)
    [endpoint] = endpoints({**bare, "DOCKER_CONTEXT": "remote"})
    assert (endpoint.certificates, endpoint.verify) == (folder, False)


def test_a_context_that_is_not_there_is_an_error(bare: dict[str, str]) -> None:
    """A name without an engine behind it is not passed over."""
    with pytest.raises(EngineError, match="the docker context 'gone' names no engine") as caught:
        list(endpoints({**bare, "DOCKER_CONTEXT": "gone"}))
    assert "docker context ls" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["{", "\xff", "[1]"])
def test_a_broken_config_is_an_error_or_nothing(
    bare: dict[str, str], tmp_path: Path, text: str
) -> None:
    """What cannot be read is said with its path; what says nothing chooses nothing."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(text, "latin-1")
    if text == "[1]":
        assert found(bare) == []
        return
    with pytest.raises(EngineError) as caught:
        list(endpoints(bare))
    assert caught.value.where == str(tmp_path / "docker/config.json")


def test_sockets_are_tried_docker_before_podman(bare: dict[str, str], tmp_path: Path) -> None:
    """Only those that are there, the rootless one first, and none of them was named."""
    for path in ("run/docker.sock", ".docker/run/docker.sock", "run/podman/podman.sock"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert [(item.origin, item.named) for item in found(bare)] == [
        ("the rootless socket", False),
        ("Docker Desktop's socket", False),
        ("a Podman socket", False),
    ]


def test_a_bare_machine_has_nothing_to_try(bare: dict[str, str]) -> None:
    """No variable, no context, no socket: no endpoint."""
    assert found(bare) == []


def refusal(environ: dict[str, str]) -> EngineError:
    """Fail to find an engine; return the error without what the SDK left open on its way."""
    try:
        find_engine(environ)
    except EngineError as error:
        bare = type(error)(error.what, where=error.where, hint=error.hint, output=error.output)
    else:
        pytest.fail("an engine was found")
    gc.collect()  # the SDK forgets a socket that does not connect: let it go here
    return bare


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_the_engine_that_was_named_must_answer(bare: dict[str, str], tmp_path: Path) -> None:
    """Nothing else is taken in its place, and the error is its own."""
    url = f"unix://{tmp_path}/none.sock"
    error = refusal({**bare, "DOCKER_HOST": url})
    assert not isinstance(error, NoEngine)
    assert str(error).startswith(f"{url}: the engine does not answer: no such file")


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_one_that_does_not_answer_is_passed_over_and_told_of(
    bare: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead socket is no end; if nobody answers, the error lists who was asked."""
    monkeypatch.setattr("stagekit.engine.discovery._sockets", lambda _environ: dead)
    dead = [(tmp_path / name, f"socket {name}") for name in ("a.sock", "b.sock")]
    for path, _ in dead:
        with closing(socket.socket(socket.AF_UNIX)) as nobody:
            nobody.bind(str(path))
    error = refusal(bare)
    assert isinstance(error, NoEngine)
    assert [line.partition(" (")[0] for line in error.output] == ["socket a.sock", "socket b.sock"]
    assert "inv engine.start" in str(error.hint)


@pytest.mark.parametrize(
    ("url", "path"),
    [("unix:///run/x.sock", Path("/run/x.sock")), ("tcp://h:1", None), ("ssh://h", None)],
)
def test_an_endpoint_knows_its_socket(url: str, path: Path | None) -> None:
    """Only an engine behind a socket is on this machine."""
    assert Endpoint(url, "x").socket == path


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"STAGEKIT_HOME": "/x/y", "XDG_DATA_HOME": "/data"}, Path("/x/y")),
        ({"XDG_DATA_HOME": "/data"}, Path("/data/stagekit")),
        ({}, Path.home() / ".local/share/stagekit"),
    ],
)
def test_stagekits_home_can_be_moved(environ: dict[str, str], path: Path) -> None:
    """By its own variable, else by the system's, else among the user's data."""
    assert home_of(environ) == path
