"""What stagekit promises about itself: its names, its start-up, its words."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stagekit
from stagekit import errors
from stagekit.errors import StagekitError
from stagekit.plugins import spec
from tests.repository import Repository

HEAVY = ["docker", "jinja2", "rich", "yaml", "pluggy", "pyrage", "requests"]

LOADED = f"""
import json, sys
print()
ours = sorted(name for name in sys.modules if name.startswith("stagekit."))
print(json.dumps([name for name in {HEAVY} if name in sys.modules] + ours))
"""
LIST = """
import sys
from invoke.main import program
program.run(["inv", *sys.argv[1:]], exit=False)
"""


def loaded(code: str, cwd: Path, *arguments: str) -> list[str]:
    """The heavy packages, and our modules, that a process has loaded which ran ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", code + LOADED, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names


def test_the_public_names_are_these() -> None:
    """Nothing more is promised, and each of them is there."""
    assert stagekit.__all__ == [
        "StagekitError",
        "__version__",
        "collection",
        "hookimpl",
        "stages",
        "task",
    ]
    for name in stagekit.__all__:
        assert getattr(stagekit, name) is not None
    assert stagekit.StagekitError is StagekitError


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = stagekit.nope


@pytest.fixture(scope="module")
def invokes_own(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What Invoke loads for an empty tasks.py (its own copy of yaml looks for the real one)."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "tasks.py").write_text("from invoke import Collection\nns = Collection()\n")
    return loaded(LIST, folder, "--list")


def test_an_import_loads_nothing_heavy(tmp_path: Path) -> None:
    """``import stagekit`` alone loads none of them, nor any room of its own but the version."""
    assert loaded("import stagekit", tmp_path) == ["stagekit.version"]


@pytest.mark.parametrize("arguments", [["--list"], ["--help", "run"]])
def test_listing_tasks_loads_nothing_heavy(
    repository: Repository, invokes_own: list[str], arguments: list[str]
) -> None:
    """``inv --list`` and ``inv --help TASK`` load the command line and nothing below it that is
    slow: what Invoke loads without stagekit, and rooms that import none of the heavy packages."""
    names = loaded(LIST, repository.root, *arguments)
    ours = {name for name in names if name.startswith("stagekit.")}
    assert set(names) - ours - set(invokes_own) == set()
    known = ("cancel", "cli", "errors", "plugins", "version", "wording")
    light = {f"stagekit.{name}" for name in known}
    ours -= {"stagekit.inputs", "stagekit.inputs.loaded"}  # own tasks keep their modules' text
    assert "stagekit.plugins.spec" not in ours
    assert {".".join(name.split(".")[:2]) for name in ours} <= light
    assert set(HEAVY) & set(invokes_own) <= {"yaml"}


def test_the_check_itself_finds_what_is_loaded(tmp_path: Path) -> None:
    """A probe that finds nothing must be able to find something."""
    assert loaded("import yaml, pluggy", tmp_path) == ["yaml", "pluggy"]


def test_every_task_and_every_option_says_what_it_does(tmp_path: Path) -> None:
    """``inv --help TASK`` is complete for all that ships."""
    namespace = stagekit.collection(root=tmp_path)
    for name in namespace.task_names:
        task = namespace[name]
        assert (task.__doc__ or "").strip(), name
        assert task.__doc__.strip().splitlines()[0].endswith("."), name
        for argument in task.get_arguments():
            assert argument.help, f"{name} --{argument.name}"


def test_every_error_stands_in_the_tree_with_its_exit_code() -> None:
    """The module's docstring is the documentation of exit codes."""
    drawn = {
        name: int(code)
        for name, code in re.findall(r"^\W*([A-Z]\w+) +(\d+)\b", errors.__doc__ or "", re.MULTILINE)
    }
    defined = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, StagekitError)
    }
    assert drawn == defined


def test_the_tree_is_drawn_as_the_classes_descend() -> None:
    """An error is drawn below its base."""
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([ │├└─]*)([A-Z]\w+) +\d", line):
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            if depth:
                assert getattr(errors, found[2]).__bases__ == (getattr(errors, above[depth - 1]),)


HOOKS = {name: hook for name, hook in vars(spec.Hooks).items() if name.startswith("stagekit_")}


def test_there_are_hooks() -> None:
    """The list that the next test walks is not empty."""
    assert len(HOOKS) >= 5


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_and_typed(name: str) -> None:
    """A plugin's author reads one file."""
    hook = HOOKS[name]
    assert (hook.__doc__ or "").strip()
    signature = inspect.signature(hook)
    assert signature.return_annotation is not inspect.Signature.empty
    for argument in list(signature.parameters.values())[1:]:
        assert argument.annotation is not inspect.Parameter.empty
