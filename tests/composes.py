"""The versions of Compose that releases are tried with, from where they can be had."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from examples.packages import unpack_of_suite
from stagekit.engine.compose import Compose, find_compose

SUITES = {"2.26": "trixie", "2.40": "unstable"}
"""Debian's suites and the Compose in them; ours is the wheel's."""

VERSIONS = (*SUITES, "ours")


def compose_of(version: str, folder: Path) -> Compose:
    """Return Compose of a version, unpacked into ``folder`` if it is not this machine's own."""
    if version == "ours":
        return find_compose(os.environ, {})
    program = folder / "docker-compose"
    unpack_of_suite(SUITES[version], ["docker-compose"], folder / "root")
    found = next((folder / "root").rglob("cli-plugins/docker-compose"))
    shutil.move(found, program)
    shutil.rmtree(folder / "root")
    compose = Compose(program, {})
    assert compose.version.startswith(version), compose.version
    return compose
