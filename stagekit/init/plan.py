"""Moving in: gather → decide → apply."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import structs

from stagekit import toml
from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.errors import ReleaseFailed
from stagekit.init import layout
from stagekit.init.builds import take_builds
from stagekit.init.env_files import take_env_files
from stagekit.init.files import included_env_files, take_configs, take_secret_files
from stagekit.init.found import DEV, Found, find
from stagekit.init.missing import images_missing, tasks_missing, values_missing, volumes_anew
from stagekit.init.mounts import take_mounts
from stagekit.init.moving import Finding, Moving, moving
from stagekit.init.nodes import changed_lines
from stagekit.init.paths import rebased
from stagekit.init.planned import Planned, files_of, write
from stagekit.init.proof import ANYTHING, Proof, Prover
from stagekit.init.readings import Reader
from stagekit.init.variables import ENV_FILE, demanded, take_variables
from stagekit.inputs.names import NAME
from stagekit.inputs.nodes import documents, values
from stagekit.inputs.overlays import OVERLAYS
from stagekit.records import Part

_SEPARATOR = "COMPOSE_PATH_SEPARATOR"


class Plan(Part, frozen=True):
    """What moving in does.

    Attributes:
        root: the project's folder.
        name: the project's name.
        files: what is written, and what stays.
        findings: what there is to say.
        proofs: the old files against the new ones, by environment.
    """

    root: Path
    name: str
    files: tuple[Planned, ...]
    findings: tuple[Finding, ...] = ()
    proofs: tuple[Proof, ...] = ()

    @property
    def lost(self) -> tuple[Finding, ...]:
        """What is not taken over, and what a release would refuse."""
        refused = (finding for proof in self.proofs for finding in proof.refused)
        mine = [finding for finding in self.findings if finding.kind == "lost"]
        # A mount that was told of by its own line is not told of by its service's, too.
        told = {finding.what.partition(" ")[0] for finding in mine}
        new = (finding for finding in refused if finding.what.partition(" ")[0] not in told)
        return tuple(dict.fromkeys((*mine, *new)))

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, and each difference has its reason."""
        return not self.lost and all(proof.holds for proof in self.proofs)


def plan(
    root: Path,
    *,
    named: Sequence[str],
    ci: str,
    force: bool,
    compose: Callable[[], Compose],
    cancel: Cancel,
) -> Plan:
    """Read a repository and say what it would have; write nothing.

    Args:
        root: its folder.
        named: the Compose files to take over; by default those that are there.
        ci: the CI to write a pipeline for; empty for none.
        force: whether files that are there are written anew.
        compose: finds the program that reads old files, where there are any.
        cancel: stops it.

    Raises:
        InputError: a file is not there, not readable, or not what it should be.
        ReleaseFailed: Compose refuses the old files themselves.
    """
    left_out: tuple[Finding, ...] = ()
    found = find(root, named)
    if not found.files:
        return _plan_anew(root, ci=ci, force=force)
    program = compose()
    move = _Move(found, program, cancel)
    if not named and (listed := move.values.get("COMPOSE_FILE")):
        found = find(root, listed.split(move.values.get(_SEPARATOR) or os.pathsep))
        move = _Move(found, program, cancel)
    if not named and any(file.env for file in found.files):
        found, left_out = move.fitting()
        move = _Move(found, program, cancel)
    moved = move.taken_over()
    name = project_name(root, move.was)
    texts = {file.becomes: moved.text_of(file) for file in moved.found.files}
    texts |= moved.written
    texts |= layout.environments(moved, move.profiles)
    templates = [file.becomes for file in found.shared]
    files = files_of(root, name, texts, moved.images, templates, ci=ci, force=force)
    files = tuple(_with_source(file, moved) for file in files)
    standing = _standing(root) | {file.path: file.data for file in files}
    prover = Prover(found, moved, standing, move.values, program, cancel)
    envs = [DEV, *(file.env for file in found.files if file.env and file.env != DEV)]
    proofs = tuple(prover.proof(env, move.was) for env in envs)
    findings = (
        *left_out,
        *moved.findings,
        *volumes_anew(moved, name, move.was),
        *images_missing(files, moved),
        *values_missing(moved),
        *tasks_missing(root),
    )
    return Plan(root=root, name=name, files=files, findings=findings, proofs=proofs)


def apply(decided: Plan) -> None:
    """Write what was planned, each file whole or not at all.

    Raises:
        LedgerError: one cannot be written; those before it stand.
    """
    write(decided.root, decided.files)


class _Move:
    """Takes the old files over, step by step.

    Attributes:
        values: what ``.env`` says, and those beside what is included.
        was: the old Compose project's name.
        profiles: those that ``.env`` says are active.
    """

    def __init__(self, found: Found, compose: Compose, cancel: Cancel) -> None:
        reader = Reader(compose, cancel, found.root, found.folder)
        there = (reader.base / ENV_FILE).is_file()
        self.values = reader.env_file(ENV_FILE, {}) if there else {}
        self._found = found
        self._compose = compose
        self._cancel = cancel
        tops = (top for file in found.files for top in documents(file.text))
        names = (entry for top in tops for entry in values(top, "name"))
        said = next((str(node.value) for node in names), "")
        plain = said if said and "$" not in said else ""
        given = self.values.get("COMPOSE_PROJECT_NAME") or plain or reader.base.resolve().name
        self.was = re.sub(r"[^a-z0-9_-]", "", given.lower()).lstrip("_-") or "app"
        active = self.values.get("COMPOSE_PROFILES") or ""
        self.profiles = [part.strip() for part in active.split(",") if part.strip()]

    def fitting(self) -> tuple[Found, tuple[Finding, ...]]:
        """Return the files that go together, and what to say of those that were merely beside."""
        reader = Reader(self._compose, self._cancel, self._found.root, self._found.folder)
        variables = self._variables(moving(self._found))
        kept, said = [], []
        for file in self._found.files:
            try:
                if file.env:
                    reader.model(self._found, file.env, variables, self.was)
            except ReleaseFailed as error:
                said.append(
                    Finding(
                        kind="lost",
                        where=file.where,
                        what=f"with {self._found.files[0].where}, {error.what}",
                        next="where it is used alone, move in with --from and the files that go "
                        "together",
                    )
                )
            else:
                kept.append(file)
        return structs.replace(self._found, files=tuple(kept)), tuple(said)

    def _variables(self, moved: Moving) -> dict[str, str]:
        """Return what the old files may ask for."""
        return {
            **self.values,
            **dict.fromkeys(demanded(moved, self.values), ANYTHING),
            "COMPOSE_PROJECT_NAME": self.was,
            "PWD": str(self._found.root / self._found.folder),
        }

    def taken_over(self) -> Moving:
        """Return what becomes of the files.

        Raises:
            ReleaseFailed: Compose refuses them themselves.
        """
        moved = moving(rebased(self._found))
        reader = Reader(self._compose, self._cancel, self._found.root, "")
        for stray in included_env_files(moved, self.values):
            self.values = {**reader.env_file(stray, self.values), **self.values}
        for name, value in self.values.items():
            if moved.is_secret(name, value):
                moved.values[name] = value
        variables = self._variables(moved)
        found = moved.found
        shared = reader.model_if_whole(found, None, variables, self.was)
        models = {None: shared} | {
            file.env: reader.model(found, file.env, variables, self.was)
            for file in found.files
            if file.env
        }
        if shared is None and len(models) == 1:
            reader.model(found, None, variables, self.was)  # says what is wrong
        take_builds(moved, models)
        take_variables(moved, self.values)
        take_env_files(moved, reader, self.values)
        take_mounts(moved, self.values)
        take_secret_files(moved)
        take_configs(moved, self.values)
        return moved


def project_name(root: Path, was: str) -> str:
    """Return the name of a project: what pyproject.toml says, else what Compose called it."""
    try:
        document = toml.loads((root / layout.SETTINGS).read_text("utf-8"))
    except (OSError, ValueError):  # which is told where it is written
        document = {}
    said = document.get("tool", {}).get("stagekit", {}).get("name")
    name = str(said or was).lower().replace(".", "-")
    return name if NAME.fullmatch(name) else "app"


def _plan_anew(root: Path, *, ci: str, force: bool) -> Plan:
    """Plan for a repository without a Compose file."""
    folder = re.sub(r"[^a-z0-9_-]+", "-", root.resolve().name.lower()).strip("-_")
    name = project_name(root, folder or "app")
    images, texts, variables = layout.starter(root, name)
    if not force and any((root / "templates").glob("*compose*")):
        # It has moved in before: what it lacks by now is left out on purpose.
        texts = {path: text for path, text in texts.items() if (root / path).exists()}
    empty = Moving(Found(root=root), ())
    empty.variables["base"] = dict(variables)
    texts |= layout.environments(empty, ())
    files = files_of(root, name, texts, images, [], ci=ci, force=force)
    return Plan(root=root, name=name, files=files, findings=tuple(tasks_missing(root)))


def _with_source(file: Planned, moved: Moving) -> Planned:
    source = next((item for item in moved.found.files if item.becomes == file.path), None)
    if source is None:
        return file
    return Planned(
        path=file.path,
        action=file.action,
        data=file.data,
        source=source.where,
        changed=changed_lines(source.text, moved.edits.get(source.where, ())),
    )


def _standing(root: Path) -> dict[str, bytes]:
    """Return the environments' files that are there already."""
    kinds = ("*/config.toml", *(f"*/{name}" for name in OVERLAYS))
    found = (path for kind in kinds for path in (root / "environments").glob(kind))
    return {str(path.relative_to(root)): path.read_bytes() for path in found}
