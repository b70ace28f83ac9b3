"""Builds, beside what builds, tags and pushes the same in its place."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.command import Command
from benchmarks.measure import Contestant, Measure
from benchmarks.measures.starting import BARE_INVOKE, OURS, TASKS, bare_invoke, settle
from benchmarks.place import INV, NOT_FOUND, Place, write
from benchmarks.report import Goal, Role

SCRIPT = "build.sh"
COMPOSE = "docker compose build, push (one tag)"
BAKE = "docker buildx bake --push"
ANSIBLE = "ansible, community.docker"
ENGINE = "the engine's build alone (bake)"

_BUILD_SH = """\
#!/bin/sh
set -e
tag=$(date +%Y.%m.%d-%H.%M.%S)
for name in "$@"; do
    image=$STAGEKIT_REGISTRY/script-$name
    docker build --tag "$image:$tag" "$name"
    docker tag "$image:$tag" "$image:latest"
    docker push "$image:$tag"
    docker push "$image:latest"
done
"""
_PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - community.docker.docker_image_build:
        {name: "{{ registry }}/ansible-{{ item }}", tag: "1", path: "{{ item }}", rebuild: always}
      loop: "{{ names }}"
    - community.docker.docker_image_tag:
        name: "{{ registry }}/ansible-{{ item }}:1"
        repository: ["{{ registry }}/ansible-{{ item }}:latest"]
      loop: "{{ names }}"
    - community.docker.docker_image_push:
        {name: "{{ registry }}/ansible-{{ item[0] }}", tag: "{{ item[1] }}"}
      loop: "{{ names | product(['1', 'latest']) }}"
"""
_DECISION = """\
import os, time
from pathlib import Path
from stagekit.cli.app import App
from stagekit.inputs.bases import BaseImages
from stagekit.pipeline.known import current_build
from stagekit.pipeline.sources import read_all_inputs
app = App(Path.cwd())
engine, builder = app.engine, app.plugins.builder("auto", app.engine, os.environ)
project, ledger, name = app.project, app.ledger, builder.name
begun = time.perf_counter()
bases = BaseImages(engine, project.cache / "bases.json", fresh=False, emit=print, cancel=app.cancel)
inputs = read_all_inputs(project, builder=name, bases=bases)
assert current_build(project, inputs, ledger=ledger, engine=engine, ci=None, source=lambda: None)
print(time.perf_counter() - begun)
"""
_SETTINGS = "@settings.json"
_ROLES: dict[str, Role] = {OURS: "stagekit", ENGINE: "floor"}
_FILES, _SIZE = 10_000, 20_000


class Sample:
    """A project of ``count`` images, and each way to build it.

    Args:
        place: where.
        folder: of the project.
        count: how many images.
        run: what the engine does for each of them.
        files: how many files each has beside its page, of 20 kB.
    """

    def __init__(
        self, place: Place, folder: Path, *, count: int = 1, run: str = "", files: int = 0
    ) -> None:
        self.place, self.folder = place, folder
        self.names = [f"image{number}" for number in range(count)]
        step = f"RUN {run}\n" if run else ""
        dockerfile = f"FROM {place.workshop.base}\nCOPY . /src\n{step}"
        registry, names = place.workshop.registry, self.names
        settings = {"registry": registry, "names": names}
        images = "".join(f'[tool.stagekit.images.{n}]\ncontext = "{n}"\n' for n in names)
        services = {
            name: {"image": f"{registry}/compose-{name}:latest", "build": name} for name in names
        }
        targets = {
            name: {
                "context": name,
                "tags": [f"{registry}/bake-{name}:{tag}" for tag in ("1", "latest")],
            }
            for name in names
        }
        write(
            folder,
            {
                "tasks.py": TASKS,
                "pyproject.toml": f'[tool.stagekit]\nname = "bench"\n{images}',
                "build.sh": _BUILD_SH,
                "compose.yaml": json.dumps({"services": services}),
                "bake.json": json.dumps({"target": targets}),
                "play.yml": _PLAY,
                "settings.json": json.dumps(settings),
                **{f"{name}/Dockerfile": dockerfile for name in names},
                **{f"{name}/page": name for name in names},
            },
        )
        for number in range(files):
            path = folder / names[0] / f"part{number % 100}" / f"file{number}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(os.urandom(_SIZE))

    def change(self) -> None:
        """Change a file of each image."""
        for name in self.names:
            (self.folder / name / "page").write_text(secrets.token_hex())

    def commands(self) -> dict[str, tuple[str, tuple[Sequence[str], ...]]]:
        """Return what each contestant runs, after the program that it needs."""
        names, docker = self.names, self.place.program("docker")
        bake = (docker, "buildx", "bake", "--file", "bake.json")
        ansible = self.place.program("ansible-playbook")
        return {
            OURS: ("", ((*INV, "build"),)),
            SCRIPT: ("docker", (("sh", "build.sh", *names),)),
            COMPOSE: (
                "docker-buildx",
                ((docker, "compose", "build"), (docker, "compose", "push", "--quiet")),
            ),
            BAKE: ("docker-buildx", ((*bake, "--push", *names),)),
            ANSIBLE: ("ansible-playbook", ((ansible, "play.yml", "--extra-vars", _SETTINGS),)),
            ENGINE: ("docker-buildx", ((*bake, *names),)),
        }

    def taking(
        self,
        who: Sequence[str],
        *,
        changed: bool,
        sampled: Callable[[Command], Callable[[], float]] = lambda command: command.seconds,
    ) -> list[Contestant]:
        """Return those that take part, in this order.

        Args:
            who: their names.
            changed: change a file of each image before each.
            sampled: what is taken of a command.
        """
        known, environ = self.commands(), self.place.workshop.environ
        taking = []
        for name in who:
            program, argvs = known[name]
            before = self.change if changed else (lambda: None)
            command = self.place.command(self.folder, *argvs, environ=environ, before=before)
            here = not program or self.place.program(program)
            sample = sampled(command) if here else NOT_FOUND
            taking.append(Contestant(name, sample, _ROLES.get(name, "peer")))
        return taking


_ALL = (OURS, SCRIPT, COMPOSE, BAKE, ANSIBLE, ENGINE)


def small(place: Place) -> Sample:
    """Return a project of one small image."""
    return place.once("small-image", lambda folder: Sample(place, folder))


def unchanged(place: Place) -> Sequence[Contestant]:
    return (*small(place).taking(_ALL, changed=False), bare_invoke(place))


def changed(place: Place) -> Sequence[Contestant]:
    return small(place).taking(_ALL, changed=True)


def eight(run: str, place: Place) -> Sequence[Contestant]:
    name = "eight-images" + ("-working" if run else "")
    sample = place.once(name, lambda folder: Sample(place, folder, count=8, run=run))
    return sample.taking((OURS, SCRIPT, COMPOSE, BAKE, ENGINE), changed=True)


def cold(place: Place) -> Sequence[Contestant]:
    sample = place.once("cold-image", lambda folder: Sample(place, folder, run="sleep 10"))
    return sample.taking((OURS, SCRIPT, ENGINE), changed=True)


def files(place: Place) -> Sequence[Contestant]:
    return _with_files(place).taking((OURS, SCRIPT, BAKE), changed=False)


def decision(place: Place) -> Sequence[Contestant]:
    """The decision alone, as the process that makes it measures it."""
    sample = _with_files(place)
    environ = place.workshop.environ
    write(sample.folder, {"decide.py": _DECISION})
    asked = place.command(sample.folder, (INV[0], "decide.py"), environ=environ)
    return (Contestant(OURS, lambda: float(asked.output()), "stagekit"),)


def _with_files(place: Place) -> Sample:
    def laid(folder: Path) -> Sample:
        sample = Sample(place, folder, files=_FILES)
        settle(place.command(folder, (*INV, "build"), environ=place.workshop.environ))
        return sample

    return place.once("many-files", laid)


MEASURES = (
    Measure(
        "build-unchanged",
        "build, nothing changed",
        unchanged,
        rounds=7,
        goal=Goal(1.5, BARE_INVOKE),
    ),
    Measure("build-changed", "build, one file changed", changed),
    Measure("build-eight", "eight images, a file changed in each", partial(eight, "")),
    Measure("build-cold", "one image, ten seconds of work", cold, goal=Goal(1.05, SCRIPT)),
    Measure(
        "build-working",
        "eight images, three seconds of work in each",
        partial(eight, "sleep 3"),
        goal=Goal(0.5, SCRIPT),
        asked=True,
    ),
    Measure(
        "build-files",
        "nothing changed, 10,000 files, 200 MB",
        files,
        goal=Goal(0.4, SCRIPT),
        asked=True,
    ),
    Measure("build-decision", "the decision alone, 10,000 files, warm", decision, asked=True),
)
