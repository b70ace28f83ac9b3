"""Packages of other suites of this machine's distribution, unpacked for tests and benchmarks."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.engine import debian
from stagekit.errors import EngineError

_SUITE_WITH_BUILDX = "trixie"
"""The first of Debian's suites with docker-buildx. It runs on the one before as well."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack_of_suite(
    suite: str, packages: Sequence[str], into: Path, *, cancel: Cancel | None = None
) -> None:
    """Unpack ``packages`` of another suite, alone, from this machine's own mirror.

    Args:
        suite: its name, or ``unstable``.
        packages: names.
        into: a folder.
        cancel: ends it.

    Raises:
        EngineError: not Debian, no network, or no such package.
    """
    if not debian.available():
        raise EngineError("this machine has neither apt-get nor dpkg-deb")
    state = into.with_name(f"{into.name}-apt")
    state.mkdir(parents=True)
    sources = state / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
    debian.unpack(
        packages,
        into,
        state=state,
        sources=sources,
        alone=True,
        on_line=lambda _: None,
        cancel=cancel or Cancel(),
    )
    shutil.rmtree(state)


def install_buildx(folder: Path) -> Path:
    """Put buildx where the docker command looks for its plugins; return that settings folder."""
    unpack_of_suite(_SUITE_WITH_BUILDX, ["docker-buildx"], folder / "root")
    config = buildx_plugin(folder / "root", folder / "docker")
    shutil.rmtree(folder / "root")
    return config


def buildx_plugin(unpacked: Path, config: Path) -> Path:
    """Move the buildx of an unpacked package into a settings folder of Docker's; return that."""
    plugin = config / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir(parents=True)
    shutil.move(next(unpacked.rglob("cli-plugins/docker-buildx")), plugin)
    return config


def _mirror() -> str:
    """Return where this machine has its own suite's packages from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    own = f"{platform.freedesktop_os_release()['VERSION_CODENAME']} main "
    for line in listed.stdout.splitlines():
        if line.startswith(own):
            return line.removeprefix(own)
    raise EngineError(f"apt has no packages of {own.strip()}", hint="apt-get update")
