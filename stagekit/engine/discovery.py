"""Finds the Docker engine to work with.

Asked in this order: ``DOCKER_HOST``; the docker context in use; the default socket; a Podman
socket; stagekit's embedded engine. An engine that somebody named (the first two) must answer:
another one silently taken instead would be the wrong one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.home import home_of
from stagekit.engine.programs import docker_config
from stagekit.errors import EngineError, NoEngine

DEFAULT_SOCKET = Path("/var/run/docker.sock")


def find_engine(environ: Mapping[str, str]) -> DockerEngine:
    """Return the first engine that answers.

    Args:
        environ: the process's environment.

    Raises:
        NoEngine: none does; says which were asked.
        EngineError: the one that somebody named does not.
    """
    refused = []
    for endpoint in endpoints(environ):
        engine = DockerEngine(endpoint, environ)
        try:
            engine.ping()
        except EngineError as error:
            if endpoint.named:
                raise
            refused.append(f"{endpoint.origin} ({endpoint.url}): {error.what}")
        else:
            return engine
    raise NoEngine(
        "no Docker engine answers",
        hint="inv engine.start starts one of stagekit's own, or set DOCKER_HOST",
        output=tuple(refused),
    )


def endpoints(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    """Yield the engines to try, the first choice first.

    Args:
        environ: the process's environment.

    Raises:
        EngineError: the context in use cannot be read.
    """
    if url := environ.get("DOCKER_HOST"):
        yield Endpoint(
            url,
            "DOCKER_HOST",
            named=True,
            certificates=certificates_folder(environ),
            verify=bool(environ.get("DOCKER_TLS_VERIFY")),
        )
        return
    if name := _context_in_use(environ):
        yield context_endpoint(name, environ)
        return
    for path, origin in _sockets(environ):
        if path.exists():
            yield Endpoint(f"unix://{path}", origin)
    from stagekit.engine import embedded

    if running := embedded.running(home_of(environ)):
        yield Endpoint(running.url, embedded.ORIGIN)


def certificates_folder(environ: Mapping[str, str]) -> Path | None:
    """Return where ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` say that certificates are."""
    if not environ.get("DOCKER_TLS_VERIFY") and not environ.get("DOCKER_CERT_PATH"):
        return None
    return Path(environ.get("DOCKER_CERT_PATH") or docker_config(environ))


def _sockets(environ: Mapping[str, str]) -> list[tuple[Path, str]]:
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return [
        (DEFAULT_SOCKET, "the default socket"),
        (runtime / "docker.sock", "the rootless socket"),
        (Path.home() / ".docker/run/docker.sock", "Docker Desktop's socket"),
        (runtime / "podman/podman.sock", "a Podman socket"),
        (Path("/run/podman/podman.sock"), "a Podman socket"),
    ]


def _context_in_use(environ: Mapping[str, str]) -> str | None:
    settings = docker_config(environ) / "config.json"
    name = environ.get("DOCKER_CONTEXT") or _read_json(settings).get("currentContext")
    return str(name) if name and name != "default" else None


def context_endpoint(name: str, environ: Mapping[str, str]) -> Endpoint:
    """Read a context as the docker command stores it: contexts/meta/<sha256 of name>.

    Raises:
        EngineError: there is none of that name, or it cannot be read.
    """
    config = docker_config(environ)
    folder = hashlib.sha256(name.encode()).hexdigest()
    origin = f"the docker context {name!r}"
    meta = _read_json(config / "contexts" / "meta" / folder / "meta.json")
    docker = (meta.get("Endpoints") or {}).get("docker") or {}
    if not docker.get("Host"):
        raise EngineError(
            f"{origin} names no engine",
            where=str(config),
            hint="docker context ls shows those there are; docker context use default leaves it",
        )
    certificates = config / "contexts" / "tls" / folder / "docker"
    return Endpoint(
        docker["Host"],
        origin,
        named=True,
        certificates=certificates if certificates.is_dir() else None,
        verify=not docker.get("SkipTLSVerify", False),
        context=name,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot be read: {error}", where=str(path)) from error
    return value if isinstance(value, dict) else {}
