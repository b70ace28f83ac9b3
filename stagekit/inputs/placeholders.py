"""What stands for a secret while a release is rendered: its value is not known, and must not be.

A template asks for the secret ``NAME`` as ``{{ secrets.NAME | yaml }}`` or ``${SECRET_NAME}``. Both
give a placeholder that nobody could have written; Compose passes it on like any text, and in its
model it becomes ``${STAGEKIT_SECRET_NAME}``, which Compose fills in when the release is run. It may
stand where a container takes it from: in environment variables and the content of configs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn
from zlib import crc32

from stagekit.engine.documents import refuse_unset
from stagekit.errors import InputError, ReleaseFailed, StagekitError
from stagekit.inputs.merge import Tree, dotted
from stagekit.inputs.names import SECRET_PREFIX
from stagekit.inputs.near import known_names
from stagekit.inputs.quoting import Opaque
from stagekit.inputs.secrets import check_secret_name

TEMPLATE_PREFIX = "SECRET_"
"""What stands before a secret's name where a template asks for it as a variable."""

Path = tuple[str, ...]

_ASKED = re.compile(rf"\$\{{?{TEMPLATE_PREFIX}(\w+)", re.ASCII)

_INSTEAD = (
    "hand it to the container as an environment variable, or as a file by "
    "secrets.NAME.environment, and have the container read it there"
)


class Placeholders:
    """Stands in for the secrets of one release.

    Args:
        names: the secrets there are, or None where only a run can tell.
        where: the file that has them, for errors.
        env: the environment's name, for hints.
    """

    def __init__(self, names: Collection[str] | None, *, where: str, env: str) -> None:
        self._names = names
        self._where = where
        self._env = env
        self._mark = secrets.token_hex(16)
        # Mixed case, '!' and '&' are what filters such as upper, urlencode and escape change.
        self._pattern = re.compile(rf"sK!&(\w+)&(\d+)&{self._mark}&!Ks", re.ASCII)

    @property
    def asked(self) -> Mapping[str, Opaque]:
        """What ``secrets`` is in Jinja."""
        return _Asked(self)

    def opaque(self, name: str) -> Opaque:
        """Return what stands for a secret in Jinja.

        Raises:
            InputError: there is no such secret.
        """
        self.check(name)
        return Opaque(self._of(name))

    def variables(self, text: str) -> dict[str, str]:
        """Return what ``${SECRET_NAME}`` is: for each secret there is, or where only a run can
        tell, for each one that ``text`` speaks of."""
        names = _ASKED.findall(text) if self._names is None else self._names
        return {TEMPLATE_PREFIX + name: self._of(name) for name in names}

    def check(self, name: str, where: str | None = None) -> None:
        """Raise InputError unless there is a secret ``name``, or may be."""
        check_secret_name(name, where)
        if self._names is not None and name not in self._names:
            raise InputError(
                f"no secret {name} in {self._where}",
                where=where,
                hint=_hint(name, self._names, self._env),
            )

    def refuse_unset(self, name: str, where: str) -> NoReturn:
        """Raise InputError for a variable that Compose would replace by nothing."""
        if name.startswith(TEMPLATE_PREFIX):
            self.check(name.removeprefix(TEMPLATE_PREFIX), where)
        refuse_unset(name, where)

    def turned_back(self, model: Tree) -> Tree:
        """Return Compose's model with each placeholder as ``${STAGEKIT_SECRET_NAME}``.

        Raises:
            ReleaseFailed: one stands where a secret must not, or something was done with it.
        """
        turned = self._turned(model, ())
        assert isinstance(turned, dict)
        return turned

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Write placeholders in errors as the template has them."""
        try:
            yield
        except StagekitError as error:
            error.reword(self._as_written)
            raise

    def _of(self, name: str) -> str:
        return f"sK!&{name}&{crc32(name.encode())}&{self._mark}&!Ks"

    def _variable(self, found: re.Match[str]) -> str:
        """Turn one back, unless a filter has changed the name in it."""
        name = found[1]
        return f"${{{SECRET_PREFIX}{name}}}" if found[0] == self._of(name) else found[0]

    def _as_written(self, text: str) -> str:
        return self._pattern.sub(rf"${{{TEMPLATE_PREFIX}\1}}", text)

    def _turned(self, node: Any, path: Path) -> Any:
        if isinstance(node, dict):
            for key in node:
                self._refuse(key, path)
            return {key: self._turned(item, (*path, key)) for key, item in node.items()}
        if isinstance(node, list):
            return [self._turned(item, path) for item in node]
        if isinstance(node, str):
            if not _may_hold(path):
                self._refuse(node, path)
            return self._text(node, path)
        return node

    def _text(self, text: str, path: Path) -> str:
        turned = self._pattern.sub(self._variable, text)
        if self._mark in turned.lower():
            raise ReleaseFailed(
                "a template does something with a secret's value, which no release knows",
                where=dotted(path),
                hint="write {{ secrets.NAME | yaml }} or ${SECRET_NAME}, and no other filter",
            )
        return turned

    def _refuse(self, text: str, path: Path) -> None:
        if self._mark in text.lower():
            names = ", ".join(found[1] for found in self._pattern.finditer(text))
            raise ReleaseFailed(
                f"secret {names} would be read by more than its container: {_why(path)}",
                where=dotted(path),
                hint=_INSTEAD,
            )


NO_SECRETS = Placeholders((), where="environments/", env="ENV")
"""For a document that has none."""


def missing_hint(variable: str, values: Mapping[str, str]) -> str:
    """Say what to do about a ``${SECRET_NAME}`` that is not among ``values``."""
    known = [
        name.removeprefix(TEMPLATE_PREFIX) for name in values if name.startswith(TEMPLATE_PREFIX)
    ]
    return _hint(variable.removeprefix(TEMPLATE_PREFIX), known, values["STAGEKIT_ENV"])


def _hint(name: str, known: Collection[str], env: str) -> str:
    return f"{known_names(name, known)}; inv secrets.set {name} --env {env} sets it"


class _Asked(dict[str, Opaque]):
    """``secrets`` in Jinja: a misspelt one is told from those there are."""

    def __init__(self, placeholders: Placeholders) -> None:
        super().__init__()
        self._placeholders = placeholders

    def __missing__(self, name: str) -> Opaque:
        return self._placeholders.opaque(name)


def _may_hold(path: Path) -> bool:
    kind, part, held = path[0], path[2:3], len(path)
    if kind.startswith("x-"):  # nothing by itself: what takes its anchor has a place of its own
        return True
    return (kind, part) == ("services", ("environment",)) or (
        (kind, part, held) == ("configs", ("content",), 3)
    )


def _why(path: Path) -> str:
    if "labels" in path:
        return "labels travel in every event and metric of the engine"
    if {"command", "entrypoint", "healthcheck", "post_start", "pre_stop"} & set(path):
        return "a list of processes shows the words of a command"
    return "only services.<name>.environment and configs.<name>.content may hold one"
