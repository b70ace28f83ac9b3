"""Runs, beside Compose's own way to bring the same document up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import Contestant, Measure
from benchmarks.measures.starting import OURS, TASKS
from benchmarks.place import INV, NOT_FOUND, Place, write
from benchmarks.report import Goal
from benchmarks.workshop import project_name

SCRIPT = "docker-compose up -d, which does not wait"
COMPOSE = "docker compose up -d --wait alone"
BOTH = "up -d --wait and inv --list"
ANSIBLE = "ansible, docker_compose_v2, wait"

_PS = "docker compose ps alone"
_PS_BOTH = "ps and inv --list"
_GOAL = Goal(1.15, BOTH)
_ENV = ("--env", "prod")
_FILES = {
    "tasks.py": TASKS,
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
_DOCKERFILE = """\
FROM {base}
COPY page /www/index.html
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
"""
_PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - community.docker.docker_compose_v2:
        {{project_src: {folder}, project_name: {project}, wait: true}}
"""


class Sample:
    """A project with two releases of different images, and each way to run them.

    All of them run the one project, so that each finds what the one before it left.
    """

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder = place, folder
        self.environ = place.workshop.environ
        name = project_name(place.token)
        self.project = f"{name}-prod"
        settings = f'[tool.stagekit]\nname = "{name}"\n[tool.stagekit.images.app]\n'
        write(
            folder,
            {
                **_FILES,
                "pyproject.toml": f'{settings}context = "app"\n',
                "app/Dockerfile": _DOCKERFILE.format(base=place.workshop.base),
            },
        )
        for number, page in enumerate(("one\n", "two\n"), start=1):
            (folder / "app/page").write_text(page)
            for task in (("build",), ("release", *_ENV), ("run", *_ENV)):
                self.inv(*task)
            play = _PLAY.format(folder=self.document(f"v{number}").parent, project=self.project)
            (folder / f"v{number}.yml").write_text(play)

    def inv(self, *words: str) -> None:
        self.place.command(self.folder, (*INV, *words), environ=self.environ).seconds()

    def running(self, id: str) -> Callable[[], None]:
        """Bring a release up, whatever ran before."""
        return lambda: self.inv("run", *_ENV, "--release", id)

    def document(self, id: str) -> Path:
        return self.folder / f"artifacts/releases/prod/{id}/compose.yaml"

    def compose(self, id: str, *words: str) -> tuple[str, ...]:
        program = self.place.program("docker-compose")
        of_project = ("--project-name", self.project, "--file", str(self.document(id)))
        return (program, *of_project, *words)

    def taking(
        self, words: Sequence[str], id: str, before: Callable[[], object]
    ) -> Sequence[Contestant]:
        """Return those that take part.

        Args:
            words: what is typed after ``inv``.
            id: the release that is then in force.
            before: done each time before.
        """

        def sample(*argvs: Sequence[str]) -> Callable[[], float]:
            made = self.place.command(self.folder, *argvs, environ=self.environ, before=before)
            return made.seconds

        up, waiting = (self.compose(id, "up", "--detach", *more) for more in ((), ("--wait",)))
        ansible = self.place.program("ansible-playbook")
        played = sample((ansible, f"{id}.yml"))
        return (
            Contestant(OURS, sample((*INV, *words)), "stagekit"),
            Contestant(SCRIPT, sample(up)),
            Contestant(COMPOSE, sample(waiting), "floor"),
            Contestant(BOTH, sample(waiting, (*INV, "--list")), "floor"),
            Contestant(ANSIBLE, played if ansible else NOT_FOUND),
        )


def sample(place: Place) -> Sample:
    """Return the project."""
    return place.once("running", lambda folder: Sample(place, folder))


def unchanged(place: Place) -> Sequence[Contestant]:
    project = sample(place)
    project.running("v2")()
    return project.taking(("run", *_ENV), "v2", lambda: None)


def after_change(place: Place) -> Sequence[Contestant]:
    project = sample(place)
    return project.taking(("run", *_ENV), "v2", project.running("v1"))


def rollback(place: Place) -> Sequence[Contestant]:
    project = sample(place)
    return project.taking(("run.rollback", *_ENV), "v1", project.running("v2"))


def status(place: Place) -> Sequence[Contestant]:
    """What tells how it stands, beside Compose's own look at the containers."""
    project = sample(place)
    project.running("v2")()
    ps, listed = project.compose("v2", "ps"), (*INV, "--list")
    environ, folder = project.environ, project.folder
    return (
        place.peer(
            OURS,
            place.command(folder, (*INV, "run.status", *_ENV), environ=environ),
            role="stagekit",
        ),
        place.peer(_PS, place.command(folder, ps, environ=environ), role="floor"),
        place.peer(_PS_BOTH, place.command(folder, ps, listed, environ=environ), role="floor"),
    )


MEASURES = (
    Measure("run-unchanged", "run, nothing changed", unchanged, goal=_GOAL),
    Measure("run-changed", "run after an image change", after_change, goal=_GOAL),
    Measure("run-rollback", "rollback", rollback, goal=_GOAL),
    Measure("run-status", "run.status", status, goal=Goal(1.3, _PS_BOTH)),
)
