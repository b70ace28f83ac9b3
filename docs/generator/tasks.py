"""The page of tasks: what each does and takes, and how it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke.collection import Collection
from invoke.parser.argument import Argument

import stagekit
from docs.generator.docstrings import cell, described, markdown, table

_OF_TASKS = """\
As `inv --help TASK` tells of them. `inv TASK` and `stagekit TASK` are the same. What `--json`
prints goes to stdout, everything that is told to stderr. [Errors](errors.md) says what an exit
code means.
"""
_ENDS = [
    ["0", "each, where it is done"],
    [
        "1",
        (
            "each, for a wrong command line; `doctor`, where a part is missing; with `--exit-code` "
            "`release.diff`, `run.compare` and `run.status`, where something differs"
        ),
    ],
    ["2, 6, 7", "each: wrong input; no engine or registry; a record that is not as it was"],
    ["70, 130", "each: a fault of stagekit's own; stopped"],
    ["3", "`build`, `up`, and `release` where it builds (`auto_build`)"],
    [
        "4",
        "`release`, `release.promote`, `up`; `init`, where what would be released is not what ran",
    ],
    [
        "5",
        (
            "`run`, `run.rollback`, `run.scale`, `run.restart`, `run.stop`, `run.once`, "
            "`run.compare`, `up`"
        ),
    ],
    ["8", "`run`, `run.rollback`, `run.scale`, `up`: it went back"],
    ["9", "those of 5 that change what runs: another run holds the environment"],
    ["the command's own", "`run.exec`, `run.once`"],
]
"""Which tasks end with which exit codes; errors.md says what each means."""


def tasks() -> str:
    """Say of each task what it does and takes."""
    with _only_what_ships():
        namespace = stagekit.collection(root=Path())
    parts = ["# Tasks\n", _OF_TASKS, table(["exit code", "of which tasks"], _ENDS)]
    called = {_called(namespace, name): name for name in namespace.task_names}
    parts += [_task(namespace, called[short], short) for short in sorted(called)]
    return "\n".join(parts)


@contextmanager
def _only_what_ships() -> Iterator[None]:
    """Leave out tasks of plugins that happen to be installed beside stagekit."""
    before = os.environ.get("STAGEKIT_NO_PLUGINS")
    os.environ["STAGEKIT_NO_PLUGINS"] = "1"
    try:
        yield
    finally:
        del os.environ["STAGEKIT_NO_PLUGINS"]
        if before is not None:
            os.environ["STAGEKIT_NO_PLUGINS"] = before


def _called(namespace: Collection, name: str) -> str:
    """Return how people call a task: ``build``, and not ``build.new``."""
    aliases = namespace.task_names[name]
    return next((alias for alias in aliases if name.startswith(f"{alias}.")), name)


def _task(namespace: Collection, name: str, called: str) -> str:
    task = namespace[name]
    given = task.get_arguments()
    words = [f"<{item.names[0]}>" for item in given if item.positional]
    rows = [[_flags(item), cell(markdown(item.help or ""))] for item in given]
    return "\n".join(
        [
            f"## {' '.join(['inv', called, *words])}\n",
            described(task.body) + "\n",
            table(["option", ""], rows) if rows else "",
        ]
    )


def _flags(argument: Argument) -> str:
    if argument.positional:
        return f"`<{argument.names[0]}>`"
    value = "" if argument.kind is bool else "=VALUE"
    flags = [f"-{name}" if len(name) == 1 else f"--{name}" for name in argument.names]
    return ", ".join(f"`{flag}{value if flag.startswith('--') else ''}`" for flag in flags)
