"""Makes this machine able to build, push and run: an engine where none answers, and a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.engine import bridge, debian, embedded, loopback, registry
from stagekit.engine.discovery import find_engine
from stagekit.engine.docker import DockerEngine
from stagekit.engine.embedded import Settings
from stagekit.engine.home import home_of, make_home
from stagekit.engine.programs import find_system_program
from stagekit.engine.registry import Registry
from stagekit.errors import EngineError, NoEngine, RegistryError
from stagekit.events import Emit, Warned, step


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
        settings: of the embedded engine; by default those of its home.
        emit: told of each step.
        cancel: stops it.

    Raises:
        EngineError: there is no engine and none can be started; says what to type.
    """
    home = home_of(environ)
    engine = _find(environ)
    if engine is None and find_system_program("dockerd") is None:
        _install(install, emit, cancel)
        engine = _find(environ)  # a system that starts its services has started it by now
    if engine is None:
        engine = _start_embedded(
            environ, home, settings or Settings.of(home, bridge.addresses()), emit, cancel
        )
    return Machine(engine, _start_registry(home, engine, emit, cancel))


def halt(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Stop what `prepare` started; return what was stopped. Data stays."""
    home = home_of(environ)
    state = registry.running(home)
    engine = _find(environ) if state and state.engine else None
    stopped = []
    if embedded.stop(home, find_system_program("dockerd")):
        stopped.append("engine")
    if registry.stop(home, engine):
        stopped.append("registry")
    return tuple(stopped)


def _find(environ: Mapping[str, str]) -> DockerEngine | None:
    try:
        return find_engine(environ)
    except NoEngine:
        return None  # one that was named and is silent is an error: another would be a surprise


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
    environ: Mapping[str, str], home: Path, settings: Settings, emit: Emit, cancel: Cancel
) -> DockerEngine:
    dockerd = find_system_program("dockerd")
    if dockerd is None:
        raise EngineError("dockerd is still missing", hint=debian.install_command())
    embedded.check(home)
    mirror = registry_process(home, emit, cancel)
    with step(emit, "start", embedded.ORIGIN) as under_way:
        started = embedded.start(home, dockerd, mirror=mirror.address, settings=settings)
        under_way.outcome = started.url
    return find_engine(environ)


def _start_registry(home: Path, engine: DockerEngine, emit: Emit, cancel: Cancel) -> Registry:
    if found := registry.running(home):
        return found
    try:
        if engine.image(registry.IMAGE) is None:
            with step(emit, "pull", registry.IMAGE):
                engine.pull(registry.IMAGE, emit=emit, cancel=cancel)
    except RegistryError as error:
        emit(Warned(f"{registry.IMAGE} cannot be pulled ({error.what}): trying a process instead"))
        return registry_process(home, emit, cancel)
    with step(emit, "start", "a registry") as under_way:
        started = registry.start_container(home, engine)
        under_way.outcome = started.address
    return started


def registry_process(home: Path, emit: Emit, cancel: Cancel) -> Registry:
    """Return the registry of ``home``, started as a process where it does not run.

    Raises:
        EngineError: there is no program for it, or it does not come up.
    """
    if found := registry.running(home):
        return found
    program = _registry_program(home, emit, cancel)
    with step(emit, "start", "a registry") as under_way:
        started = registry.start_process(home, program)
        under_way.outcome = started.address
    if not loopback.close_to_others(started.address):
        emit(Warned(f"any user of this machine can push to the registry at {started.address}"))
    return started


def _registry_program(home: Path, emit: Emit, cancel: Cancel) -> Path:
    """Find docker-registry, or unpack the distribution's: installed, it would start at every boot,
    on all addresses, and on the application's own port 5000."""
    unpacked = home / "programs" / "usr" / "bin" / "docker-registry"
    if found := find_system_program("docker-registry"):
        return found
    if unpacked.is_file():
        return unpacked
    make_home(home)
    with step(emit, "unpack", "docker-registry") as under_way:
        debian.unpack(
            ["docker-registry"],
            home / "programs",
            state=home / "apt",
            alone=True,
            on_line=under_way.progress,
            cancel=cancel,
        )
    return unpacked
