"""How long runs take, against Compose's own ``up -d --wait`` of the same file plus ``inv --list``;
and what tells how it stands, against its ``ps`` plus the same.

    python -m benchmarks.runs

Needs what `inv engine.start` starts. The settle time is none: it is a wish, not work. Compose's
own ``up -d --wait`` is asked for the same: to be up and healthy.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.timing import Command, compare
from examples.standins import StandIn, ensure_base_images
from stagekit.cancel import Cancel
from stagekit.engine import registry
from stagekit.engine.discovery import find_engine
from stagekit.engine.home import home_of
from stagekit.engine.programs import find_program
from stagekit.events import ignore

_INV = (sys.executable, "-m", "invoke")
_GOAL = 1.15
_STATUS_GOAL = 1.3
_ROUNDS = 7
_FILES = {
    "tasks.py": "import stagekit\n\nns = stagekit.collection()\n",
    "app/Dockerfile": "FROM busybox:1\nCOPY page /www/index.html\nSTOPSIGNAL SIGKILL\n"
    'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n',
    "app/page": "one\n",
    "environments/prod/config.toml": "[stagekit]\nsettle = 0\n",
    "templates/compose.yaml": (
        "services:\n"
        "  web:\n"
        "    image: ${IMAGE_APP}\n"
        "    healthcheck: {test: ['CMD', 'true'], interval: 0.5s}\n"
        "  store:\n"
        "    image: ${IMAGE_APP}\n"
        "    volumes: ['data:/data']\n"
        "volumes:\n"
        "  data: {}\n"
    ),
}


class Bench:
    """A project with two releases of different images, and the two ways to run them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        private = registry.running(home_of(os.environ))
        if private is None:
            sys.exit("inv engine.start starts the registry that this pushes to")
        engine = find_engine(os.environ)
        ensure_base_images(
            {"busybox:1": StandIn(packages=(), changes=('CMD ["sh"]',))},
            engine=engine,
            registry=private.address,
            state=folder / "apt",
            emit=ignore,
            cancel=Cancel(),
        )
        self.name = f"bench{secrets.token_hex(3)}"
        self.environ = {"STAGEKIT_REGISTRY": private.address, **engine.environment()}
        settings = f'[tool.stagekit]\nname = "{self.name}"\n[tool.stagekit.images.app]\n'
        for path, text in {**_FILES, "pyproject.toml": f'{settings}context = "app"\n'}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        for page in ("one\n", "two\n"):
            (folder / "app/page").write_text(page)
            for task in ("build", "release --env prod", "run --env prod"):
                self.inv(*task.split())

    def inv(self, *words: str) -> None:
        argv = [*_INV, *words]
        environ = {**os.environ, **self.environ}
        subprocess.run(argv, cwd=self.folder, env=environ, check=True, capture_output=True)

    def stagekit(self, *words: str, before: Callable[[], object] = lambda: None) -> Command:
        return Command([[*_INV, *words]], self.folder, self.environ, before)

    def compose(self, id: str, *, before: Callable[[], object] = lambda: None) -> Command:
        """Compose's own way to bring a release up, and the start of ``inv``."""
        document = self.folder / f"artifacts/releases/prod/{id}/compose.yaml"
        up = (
            *(str(find_program("docker-compose", os.environ)), "--project-name"),
            *(f"{self.name}-prod", "--file", str(document), "up", "--detach", "--wait"),
        )
        return Command([up, [*_INV, "--list"]], self.folder, self.environ, before)

    def ps(self) -> Command:
        """Compose's own look at what runs, from the file that it was brought up from, and the start
        of ``inv``, which alone takes more than twice as long as that."""
        document = self.folder / "artifacts/releases/prod/v2/compose.yaml"
        program = str(find_program("docker-compose", os.environ))
        argv = (program, "--project-name", f"{self.name}-prod", "--file", str(document), "ps")
        return Command([argv, [*_INV, "--list"]], self.folder, self.environ)

    def running(self, id: str) -> Callable[[], None]:
        """Bring a release up, whatever ran before."""
        return lambda: self.inv("run", "--env", "prod", "--release", id)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder))
        try:
            peer = "up -d --wait + inv --list"
            compare(
                "run, unchanged",
                bench.stagekit("run", "--env", "prod"),
                bench.compose("v2"),
                name=peer,
                rounds=_ROUNDS,
                goal=_GOAL,
            )
            compare(
                "run after an image change",
                bench.stagekit("run", "--env", "prod", before=bench.running("v1")),
                bench.compose("v2", before=bench.running("v1")),
                name=peer,
                rounds=_ROUNDS,
                goal=_GOAL,
            )
            compare(
                "rollback",
                bench.stagekit("run.rollback", "--env", "prod", before=bench.running("v2")),
                bench.compose("v1", before=bench.running("v2")),
                name=peer,
                rounds=_ROUNDS,
                goal=_GOAL,
            )
            bench.running("v2")()
            compare(
                "run.status",
                bench.stagekit("run.status", "--env", "prod"),
                bench.ps(),
                name="ps + inv --list",
                rounds=_ROUNDS,
                goal=_STATUS_GOAL,
            )
        finally:
            bench.inv("run.stop", "--env", "prod")


if __name__ == "__main__":
    main()
