"""Makes this machine able to build, push and run: an engine where none answers, and a registry."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stagekit.engine import debian, embedded, registry
from stagekit.engine.discovery import find_engine
from stagekit.engine.docker import DockerEngine
from stagekit.engine.embedded import Settings
from stagekit.engine.home import home, make_home
from stagekit.engine.registry import Registry
from stagekit.errors import EngineError, NoEngine, RegistryError
from stagekit.events import Emit, Warned, step
from stagekit.process import Cancel


@dataclass(frozen=True)
class Machine:
    """What a machine has to work with."""

    engine: DockerEngine
    registry: Registry


def prepare(
    environ: Mapping[str, str],
    *,
    install: bool,
    settings: Settings | None = None,
    emit: Emit,
    cancel: Cancel,
) -> Machine:
    """Find an engine, or start the embedded one; start a registry beside it.

    Args:
        environ: the process's environment.
        install: consent to install the distribution's engine where there is no dockerd.
        settings: of the embedded engine.
        emit: told of each step.
        cancel: stops it.

    Raises:
        EngineError: there is no engine and none can be started; says what to type.
    """
    place = home(environ)
    engine = _find(environ)
    if engine is None and _dockerd() is None:
        _install(install, emit, cancel)
        engine = _find(environ)  # a system that starts its services has started it by now
    if engine is None:
        engine = _start_embedded(environ, place, settings or Settings(), emit, cancel)
    return Machine(engine, _start_registry(place, engine, emit, cancel))


def halt(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Stop what `prepare` started; return what was stopped. Data stays."""
    place = home(environ)
    state = registry.running(place)
    engine = _find(environ) if state and state.engine else None
    stopped = []
    if embedded.stop(place):
        stopped.append("engine")
    if registry.stop(place, engine):
        stopped.append("registry")
    return tuple(stopped)


def _find(environ: Mapping[str, str]) -> DockerEngine | None:
    try:
        return find_engine(environ)
    except NoEngine:
        return None  # one that was named and is silent is an error: another would be a surprise


def _dockerd() -> Path | None:
    found = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def _install(consent: bool, emit: Emit, cancel: Cancel) -> None:
    if not consent:
        raise EngineError(
            "no Docker engine answers, and dockerd is not installed",
            hint=f"add --install-engine, or type: {debian.install_command()}"
            if debian.available()
            else "install Docker as https://docs.docker.com/engine/install/ says",
        )
    with step(emit, "install", " ".join(debian.ENGINE_PACKAGES)) as under_way:
        debian.install(debian.ENGINE_PACKAGES, on_line=under_way.progress, cancel=cancel)


def _start_embedded(
    environ: Mapping[str, str], place: Path, settings: Settings, emit: Emit, cancel: Cancel
) -> DockerEngine:
    dockerd = _dockerd()
    if dockerd is None:
        raise EngineError("dockerd is still missing", hint=debian.install_command())
    embedded.check(place)
    mirror = _registry_process(place, emit, cancel)
    with step(emit, "start", embedded.ORIGIN) as under_way:
        started = embedded.start(place, dockerd, mirror=mirror.address, settings=settings)
        under_way.outcome = started.url
    return find_engine(environ)


def _start_registry(place: Path, engine: DockerEngine, emit: Emit, cancel: Cancel) -> Registry:
    if found := registry.running(place):
        return found
    try:
        if engine.image(registry.IMAGE) is None:
            with step(emit, "pull", registry.IMAGE):
                engine.pull(registry.IMAGE, emit=emit, cancel=cancel)
    except RegistryError as error:
        emit(Warned(f"{registry.IMAGE} cannot be pulled ({error.what}): trying a process instead"))
        return _registry_process(place, emit, cancel)
    with step(emit, "start", "a registry") as under_way:
        started = registry.start_container(place, engine)
        under_way.outcome = started.address
    return started


def _registry_process(place: Path, emit: Emit, cancel: Cancel) -> Registry:
    if found := registry.running(place):
        return found
    program = _registry_program(place, emit, cancel)
    with step(emit, "start", "a registry") as under_way:
        started = registry.start_process(place, program)
        under_way.outcome = started.address
    return started


def _registry_program(place: Path, emit: Emit, cancel: Cancel) -> Path:
    """Find docker-registry, or unpack the distribution's: installed, it would start at every boot,
    on all addresses, and on the application's own port 5000."""
    unpacked = place / "programs" / "usr" / "bin" / "docker-registry"
    found = shutil.which("docker-registry")
    if found or unpacked.is_file():
        return Path(found) if found else unpacked
    make_home(place)
    with step(emit, "unpack", "docker-registry") as under_way:
        debian.unpack(
            ["docker-registry"],
            place / "programs",
            state=place / "apt",
            alone=True,
            on_line=under_way.progress,
            cancel=cancel,
        )
    return unpacked
