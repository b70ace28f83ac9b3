"""Starting, completing, and finding that there is nothing to do."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from benchmarks.command import Command
from benchmarks.measure import Contestant, Measure
from benchmarks.place import INV, Place, write
from benchmarks.report import Goal
from stagekit.ledger.files import FileLedger
from stagekit.testing.records import NOON, a_build, released

TASKS = "import stagekit\n\nns = stagekit.collection()\n"
BARE = "from invoke import task\n\n\n@task\ndef hello(c):\n    print(1)\n"
BARE_INVOKE = "Invoke alone: inv --list"
OURS = "stagekit"

_LISTED = "inv --list of the same project"
_DODO = 'def task_hello():\n    return {"actions": ["echo 1"]}\n'
_TASKFILE = "version: '3'\ntasks:\n  hello:\n    desc: Say it.\n    cmds: [echo 1]\n"
_PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "1"}
"""
_LINES = {
    "releases": "inv release.show prod/",
    "tasks": "inv ",
    "flags": "inv release --",
    "environments": "inv release --env ",
    "builds": "inv release --build ",
    "services": "inv run.exec --env prod ",
    "secrets": "inv secrets.set ",
    "variables": "inv release --env prod --set ",
}
_PROJECT = {
    "tasks.py": TASKS,
    "pyproject.toml": '[tool.stagekit]\nname = "bench"\n',
    "environments/dev/config.toml": '[vars]\nHOST = "redis"\n',
    "environments/prod/config.toml": '[vars]\nHOST = "redis"\n',
    "environments/prod/secrets.toml": (
        'schema = 1\nkey = "k"\n\n[recipients]\nana = "age1"\n\n'
        '[secrets.API_KEY]\nfingerprint = "f"\nage = "a"\n'
    ),
}
_RECORDS = 1_000
_USUAL = 2_000
_ROUNDS = 15
_OWN = """\
import stagekit


@stagekit.task(inputs=["app/**/*.ts"], outputs=["dist/"])
def assets(c):
    c.run("mkdir -p dist && cat app/*/*.ts > dist/app.js")


ns = stagekit.collection(assets)
"""
_OWN_DODO = """\
from pathlib import Path


def task_assets():
    return {
        "file_dep": sorted(map(str, Path("app").rglob("*.ts"))),
        "targets": ["dist/app.js"],
        "actions": ["mkdir -p dist && cat app/*/*.ts > dist/app.js"],
    }
"""
_OWN_TASKFILE = """\
version: '3'
tasks:
  assets:
    sources: ['app/**/*.ts']
    generates: [dist/app.js]
    cmds: ["mkdir -p dist && cat app/*/*.ts > dist/app.js"]
"""
_RACY = 3.0
"""Seconds after which a file's time says that it did not change: what was written a moment before
it was looked at is read again, as git does."""


def bare_project(folder: Path) -> Path:
    """Lay out the same small task for each runner of tasks that starts and does little."""
    files = {"tasks.py": BARE, "dodo.py": _DODO, "Taskfile.yml": _TASKFILE, "play.yml": _PLAY}
    write(folder, files)
    return folder


def bare_invoke(place: Place) -> Contestant:
    """Return Invoke's own start, which no task of Invoke's can do without."""
    folder = place.once("bare", bare_project)
    return place.peer(BARE_INVOKE, place.command(folder, (*INV, "--list")), role="floor")


def startup(place: Place) -> Sequence[Contestant]:
    bare = place.once("bare", bare_project)
    ours = place.once("small", lambda folder: laid_out(folder, _PROJECT))
    doit, go_task, ansible = map(place.program, ("doit", "task", "ansible-playbook"))
    listed = place.command(bare, (ansible, "--list-tasks", "play.yml"))
    return (
        place.peer(OURS, place.command(ours, (*INV, "--list")), role="stagekit"),
        bare_invoke(place),
        place.peer("doit list", place.command(bare, (doit, "list")), program="doit"),
        place.peer("go-task --list", place.command(bare, (go_task, "--list")), program="task"),
        place.peer("ansible-playbook --list-tasks", listed, program="ansible-playbook"),
    )


def completed(line: str, place: Place) -> Sequence[Contestant]:
    """What a TAB after ``line`` asks, beside what it asks in a repository of another runner."""
    folder = place.once("completed", recorded)
    bare = place.once("bare", bare_project)
    asked = (*INV, "completion", "bash", "--candidates", "--", line, line.rpartition(" ")[2])
    ours = place.command(folder, asked)
    assert ours.output(), line
    doit, go_task = map(place.program, ("doit", "task"))
    own = place.command(bare, (*INV, "--complete", "--", "inv "))
    all_tasks = place.command(bare, (go_task, "--list-all", "--silent"))
    return (
        place.peer(OURS, ours, role="stagekit"),
        place.peer(_LISTED, place.command(folder, (*INV, "--list")), role="floor"),
        place.peer("Invoke's own, tasks only", own),
        place.peer("doit, tasks only", place.command(bare, (doit, "list", "-q")), program="doit"),
        place.peer("go-task, tasks only", all_tasks, program="task"),
    )


def up_to_date(count: int, place: Place) -> Sequence[Contestant]:
    """A task of one's own whose ``count`` input files are as they were."""

    def laid(folder: Path) -> Path:
        files = {"tasks.py": _OWN, "dodo.py": _OWN_DODO, "Taskfile.yml": _OWN_TASKFILE}
        for number in range(count):
            text = f"export const file{number} = {number};\n" * 20
            files[f"app/part{number % 50}/file{number}.ts"] = text
        return laid_out(folder, files)

    folder = place.once(f"assets{count}", laid)
    doit, go_task = map(place.program, ("doit", "task"))
    ours = place.command(folder, (*INV, "assets"))
    settle(ours)
    return (
        place.peer(OURS, ours, role="stagekit"),
        place.peer(_LISTED, place.command(folder, (*INV, "--list")), role="floor"),
        place.peer("doit", place.command(folder, (doit, "assets")), program="doit"),
        place.peer("go-task", place.command(folder, (go_task, "assets")), program="task"),
    )


def settle(command: Command) -> None:
    """Do it until there is nothing left to do, or to read again."""
    for _ in range(2):
        command.cancel.wait(_RACY)
        command.seconds()


def laid_out(folder: Path, files: dict[str, str]) -> Path:
    write(folder, files)
    return folder


def recorded(folder: Path) -> Path:
    """Lay out a project with as many builds and releases as there are records."""
    write(folder, _PROJECT)
    ledger = FileLedger(folder / "artifacts")
    for number in range(_RECORDS):
        build = a_build(f"b{number}", created=NOON + timedelta(minutes=number))
        ledger.reserve_build(build).finish(build)
    first = ledger.release_folder("prod", released(ledger).record.id)
    for number in range(2, _RECORDS):
        shutil.copytree(first, first.with_name(f"v{number}"))
    released(ledger)  # the last one, whose record is its own
    return folder


MEASURES = (
    Measure(
        "startup",
        "start: list the tasks",
        startup,
        rounds=_ROUNDS,
        goal=Goal(1.25, BARE_INVOKE),
    ),
    *(
        Measure(
            f"completion-{where}",
            f"TAB after `{line}`, {_RECORDS:,} builds and releases",
            partial(completed, line),
            rounds=_ROUNDS,
            goal=Goal(1.3, _LISTED),
            asked=where != "releases",
        )
        for where, line in _LINES.items()
    ),
    *(
        Measure(
            f"uptodate-{count}",
            f"a task of one's own, {count:,} input files, nothing changed",
            partial(up_to_date, count),
            rounds=_ROUNDS,
            goal=Goal(1.25, _LISTED),
            asked=count > _USUAL,
        )
        for count in (_USUAL, 20_000)
    ),
)
