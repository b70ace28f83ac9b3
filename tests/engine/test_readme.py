"""The README's commands print what the README shows.

Digests, times and ids differ from run to run and are compared as such. To write the README's blocks
anew from what the commands print: ``STAGEKIT_UPDATE_README=1 pytest tests/engine/test_readme.py``.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repository import Repository

pytestmark = pytest.mark.engine

README = Path(__file__).parents[2] / "README.md"

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_VARYING = (
    (r"sha256:[0-9a-f]{64}", "<digest>"),
    (r"\d{4}\.\d\d\.\d\d-\d\d\.\d\d(-\d+)?", "<id>"),
    (r"\d{4}-\d\d-\d\dT[\d:]+", "<time>"),
    (r"\(\d+\.\d s\)", "(<seconds>)"),
    (r"now|\d+ (s|min|h|d) ago", "<age>"),
    (r"\S+@\S+ +[\d.]+[kMG]?B ", "<actor> <size> "),
    (r"by \S+@[^\s;]+", "by <actor>"),
    (r"commit [0-9a-f]{9}", "commit <commit>"),
    (r"(succeeded +<age> +)\S+", r"\1<commit>"),
    (r"127\.0\.0\.1:5\d{3}/", "<registry>/"),
    (r"unix://\S+", "<engine>"),
    (r"version \S+,", "version <version>,"),
    (r"images to pull: \d", "images to pull: <number>"),
    (r"held for .* s ", "held "),
    (r" +", " "),
)
_PASSED_OVER = ("pull ", "…")


def test_commands_print_what_the_readme_shows(
    hits: Repository, free_port: Callable[[], int]
) -> None:
    """Each console block, run from top to bottom on a fresh copy, prints what stands below it."""
    port = free_port()
    config = hits.read("environments/dev/config.toml").replace(":5000", f":{port}")
    hits.write("environments/dev/config.toml", config)
    text = README.read_text("utf-8")
    ran = _BLOCK.sub(lambda block: f"```console\n{_run(block[1], hits, port)}```", text)
    if os.environ.get("STAGEKIT_UPDATE_README"):
        README.write_text(ran, "utf-8")
    assert _normal(text) == _normal(ran)


def test_every_task_stands_in_the_readme(repository: Repository) -> None:
    """A task that nobody can read about does not exist; nor does a command that is no task."""
    listed = repository.inv("--list", "--list-format=json").json
    names = {task["name"] for task in listed["tasks"]}
    for group in listed["collections"]:
        default = group["default"]
        for task in group["tasks"]:
            names.add(
                group["name"] if task["name"] == default else f"{group['name']}.{task['name']}"
            )

    shown = set(re.findall(r"^\| `inv ([a-z.]+)", README.read_text("utf-8"), re.MULTILINE))

    assert shown == names | {"audit", "bench", "demo", "docs", "fuzz", "test"}


def _run(block: str, hits: Repository, port: int) -> str:
    shown = []
    for line in block.splitlines():
        if line.startswith("$ "):
            shown += ["", line] if shown else [line]
            shown += _output(line[2:], hits, port)
    return "\n".join(shown) + "\n"


def _output(command: str, hits: Repository, port: int) -> list[str]:
    words = shlex.split(command)
    if words[0] == "curl":
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10) as answer:
            return str(answer.read().decode()).splitlines()
    assert words[0] == "inv"
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words[1:]],
        cwd=hits.root,
        env=hits.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    shown = done.stdout.replace(f"{hits.name}-dev", "hits-dev")
    return shown.replace(hits.environ["DOCKER_HOST"], "unix:///var/run/docker.sock").splitlines()


def _normal(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith(_PASSED_OVER):
            normal = line
            for pattern, replacement in _VARYING:
                normal = re.sub(pattern, replacement, normal)
            lines.append(normal.rstrip())
    return "\n".join(lines)


def test_normal_form_keeps_what_matters() -> None:
    """Only what must vary is passed over: another outcome, name or count is seen."""
    assert _normal("run 1: dev/v1 running") != _normal("run 1: dev/v1 failed")
    assert _normal("web  image@sha256:" + "0" * 64) == _normal("web image@sha256:" + "1" * 64)
    assert _normal("seal    dev  dev/v1  (0.0 s)") != _normal("seal    dev  dev/v2  (0.0 s)")
