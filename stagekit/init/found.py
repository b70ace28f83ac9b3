"""Which Compose files a repository has, and what each of them becomes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from stagekit.errors import InputError
from stagekit.inputs.names import NAME
from stagekit.inputs.within import within
from stagekit.records import Part

DEV, PROD, LOCAL = "dev", "prod", "local"

_BASES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_NAMED = re.compile(r"(?:docker-)?compose[._-](?P<env>[A-Za-z0-9_-]+)\.ya?ml")
_OVERRIDE = "override"
_SAME = {"development": DEV, "develop": DEV, "production": PROD, "stage": "staging"}
_LIMIT = 2**20


class ComposeFile(Part, frozen=True):
    """A Compose file as it was found.

    Attributes:
        where: its path, relative to the project.
        text: what stands in it.
        env: the environment that it is put over the others for; None for one that all share.
        becomes: where its text goes.
    """

    where: str
    text: str
    env: str | None
    becomes: str


class Found(Part, frozen=True):
    """What there is to move in.

    Attributes:
        root: the project's folder.
        files: the Compose files, those that all environments share first.
        folder: where their relative paths start, relative to the root; empty for the root.
    """

    root: Path
    files: tuple[ComposeFile, ...] = ()
    folder: str = ""

    @property
    def shared(self) -> tuple[ComposeFile, ...]:
        return tuple(file for file in self.files if file.env is None)

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments: dev and prod, and those that have a file of their own."""
        named = (file.env for file in self.files if file.env)
        return tuple(dict.fromkeys((DEV, PROD, *named)))

    def of(self, env: str | None) -> tuple[ComposeFile, ...]:
        """Return the files that make an environment, the weakest first; of None, the shared."""
        return tuple(file for file in self.files if file.env is None or file.env == env)


def find(root: Path, named: Sequence[str] = ()) -> Found:
    """Look for Compose files.

    Args:
        root: the project's folder.
        named: those to take, the first of which all environments share; by default the one that
            Compose itself would take, and what lies beside it under a name of the same kind.

    Raises:
        InputError: one is not there, not of the project, or cannot be read.
    """
    if not named:
        base = next((name for name in _BASES if (root / name).is_file()), None)
        if base is None:
            return Found(root=root)
        beside = sorted(path.name for path in root.iterdir() if _env_of(path.name))
        named = [base, *(name for name in beside if (root / name).is_file())]
    paths = [_relative(root, text) for text in named]
    envs = [None, *(_env_of(path) for path in paths[1:])]
    if DEV in envs:  # `override` is what Compose takes by itself, dev what was named: two things
        envs = [LOCAL if env == _OVERRIDE else env for env in envs]
    envs = [DEV if env == _OVERRIDE else env for env in envs]
    files: list[ComposeFile] = []
    for path, env in zip(paths, envs, strict=True):
        clash = next((file for file in files if env and file.env == env), None)
        if clash:
            raise InputError(
                f"{clash.where} and {path} are both of {env}",
                where="--from",
                hint="name one of the two, and put the other's lines into it",
            )
        files.append(
            ComposeFile(
                where=path, text=_read(root, path), env=env, becomes=_target(path, env, files)
            )
        )
    files.sort(key=lambda file: file.env is not None)
    return Found(root=root, files=tuple(files), folder=os.path.dirname(paths[0]))  # noqa: PTH120


def _relative(root: Path, text: str) -> str:
    path = Path(os.path.normpath(root / text))
    if not path.is_file():
        raise InputError(f"there is no {text}", where="--from", hint="name the Compose files")
    if not path.is_relative_to(root) or not within(root, path):
        raise InputError(
            f"{text} lies outside the project", where="--from", hint="copy it into the project"
        )
    return str(path.relative_to(root))


def _env_of(path: str) -> str | None:
    """Return the environment that a file's name tells; None for one that says nothing."""
    found = _NAMED.fullmatch(Path(path).name)
    if not found:
        return None
    env = found["env"].lower()
    return _SAME.get(env, env) if NAME.fullmatch(env) and env != "base" else None


def _target(path: str, env: str | None, before: Sequence[ComposeFile]) -> str:
    if env:
        return f"environments/{env}/compose.yaml"
    taken = [file.becomes for file in before]
    return (
        "templates/compose.yaml"
        if "templates/compose.yaml" not in taken
        else f"templates/{len(taken)}-{Path(path).name}"
    )


def _read(root: Path, path: str) -> str:
    try:
        data = (root / path).read_bytes()
        if len(data) > _LIMIT:
            raise InputError(f"is larger than {_LIMIT >> 20} MiB", where=path)
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read: {error}", where=path) from error
