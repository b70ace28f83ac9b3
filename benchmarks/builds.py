"""How long builds take, against the shell script that stagekit replaces and against bake.

    python -m benchmarks.builds [unchanged] [files] [many] [working] [cold]

Needs what `inv engine.start` starts, the docker command, and for `many` and `working` buildx.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.timing import Command, compare
from examples.standins import StandIn, ensure_base_images
from stagekit.cancel import Cancel
from stagekit.engine import registry
from stagekit.engine.discovery import find_engine
from stagekit.engine.home import home_of
from stagekit.engine.programs import find_program
from stagekit.events import ignore

_INV = (sys.executable, "-m", "invoke")
_DECISION = """
import time
from pathlib import Path
from stagekit.cli.app import App
from stagekit.inputs.bases import BaseImages
from stagekit.pipeline.known import current_build
from stagekit.pipeline.sources import read_all_inputs
app = App(Path.cwd())
engine, builder = app.engine, app.plugins.builder("auto", app.engine, {})
project, ledger, name = app.project, app.ledger, builder.name
begun = time.perf_counter()
bases = BaseImages(engine, project.cache / "bases.json", fresh=False, emit=print, cancel=app.cancel)
inputs = read_all_inputs(project, builder=name, bases=bases)
assert current_build(project, inputs, ledger=ledger, engine=engine, ci=None, source=lambda: None)
print(time.perf_counter() - begun)
"""


class Bench:
    """A folder with a project of ``count`` images, and the two ways to build them."""

    def __init__(
        self, folder: Path, *, count: int = 1, run: str = "", buildx: bool = False
    ) -> None:
        self.folder = folder
        self.names = [f"bench{number}" for number in range(count)]
        private = registry.running(home_of(os.environ))
        if private is None:
            sys.exit("inv engine.start starts the registry that these push to")
        self.registry, engine = private.address, find_engine(os.environ)
        ensure_base_images(
            {"busybox:1": StandIn(packages=(), changes=('CMD ["sh"]',))},
            engine=engine,
            registry=private.address,
            state=folder / "apt",
            emit=ignore,
            cancel=Cancel(),
        )
        self.environ = {
            "DOCKER_HOST": engine.url,
            "DOCKER_BUILDKIT": "1" if buildx else "0",
            "STAGEKIT_REGISTRY": self.registry,
        }
        builder = "buildx" if buildx else "classic"
        settings = f'[tool.stagekit]\nname = "bench"\nbuilder = "{builder}"\n'
        for name in self.names:
            context = folder / name
            context.mkdir()
            steps = f"RUN {run}\n" if run else ""
            (context / "Dockerfile").write_text(f"FROM busybox:1\nCOPY . /src\n{steps}")
            (context / "app.py").write_text(name)
            settings += f'[tool.stagekit.images.{name}]\ncontext = "{name}"\n'
        (folder / "pyproject.toml").write_text(settings)
        (folder / "tasks.py").write_text("import stagekit\n\nns = stagekit.collection()\n")

    def change(self) -> None:
        for name in self.names:
            (self.folder / name / "app.py").write_text(secrets.token_hex())

    def stagekit(self, *, changed: bool) -> Command:
        return self._command([(*_INV, "build")], changed=changed)

    def script(self, *, changed: bool) -> Command:
        """``docker build``, tag, push, push: for one image after the other."""
        argvs: list[Sequence[str]] = []
        for name in self.names:
            image = f"{self.registry}/script-{name}"
            argvs += [
                ("docker", "build", "--tag", f"{image}:1", name),
                ("docker", "tag", f"{image}:1", f"{image}:latest"),
                ("docker", "push", f"{image}:1"),
                ("docker", "push", f"{image}:latest"),
            ]
        return self._command(argvs, changed=changed)

    def bake(self) -> Command:
        targets = {
            name: {
                "context": name,
                "tags": [f"{self.registry}/bake-{name}:{tag}" for tag in ("1", "latest")],
            }
            for name in self.names
        }
        (self.folder / "bake.json").write_text(json.dumps({"target": targets}))
        program = find_program("docker-buildx", os.environ)
        argv = (str(program), "bake", "--file", "bake.json", "--push", *self.names)
        return self._command([argv], changed=True)

    def _command(self, argvs: Sequence[Sequence[str]], *, changed: bool) -> Command:
        before = self.change if changed else (lambda: None)
        return Command(argvs, self.folder, self.environ, before)


def unchanged(folder: Path) -> None:
    bench, bare = Bench(folder), folder / "bare"
    bare.mkdir()
    (bare / "tasks.py").write_text(
        "from invoke import task\n\n\n@task\ndef hello(c):\n    print(1)\n"
    )
    compare(
        "nothing changed, a small context",
        bench.stagekit(changed=False),
        Command([(*_INV, "--list")], bare, {}),
        name="inv --list",
        goal=1.5,
        rounds=21,
    )
    compare(
        "nothing changed, a small context",
        bench.stagekit(changed=False),
        bench.script(changed=False),
        name="script    ",
        rounds=11,
    )


def files(folder: Path) -> None:
    bench = Bench(folder)
    for number in range(10_000):
        path = folder / bench.names[0] / f"part{number % 100}" / f"file{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(20_000))
    compare(
        "nothing changed, 10,000 files, 200 MB",
        bench.stagekit(changed=False),
        bench.script(changed=False),
        name="script    ",
        goal=0.4,
        rounds=7,
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", _DECISION],
            cwd=folder,
            env={**os.environ, **bench.environ},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(7)
    ]
    decision = median(map(float, told))
    print(f"{'the decision alone, warm':<44} {decision:7.3f} s   (goal 0.15)", flush=True)


def many(folder: Path) -> None:
    _many(folder, "eight images, a file changed in each", run="", rounds=7)


def working(folder: Path) -> None:
    _many(folder, "the same, with a step of three seconds", run="sleep 3", rounds=2)


def _many(folder: Path, what: str, *, run: str, rounds: int) -> None:
    bench = Bench(folder, count=8, run=run, buildx=True)
    ours, script = bench.stagekit(changed=True), bench.script(changed=True)
    compare(what, ours, script, name="script x 8", goal=0.5, rounds=rounds)
    compare(what, ours, bench.bake(), name="bake      ", goal=1.2, rounds=rounds)


def cold(folder: Path) -> None:
    bench = Bench(folder, run="sleep 10")
    compare(
        "one image, ten seconds of the engine's work",
        bench.stagekit(changed=True),
        bench.script(changed=True),
        name="script    ",
        goal=1.05,
        rounds=3,
    )


def main() -> None:
    known = {
        "unchanged": unchanged,
        "files": files,
        "many": many,
        "working": working,
        "cold": cold,
    }
    for name in sys.argv[1:] or known:
        folder = Path(tempfile.mkdtemp(prefix="stagekit-bench-"))
        try:
            known[name](folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
