"""Packages of a Debian or Ubuntu distribution: installed with consent, or unpacked in a folder.

Unpacking needs no root: apt resolves and downloads into a state of our own (its sources and keys
are the machine's), dpkg-deb unpacks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.errors import EngineError
from stagekit.process import Result

ENGINE_PACKAGES = ("docker.io", "iptables", "iproute2")

_LIMIT = 600.0
_LOCK_LIMIT = 300


def available() -> bool:
    """Tell whether this is such a machine."""
    return all(shutil.which(program) for program in ("apt-get", "dpkg-deb"))


def install_command(packages: Sequence[str] = ENGINE_PACKAGES) -> str:
    """Return what a person would type to install ``packages``."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {' '.join(packages)}"


def install(packages: Sequence[str], *, on_line: Callable[[str], None], cancel: Cancel) -> None:
    """Install ``packages`` system-wide.

    Raises:
        EngineError: not Debian, not root, or apt fails; with the command to type.
    """
    if not available():
        raise EngineError(
            "only Debian's and Ubuntu's packages can be installed from here",
            hint="install Docker as https://docs.docker.com/engine/install/ says",
        )
    if os.geteuid() != 0:
        raise EngineError("installing packages needs root", hint=install_command(packages))
    patient = ("-o", f"DPkg::Lock::Timeout={_LOCK_LIMIT}")  # a new machine may be updating itself
    _apt(("update", "-qq"), patient, on_line, cancel)
    flags = ("install", "-y", "-q", "--no-install-recommends")
    _apt((*flags, *packages), patient, on_line, cancel)


def unpack(
    packages: Sequence[str],
    into: Path,
    *,
    state: Path,
    sources: Path | None = None,
    alone: bool = False,
    skip: Sequence[str] = (),
    on_line: Callable[[str], None],
    cancel: Cancel,
) -> None:
    """Unpack ``packages`` and all they depend on into a folder.

    Args:
        packages: names.
        into: the folder; what is there stays.
        state: a folder for apt's lists and archives, kept for the next time.
        sources: a sources.list instead of the machine's own.
        alone: without what they depend on.
        skip: names of dependencies that are left out.
        on_line: told what apt says.
        cancel: stops it.

    Raises:
        EngineError: not Debian, no network, or no such package.
    """
    if not available():
        raise EngineError("this machine has neither apt-get nor dpkg-deb")
    options = (*_own_state(state), *_of_sources(sources))
    if not any((state / "lists").glob("*Packages*")):
        _apt(("update", "-qq"), options, on_line, cancel)
    archives = state / "archives"
    for old in archives.glob("*.deb"):
        old.unlink()
    if alone:
        _apt(("download", "-qq", *packages), options, on_line, cancel, cwd=archives)
    else:
        flags = ("install", "-y", "-qq", "--no-install-recommends", "--download-only")
        _apt((*flags, *packages), options, on_line, cancel)
    into.mkdir(parents=True, exist_ok=True)
    for archive in sorted(archives.glob("*.deb")):
        if archive.name.partition("_")[0] not in skip:
            _run(("dpkg-deb", "--extract", str(archive), str(into)), on_line, cancel)
        archive.unlink()


def _own_state(folder: Path) -> tuple[str, ...]:
    for part in ("lists/partial", "archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()  # nothing is installed there, so everything is downloaded
    settings = {
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "Debug::NoLocking": "1",
        # Root's apt would drop its rights to a user who cannot enter our folder.
        "APT::Sandbox::User": "root",
    }
    return _options(settings)


def _of_sources(sources: Path | None) -> tuple[str, ...]:
    if sources is None:
        return ()
    return _options({"Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": "/dev/null"})


def _options(settings: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(part for key, value in settings.items() for part in ("-o", f"{key}={value}"))


def _apt(
    arguments: Sequence[str],
    options: Sequence[str],
    on_line: Callable[[str], None],
    cancel: Cancel,
    cwd: Path | None = None,
) -> None:
    result = _run(("apt-get", *options, *arguments), on_line, cancel, cwd)
    if not result.ok:
        raise EngineError(
            f"apt-get {arguments[0]} failed: {' '.join(result.tail(1))}",
            hint="apt-get update; check the network and /etc/apt",
            output=result.tail(10),
        )


def _run(
    argv: Sequence[str], on_line: Callable[[str], None], cancel: Cancel, cwd: Path | None = None
) -> Result:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return process.run(argv, env=environment, limit=_LIMIT, cancel=cancel, on_line=on_line, cwd=cwd)
