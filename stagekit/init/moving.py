"""What is moved so far, and what there is to say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from stagekit.init.found import DEV, ComposeFile, Found
from stagekit.init.nodes import Edit, Node, edited, entries, line_of, parsed
from stagekit.init.secrecy import is_secret
from stagekit.inputs.given import VARIABLE
from stagekit.inputs.templates import is_reserved
from stagekit.records import Part

_MARK = "sK-init-"
_TELLING = 6
"""Characters: a shorter value may stand in another by chance."""

Kind = Literal["lost", "to do", "note"]


class Finding(Part, frozen=True):
    """Something a person has to know.

    Attributes:
        kind: ``lost`` for what is not taken over, ``to do`` for what goes on and wants a hand.
        where: file and line.
        what: what it is; never a secret's value.
        next: what to type or write instead.
    """

    kind: Kind
    where: str
    what: str
    next: str


@dataclass(frozen=True)
class Parsed:
    """A Compose file, and its nodes."""

    file: ComposeFile
    top: Node | None

    @cached_property
    def services(self) -> list[tuple[str, Node]]:
        return self.section("services")

    def section(self, name: str) -> list[tuple[str, Node]]:
        found = next((entry.value for key, entry in entries(self.top) if key == name), None)
        return [(key, entry.value) for key, entry in entries(found)]

    def at(self, node: Node) -> str:
        return f"{self.file.where}:{line_of(node)}"


@dataclass
class Moving:
    """Collects what becomes of the old files.

    Attributes:
        found: the old files.
        files: the same, parsed.
        edits: by the file's path.
        variables: ``[vars]`` by environment.
        needed: variables that nothing gives a value, with the reason, for dev.
        secrets: the names of the secrets that the new files ask for, by the old variable's name.
        values: the secrets' values, to tell them apart and to know them again; they go nowhere.
        given: secrets that a service gets by its env_file: (service, variable) → secret.
        images: tables of ``[tool.stagekit.images]``.
        shared: images of a ``build`` that several services take from one map.
        mounted: folders of the source, by service: the mounts as YAML on one line.
        written: further files, by their paths.
        told: the findings, to tell each once.
        kept: by the file's path, the maps whose env_file stays as it is.
        asks_project: whether they ask for the Compose project's name.
        findings: what there is to say.
    """

    found: Found
    files: tuple[Parsed, ...]
    edits: dict[str, list[Edit]] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    needed: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict, repr=False)
    given: dict[tuple[str, str], str] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    mounted: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    told: set[Finding] = field(default_factory=set)
    kept: dict[str, set[int]] = field(default_factory=dict)
    asks_project: bool = False
    findings: list[Finding] = field(default_factory=list)

    def edit(self, file: Parsed, change: Edit | None) -> bool:
        """Note an edit; tell whether there is one."""
        if change:
            self.edits.setdefault(file.file.where, []).append(change)
        return change is not None

    def say(self, kind: Kind, where: str, what: str, next: str) -> None:
        finding = Finding(kind=kind, where=where, what=what, next=next)
        if finding not in self.told:
            self.told.add(finding)
            self.findings.append(finding)

    def text_of(self, file: ComposeFile) -> str:
        """Return what becomes of a file."""
        return edited(file.text, self.edits.get(file.where, ()))

    def is_secret(self, name: str, value: str | None) -> bool:
        """Tell whether a variable looks like a secret, or holds one."""
        if value and (
            _MARK in value
            or any(one in value for one in self.values.values() if len(one) >= _TELLING)
        ):
            return True
        return is_secret(name, value)

    def variable(self, name: str, value: str, env: str | None, *, owner: str) -> str:
        """Give an environment a variable; return the name that it has there.

        Args:
            name: as it was called.
            value: its value.
            env: the environment; None for dev, whose values the shared files have.
            owner: the service it is for, which goes before the name where that is taken.
        """
        of = self.variables.setdefault(env or DEV, {})
        plain = variable_name(name)
        for called in (plain, variable_name(f"{owner}_{plain}".upper()), f"{plain}_2"):
            if of.get(called, value) == value:
                of[called] = value
                return called
        return plain

    def by_env(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        for env in self.found.environments:
            yield env, self.variables.get(env, {})


def moving(found: Found) -> Moving:
    """Begin to move what was found.

    Raises:
        InputError: a file is not YAML; says the line.
    """
    files = tuple(Parsed(file, parsed(file.text, file.where)) for file in found.files)
    return Moving(found, files)


def stand_in(name: str) -> str:
    """Return what stands for a secret's value wherever it is not needed."""
    return f"{_MARK}{name}-init-Ks"


def variable_name(name: str) -> str:
    """Return a name under which a template may ask for what was called ``name``."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not VARIABLE.fullmatch(plain) or is_reserved(plain):
        plain = f"APP_{plain}"
    return plain
