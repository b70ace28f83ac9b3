"""What this machine has of all that stagekit works with: found where, which version, what to type
where it is missing."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine import commands, debian, registry
from stagekit.engine.compose import find_compose
from stagekit.engine.discovery import find_engine
from stagekit.engine.home import home_of
from stagekit.engine.programs import find_plugin, find_system_program
from stagekit.errors import StagekitError
from stagekit.protocols import Finding

_LIMIT = 20.0
_LOW_DISK = 2 * 2**30


def parts(environ: Mapping[str, str], root: Path) -> list[Finding]:
    """Look for every part. One that fails to answer is reported as such, and stops nothing."""
    looks: list[Callable[[], Finding]] = [
        _python,
        lambda: _engine(environ),
        lambda: _compose(environ),
        lambda: _buildx(environ),
        lambda: _registry(environ),
        _dockerd,
        _git,
        lambda: _disk(root),
    ]
    return [look() for look in looks]


def _python() -> Finding:
    return Finding(
        name="Python", found=True, needed=True, where=sys.prefix, version=platform.python_version()
    )


def _engine(environ: Mapping[str, str]) -> Finding:
    try:
        engine = find_engine(environ)
        facts = engine.facts()
    except StagekitError as error:
        return Finding(name="engine", found=False, needed=True, where=error.what, hint=error.hint)
    return Finding(
        name="engine",
        found=True,
        needed=True,
        where=f"{facts.url} ({engine.endpoint.origin})",
        version=f"{facts.version} (API {facts.api})",
    )


def _compose(environ: Mapping[str, str]) -> Finding:
    try:
        compose = find_compose(environ, {})
        version = compose.version
    except StagekitError as error:
        return Finding(
            name="Compose",
            found=False,
            needed=True,
            where=error.where or error.what,
            hint=error.hint,
        )
    return Finding(
        name="Compose", found=True, needed=True, where=str(compose.program), version=version
    )


def _buildx(environ: Mapping[str, str]) -> Finding:
    program = find_plugin("docker-buildx", environ)
    if program is None:
        return Finding(
            name="buildx",
            found=False,
            needed=False,
            where="without it the engine's own builder is used",
            hint="apt-get install docker-buildx, or docker-buildx-plugin",
        )
    return _program("buildx", program, commands.buildx_version(program)[1:], needed=False)


def _registry(environ: Mapping[str, str]) -> Finding:
    running = registry.running(home_of(environ))
    if running is None:
        return Finding(
            name="registry",
            found=False,
            needed=False,
            where="none of stagekit's own runs",
            hint="inv engine.start, or set registry in pyproject.toml [tool.stagekit]",
        )
    return Finding(name="registry", found=True, needed=False, where=running.address)


def _dockerd() -> Finding:
    found = find_system_program("dockerd")
    if not found:
        return Finding(
            name="dockerd",
            found=False,
            needed=False,
            where="only needed for the embedded engine",
            hint=f"inv engine.start --install-engine, or {debian.install_command()}",
        )
    return _program("dockerd", found, ("--version",), needed=False)


def _git() -> Finding:
    found = find_system_program("git")
    if not found:
        return Finding(
            name="git",
            found=False,
            needed=False,
            where="without it builds do not name their commit",
            hint="apt-get install git",
        )
    return _program("git", found, ("--version",), needed=False)


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    return Finding(
        name="disk",
        found=free >= _LOW_DISK,
        needed=False,
        where=str(root),
        version=f"{free / 2**30:.1f} GiB free",
        hint=None if free >= _LOW_DISK else "free some space, or the next build may fail",
    )


def _program(name: str, path: Path, arguments: tuple[str, ...], *, needed: bool) -> Finding:
    result = process.run((str(path), *arguments), env={}, limit=_LIMIT, cancel=Cancel())
    words = result.stdout.split()
    version = next((word for word in words if word.strip("v")[:1].isdigit()), "unknown")
    return Finding(
        name=name, found=result.ok, needed=needed, where=str(path), version=version.strip(",v")
    )
