"""An engine, a registry and Docker's programs to measure with, taken away again at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.cleaning import remove_projects
from examples.packages import unpack_of_suite
from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine import debian, machine
from stagekit.engine.discovery import find_engine
from stagekit.engine.docker import DockerEngine
from stagekit.engine.programs import docker_config, find_plugin
from stagekit.engine.sdk import sdk
from stagekit.errors import EngineError, NoEngine
from stagekit.events import Emit, Warned, step

LABEL = "stagekit.bench"
PLUGINS = ("docker-buildx", "docker-compose")

_SUITE = "unstable"
"""Of Debian's suites, the one whose buildx is new enough for Compose 5."""

_DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
STOPSIGNAL SIGKILL
LABEL {label}="{token}"
CMD ["/bin/sh"]
"""


@dataclass(frozen=True)
class Workshop:
    """What there is to build and run with.

    Attributes:
        engine: found, or one of the benchmarks' own.
        registry: address of a registry of their own.
        base: the image that samples are built from.
        environ: leads every command to them.
    """

    engine: DockerEngine
    registry: str
    base: str
    environ: Mapping[str, str]


@contextmanager
def workshop(
    folder: Path,
    environ: Mapping[str, str],
    *,
    token: str,
    install: bool,
    emit: Emit,
    cancel: Cancel,
) -> Iterator[Workshop]:
    """Find an engine, or start one of the benchmarks' own; start a registry beside it.

    Args:
        folder: of the benchmarks.
        environ: of every command, with ``STAGEKIT_HOME`` and ``DOCKER_CONFIG`` below ``folder``.
        token: marks what is made on the engine.
        install: consent to install the distribution's engine where there is none.
        emit: told of each step.
        cancel: ends it.

    Raises:
        EngineError: there is no engine, or no registry.
    """
    home = Path(environ["STAGEKIT_HOME"])
    try:
        with ending(home, environ):
            engine = _engine(environ, install=install, emit=emit, cancel=cancel)
            beside = machine.registry_process(home, emit, cancel)
            reached = {
                **environ,
                **engine.environment(),
                "DOCKER_CONFIG": environ["DOCKER_CONFIG"],  # never the user's: plugins go there
                "STAGEKIT_REGISTRY": beside.address,
            }
            _plugins(folder, reached, emit, cancel)
            base = f"{beside.address}/base:1"
            with removing(engine, token):
                _base_image(folder / "base", base, token, reached, emit, cancel)
                yield Workshop(engine, beside.address, base, reached)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _engine(
    environ: Mapping[str, str], *, install: bool, emit: Emit, cancel: Cancel
) -> DockerEngine:
    try:
        return find_engine(os.environ)  # the user's, or what inv engine.start started
    except NoEngine:
        return machine.prepare(environ, install=install, emit=emit, cancel=cancel).engine


@contextmanager
def ending(home: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Stop, at the end, the engine and the registry that were started in ``home``."""
    try:
        yield
    finally:
        if home.is_dir():
            machine.halt(environ)


@contextmanager
def removing(engine: DockerEngine, token: str) -> Iterator[None]:
    """Remove, at the end, every container, network, volume and image that was made."""
    try:
        yield
    finally:
        remove_made(engine, token)


def remove_made(engine: DockerEngine, token: str) -> None:
    """Remove what was made under a project's name with the token, and images with its label."""
    remove_projects(project_name(token), engine)
    with closing(sdk().DockerClient(base_url=engine.url)) as client:
        for volume in client.volumes.list():  # stagekit's own: what is in force, and locks
            if token in volume.name:
                volume.remove()
        for image in client.images.list(filters={"label": f"{LABEL}={token}"}):
            client.images.remove(image.id, force=True)


def project_name(token: str) -> str:
    """Return the name of the project that runs."""
    return f"bench{token}"


def _plugins(folder: Path, environ: Mapping[str, str], emit: Emit, cancel: Cancel) -> None:
    """Give the docker command the plugins that this machine has, and buildx where it has none."""
    plugins = docker_config(environ) / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for name in PLUGINS:
        if not (plugins / name).exists() and (found := find_plugin(name, os.environ)):
            (plugins / name).symlink_to(found.resolve())
    if not (plugins / "docker-buildx").exists():
        try:
            with step(emit, "unpack", "docker-buildx"):
                unpack_of_suite(_SUITE, ["docker-buildx"], folder / "buildx", cancel=cancel)
        except EngineError as error:
            emit(Warned(f"measured without buildx: {error}"))
        else:
            unpacked = next((folder / "buildx").rglob("cli-plugins/docker-buildx"))
            shutil.move(unpacked, plugins / "docker-buildx")


def _base_image(
    context: Path,
    name: str,
    token: str,
    environ: Mapping[str, str],
    emit: Emit,
    cancel: Cancel,
) -> None:
    """Make what samples are built from: BusyBox and nothing else."""
    with step(emit, "make", name):
        debian.unpack(
            ["busybox-static"],
            context / "root",
            state=context.parent / "apt",
            alone=True,
            on_line=lambda _: None,
            cancel=cancel,
        )
        shutil.move(next((context / "root").glob("**/bin/busybox")), context / "busybox")
        (context / "Dockerfile").write_text(_DOCKERFILE.format(label=LABEL, token=token))
        (context / ".dockerignore").write_text("root\n")
        for argv in (("docker", "build", "-t", name, str(context)), ("docker", "push", name)):
            done = process.run(argv, env=environ, limit=120, cancel=cancel)
            if not done.ok:
                raise EngineError(
                    f"{argv[1]} of the sample's base image failed",
                    where=name,
                    output=done.tail(),
                    hint="the docker command and an engine that builds are needed",
                )
