"""The old files against the first release of what they became: rendered in a temporary folder,
without an engine, a registry or a build, leaf by leaf."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from stagekit import toml
from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.errors import StagekitError
from stagekit.events import ignore
from stagekit.init.expected import Expectation
from stagekit.init.found import Found
from stagekit.init.moving import Finding, Moving, stand_in
from stagekit.init.nodes import holder
from stagekit.init.readings import Reader
from stagekit.init.unlike import Difference, unexplained
from stagekit.inputs import overlays, seal
from stagekit.inputs.document import parse
from stagekit.inputs.environment import Environment, load_environment
from stagekit.inputs.files import take_in
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import ENVIRONMENTS
from stagekit.inputs.placeholders import Placeholders
from stagekit.inputs.project import Project, load_project
from stagekit.inputs.quoting import plain_text
from stagekit.pipeline.rendering import rendered_model
from stagekit.records import Part, Pin, compose_project

ANYTHING = "1"
"""Stands for a variable that nothing gives a value, on both sides; also a port may be that."""


class Proof(Part, frozen=True):
    """How a release of an environment differs from what the old files were.

    Attributes:
        env: the environment.
        differences: service by service.
        refused: what a release refuses of it; those services are not compared.
        compared: whether there is anything that was compared.
    """

    env: str
    differences: tuple[Difference, ...] = ()
    refused: tuple[Finding, ...] = ()
    compared: bool = True

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        return tuple(item for item in self.differences if not item.explained)

    @property
    def holds(self) -> bool:
        return self.compared and not self.refused and not self.unexplained


@dataclass(frozen=True)
class Prover:
    """Compares environments.

    Attributes:
        old: the old files, as they were found.
        moving: what became of them.
        files: what the repository would have, by path: settings, environments and templates.
        values: what ``.env`` says; secrets among them are stood in for.
        compose: normalises both sides.
        cancel: stops it.
    """

    old: Found
    moving: Moving
    files: Mapping[str, bytes]
    values: Mapping[str, str]
    compose: Compose
    cancel: Cancel

    def proof(self, env: str, was: str) -> Proof:
        """Compare one environment.

        Args:
            env: which.
            was: the old Compose project's name.
        """
        with tempfile.TemporaryDirectory(prefix="stagekit-") as folder:
            try:
                return self._proof(env, was, Path(folder))
            except StagekitError as error:
                error.reword(lambda text: text.replace(f"{folder}/", ""))
                return Proof(env=env, refused=(self._refusal(error),), compared=False)

    def _proof(self, env: str, was: str, folder: Path) -> Proof:
        project, environment = self._project(folder, env)
        images = {
            name: f"{project.repositories(name)[0]}@{_stand_in_digest(name)}"
            for name in project.images
        }
        model = rendered_model(
            msgspec.structs.replace(project, root=self.old.root),
            environment,
            overlays.documents(project, environment.chain),
            images=images,
            secrets=Placeholders(None, where=f"{ENVIRONMENTS}/{env}", env=env),
            compose=self.compose,
            emit=ignore,
            cancel=self.cancel,
        ).model
        source_mounts = environment.deploy.source_mounts
        sealing = _Sealing(self.old.root, project.name, env, images, source_mounts)
        refused: dict[str, Finding] = {}
        try:
            new, pins = sealing.sealed(model)
        except StagekitError:
            for name, service in model["services"].items():
                try:
                    sealing.sealed({**model, "services": {name: service}})
                except StagekitError as error:
                    refused[name] = self._refusal(error)
            if len(refused) in (0, len(model["services"])):
                raise
            left = {name: item for name, item in model["services"].items() if name not in refused}
            new, pins = sealing.sealed({**model, "services": left})
        expectation = Expectation(
            old=self._old_model(env, was),
            new=new,
            was=was,
            name=compose_project(project.name, env),
            labels={"stagekit.project": project.name, "stagekit.env": env},
            pins=pins,
            images=frozenset(images.values()),
            stand_ins={stand_in(name): secret for name, secret in self.moving.secrets.items()},
            moving=self.moving,
            folder=self.old.folder,
            variables={
                name: plain_text(value)
                for name, value in environment.variables.values.items()
                if not isinstance(value, dict | list)
            },
            source_mounts=source_mounts,
        )
        made = expectation.made()
        differences = (*expectation.differences, *unexplained(made, new))
        unique = tuple(dict.fromkeys(refused.values()))
        return Proof(env=env, differences=differences, refused=unique)

    def _project(self, folder: Path, env: str) -> tuple[Project, Environment]:
        """Lay out what would be written, and read it as a release does."""
        for path, data in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        settings = toml.loads(self.files["pyproject.toml"].decode())
        images = settings.get("tool", {}).get("stagekit", {}).get("images", {})
        for image in images.values():
            (folder / str(image.get("context", "."))).mkdir(parents=True, exist_ok=True)
        project = load_project(folder, {})
        own = load_environment(project, env).variables.values
        shared = self.moving.variables.get("dev", {})
        given = {name: value for name, value in shared.items() if name not in own}
        given |= dict.fromkeys(self.moving.needed.keys() - own.keys(), ANYTHING)
        options = [f"{name}={value}" for name, value in given.items()]
        environment = load_environment(project, env, options=options)
        # Every service is compared, whichever profile it is in.
        deploy = msgspec.structs.replace(environment.deploy, profiles=("*",))
        return project, Environment(
            environment.name, environment.chain, environment.variables, deploy, environment.policy
        )

    def _old_model(self, env: str, was: str) -> Tree:
        reader = Reader(self.compose, self.cancel, self.old.root, self.old.folder)
        values = {
            **self.values,
            **dict.fromkeys(self.moving.needed, ANYTHING),
            **{name: stand_in(name) for name in self.moving.secrets},
            "COMPOSE_PROJECT_NAME": was,
            "PWD": str(reader.base),
        }
        return reader.model(self.old, env, values, was)

    def _refusal(self, error: StagekitError) -> Finding:
        place = place_of(self.moving, error.where or "")
        return Finding(
            kind="lost",
            where=place or error.where or "the release",
            what=error.what if place else str(error),
            next=error.hint or "change it there, and stagekit init again",
        )


@dataclass(frozen=True)
class _Sealing:
    """Seals a model as a release is, each image pinned to a stand-in."""

    root: Path
    project: str
    env: str
    images: Mapping[str, str]
    source_mounts: bool

    def sealed(self, model: Tree) -> tuple[Tree, dict[str, Pin]]:
        taken = take_in(model, self.root, source_mounts=self.source_mounts).model
        asked = seal.asked_images(taken, self.images)
        pins = {
            name: Pin(asked=image, pinned=_pinned(image), kind="digest")
            for name, image in asked.items()
        }
        text = seal.seal(taken, pins=pins, project=self.project, env=self.env)
        return parse(text.encode()), pins


def place_of(moving: Moving, where: str) -> str | None:
    """Return file and line of what a model has at ``services.web.volumes``; None if unknown."""
    kind, _, rest = where.partition(".")
    for file in reversed(moving.files):
        for name, node in file.section(kind):
            if rest == name or rest.startswith(f"{name}."):
                held = holder(node, rest.removeprefix(name).strip(".").partition(".")[0])
                return file.at(held[1].key if held else node)
    return None


def _pinned(image: str) -> str:
    return (
        image if "@" in image else f"{image.rpartition(':')[0] or image}@{_stand_in_digest(image)}"
    )


def _stand_in_digest(name: str) -> str:
    return f"sha256:{sha256(name.encode()).hexdigest()}"
