"""Packages of later suites of this machine's distribution, unpacked where a test wants them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.engine import debian

_SUITE_WITH_BUILDX = "trixie"
"""The first of Debian's suites with docker-buildx. It runs on the one before as well."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack_of_suite(suite: str, packages: Sequence[str], into: Path) -> None:
    """Unpack ``packages`` of another suite, alone, from this machine's own mirror."""
    state = into.with_name(f"{into.name}-apt")
    state.mkdir(parents=True)
    settings = state / "apt.conf"
    settings.write_text(
        f'Dir::Etc::SourceList "{state / "sources.list"}";\nDir::Etc::SourceParts "/dev/null";\n'
    )
    (state / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APT_CONFIG", str(settings))
        debian.unpack(
            packages, into, state=state, alone=True, on_line=lambda _: None, cancel=Cancel()
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
    lines = listed.stdout.splitlines()
    return next(line.removeprefix(own) for line in lines if line.startswith(own))
