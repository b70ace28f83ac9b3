"""The documentation's ways, gone as they stand: each block with a file's name is written, each
command is typed, on a real engine."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.cleaning import remove_projects
from stagekit.testing import TemporaryProject, clean_environment
from tests.conftest import Machine
from tests.pages import BY_NAME, Block, blocks

pytestmark = pytest.mark.engine

_LIMIT = 180.0
_PORTS = re.compile(r"\b508\d\b")
_VARYING = re.compile(
    r"(\(\d+\.\d s\)|\bnow$|\d+ s ago|sha256:[0-9a-f]+|127\.0\.0\.1:\d+|unix://\S+|version \S+)"
)
_START = ("docs/start.md",)
_ALONE = ("docs/how-to/monorepo.md", "docs/how-to/moving-from-compose.md")
_AFTER_START = ("docs/how-to/secrets.md", "docs/how-to/migrations.md")


class Reader:
    """Somebody who does what a page says, in a folder, line by line.

    Args:
        folder: an empty one, under git.
        environ: leads to the engine and the registry.
        ports: for each port of a page, one that is free here.
    """

    def __init__(self, folder: Path, environ: dict[str, str], ports: dict[str, int]) -> None:
        self.project = TemporaryProject(folder, folder.name, environ)
        self._ports = ports

    def follow(self, page: str) -> None:
        """Do all that a page says; what it shows below a command is looked for in its output."""
        for block in blocks(BY_NAME[page]):
            if block.title:
                self.project.write(block.title, self._here(block.text))
            elif block.language == "console":
                self._type(block)

    def write(self, page: str) -> None:
        """Write a page's files as they first are, and move in."""
        files = {b.title: b.text for b in reversed(blocks(BY_NAME[page])) if b.title}
        made_by_init = [path for path in files if path.startswith(("templates/", "environments/"))]
        for path in files.keys() - made_by_init:
            self.project.write(path, self._here(files[path]))
        self._typed("stagekit init")
        for path in made_by_init:
            self.project.write(path, self._here(files[path]))

    def _type(self, block: Block) -> None:
        shown: list[str] = []
        said = ""
        for line in [*block.text.splitlines(), "$ true"]:
            if line.startswith("$ "):
                assert all(words in said for words in shown), f"{shown} is not in:\n{said}"
                shown, said = [], self._typed(line[2:])
            elif words := _VARYING.split(line)[0].strip():
                shown.append(re.sub(r"\d{4}\.\d\d\.\d\d-.*", "", self._here(words)).strip())

    def _typed(self, command: str) -> str:
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.project.environ[name] = value.replace("$PWD", str(self.project.root))
            return ""
        if command.startswith("curl "):
            with urllib.request.urlopen(self._here(command.split()[1]), timeout=10) as answer:
                return str(answer.read().decode())
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.project.root,
            env=self.project.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def _here(self, text: str) -> str:
        return _PORTS.sub(lambda found: str(self._ports[found[0]]), text)


@pytest.fixture
def reader(machine: Machine, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Reader]:
    """In an empty folder ``shop``, with a registry and the programs of this environment."""
    folder = tmp_path / "shop"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    environ = {
        **clean_environment(),
        **machine.environ,
        "STAGEKIT_REGISTRY": machine.registry,
        "PATH": f"{Path(sys.executable).parent}:{machine.environ['PATH']}",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
    }
    yield Reader(folder, environ, {str(port): free_port() for port in range(5080, 5090)})
    remove_projects("shop", machine.engine)


@pytest.mark.parametrize("page", [*_START, *_ALONE])
def test_a_page_from_an_empty_folder(reader: Reader, page: str) -> None:
    """Every command ends well and prints what stands below it."""
    reader.follow(page)


@pytest.mark.parametrize("page", _AFTER_START)
def test_a_page_after_the_start(reader: Reader, page: str) -> None:
    """It takes up where the start has a project."""
    reader.write(*_START)
    reader.follow(page)
