"""The stages for a repository author's own tasks and scripts: ``from stagekit import stages``.

Each function does what the task of its name does, with the same plugins and records, and returns
the record. Nothing is printed on stdout; what is under way is told on stderr, as the tasks tell it.
What goes wrong is raised as a `stagekit.StagekitError`, which ``@stagekit.task`` turns into its
lines and its exit code. Every call reads the repository as it is then.

The repository is the one whose tasks.py called ``stagekit.collection()``; in a script, the nearest
folder upwards from the current one with ``[tool.stagekit]`` in its pyproject.toml. ``root=`` names
another. Of these two no tasks.py is read: plugins that it hands to `stagekit.collection`, and tasks
that images need, are the tasks' alone.

The stages are done one at a time, on the main thread: engine, ledger and signals are one each.
"""

from __future__ import annotations

from stagekit.stages.making import build, promote, release
from stagekit.stages.reading import builds, releases, runs
from stagekit.stages.running import rollback, run, scale, status, stop

__all__ = [
    "build",
    "builds",
    "promote",
    "release",
    "releases",
    "rollback",
    "run",
    "runs",
    "scale",
    "status",
    "stop",
]
