"""buildx on a machine whose distribution is too old to have it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from stagekit.engine import debian
from stagekit.process import Cancel

_SUITE = "trixie"
"""The first of Debian's suites with docker-buildx. It runs on the one before as well."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def install_buildx(folder: Path) -> Path:
    """Put buildx where the docker command looks for its plugins; return Docker's settings folder.

    The package comes from this machine's own mirror, by a state of apt in ``folder``.
    """
    config = folder / "docker"
    plugin = config / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir(parents=True)
    settings = folder / "apt.conf"
    settings.write_text(
        f'Dir::Etc::SourceList "{folder / "sources.list"}";\nDir::Etc::SourceParts "/dev/null";\n'
    )
    (folder / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {_SUITE} main\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APT_CONFIG", str(settings))
        debian.unpack(
            ["docker-buildx"],
            folder / "root",
            state=folder / "apt",
            alone=True,
            on_line=lambda _: None,
            cancel=Cancel(),
        )
    found = (path for path in (folder / "root").rglob("cli-plugins/docker-buildx"))
    shutil.move(next(found), plugin)
    for rest in ("root", "apt"):
        shutil.rmtree(folder / rest)
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
