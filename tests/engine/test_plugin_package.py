"""A plugin package that implements every hook, installed by pip into an environment of its own, and
taken the whole way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stagekit.plugins import spec
from stagekit.testing.project import Outcome
from tests.repository import Repository

pytestmark = pytest.mark.engine

PLUGIN = Path(__file__).parents[1] / "plugin"
_PROGRAMS = Path(sys.executable).parent
TEMPLATE = """\
services:
  web:
    image: ${IMAGE_APP}
    environment:
      GREETING: {{ GREETING | loud | yaml }}
      PROBED: {{ PROBED | yaml }}
      ANSWER: "{{ answer }}"
      SHORT: "{{ 'ab' is short }}"
"""


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with this stagekit and the plugin, which pip put there."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    python = folder / "bin/python"
    paths = [sysconfig.get_path("purelib"), str(Path(spec.__file__).parents[2])]
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "tests.pth").write_text("\n".join(paths) + "\n")
    source = folder / "source"  # setuptools builds in the folder that it is given
    shutil.copytree(PLUGIN, source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", source]
    subprocess.run(pip, check=True, timeout=180)
    return python


@dataclass
class Shop:
    """A repository whose commands run in that environment, and what the plugin was told."""

    repository: Repository
    python: Path
    log: Path

    def attempt(self, *arguments: str, **environ: str) -> Outcome:
        done = subprocess.run(
            [self.python, "-m", "invoke", *arguments],
            cwd=self.repository.root,
            env={
                **self.repository.environ,
                "PATH": f"{_PROGRAMS}:{self.repository.environ['PATH']}",  # Compose is there
                "PROBE_LOG": str(self.log),
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def inv(self, *arguments: str, **environ: str) -> Outcome:
        outcome = self.attempt(*arguments, **environ)
        assert outcome.code == 0, outcome.text
        return outcome

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def about(self, hook: str) -> list[dict[str, Any]]:
        return [call for call in self.told() if call["hook"] == hook]


@pytest.fixture
def shop(deployed: Repository, python: Path, tmp_path: Path) -> Shop:
    deployed.write("templates/compose.yaml.j2", TEMPLATE)
    return Shop(deployed, python, tmp_path / "told.jsonl")


def test_every_hook_is_asked_on_the_whole_way(shop: Shop) -> None:
    """Build, release, run, notes and doctor; what it gives is in what comes out."""
    assert "probe" in shop.inv("--list").stdout
    assert not shop.log.exists()  # nothing but its tasks was loaded
    assert shop.inv("probe").stdout == "probed\n"
    shop.inv("build")
    shop.inv("build")  # nothing has changed
    shop.inv("release", "--env", "prod")
    shop.inv("release", "--env", "prod")
    shop.inv("run", "--env", "prod")
    shop.inv("doctor")
    notes = shop.inv("release.notes", "prod/v1").stdout
    broken = shop.repository.read("app/Dockerfile") + "RUN false\n"
    shop.repository.write("app/Dockerfile", broken)
    assert shop.attempt("build").code == 3
    assert shop.attempt("release", "--env", "prod", "--build", "none").code != 0
    shop.repository.write("templates/compose.yaml.j2", "services: {{")
    shop.attempt("release", "--env", "prod", "--build", shop.about("built")[0]["build"])
    shop.attempt("release.list", "--env", "prod", STAGEKIT_LEDGER="nowhere.git")

    asked = {call["hook"] for call in shop.told()}
    every = {name.removeprefix("stagekit_") for name in vars(spec.Hooks) if "stagekit_" in name}
    assert every - asked == {"tasks"}
    assert notes.endswith("## Probed\n\n- by the plugin\n")
    steps = [call["step"] for call in shop.about("before_step")]
    assert steps == ["up", "settle", "prove"]
    assert shop.about("ran")[0]["outcome"] == "running"
    document = shop.repository.read("artifacts/releases/prod/v1/compose.yaml")
    for text in ('"from the plugin!"', '"by the plugin"', '"42"', '"true"'):
        assert text in document
    variables = shop.repository.read("artifacts/releases/prod/v1/variables.toml")
    assert 'origin = "plugin probe"' in variables


@pytest.mark.parametrize(
    ("hook", "task", "code"),
    [
        ("before_build", ("build",), 2),
        ("before_release", ("release", "--env", "prod"), 2),
        ("verify_release", ("run", "--env", "prod"), 2),
        ("before_run", ("run", "--env", "prod"), 2),
        ("before_step", ("run", "--env", "prod"), 5),
        ("variables", ("release", "--env", "prod"), 2),
    ],
)
def test_what_is_raised_before_stops_it(
    shop: Shop, hook: str, task: tuple[str, ...], code: int
) -> None:
    """It names the plugin and the hook, and nothing is done."""
    if task[0] != "build":
        shop.inv("build")
    if task[0] == "run":
        shop.inv("release", "--env", "prod")
    failed = shop.attempt(*task, PROBE_RAISES=hook)
    assert failed.code == code, failed.text
    assert f"plugin probe failed in stagekit_{hook}" in failed.stderr
    assert "plugins.disable" in failed.stderr
    assert not shop.attempt("run.status", "--env", "prod", "--json").json


@pytest.mark.parametrize(
    ("hook", "task"),
    [("built", "build"), ("released", "release"), ("after_step", "run"), ("ran", "run")],
)
def test_what_is_raised_after_is_told_and_recorded(shop: Shop, hook: str, task: str) -> None:
    """The stage went well all the same."""
    for stage in ("build", "release", "run"):
        words = (stage,) if stage == "build" else (stage, "--env", "prod")
        said = shop.inv(*words, **({"PROBE_RAISES": hook} if stage == task else {})).stderr
        if stage == task:
            assert f"plugin probe failed in stagekit_{hook}" in said
            break
    if hook == "after_step":
        record = shop.inv("run.show", "prod/1", "--json").json
        assert "plugin probe failed in stagekit_after_step" in record["warnings"][0]
    else:
        kept = shop.repository.read("artifacts/warnings.log")
        assert f"plugin probe failed in stagekit_{hook}: ValueError" in kept


def test_what_a_plugin_finds_wrong_fails_the_run(shop: Shop) -> None:
    """As a page that does not answer would."""
    shop.inv("build")
    shop.inv("release", "--env", "prod")
    failed = shop.attempt("run", "--env", "prod", PROBE_WRONG="the queue is full")
    assert failed.code == 8
    assert "the queue is full" in failed.stderr
    assert shop.about("ran")[0]["outcome"] == "failed"


def test_what_a_plugin_finds_wrong_refuses_the_release(shop: Shop) -> None:
    """It sees the document as it would be sealed."""
    shop.inv("build")
    refused = shop.attempt("release", "--env", "prod", PROBE_REFUSES="no owner is named")
    assert (refused.code, "no owner is named" in refused.stderr) == (4, True), refused.text
    assert shop.about("check_release") == [{"hook": "check_release", "env": "prod", "images": 1}]
    assert shop.inv("release.list", "--env", "prod", "--json").json == []


def test_plugins_are_listed_and_left_out(shop: Shop) -> None:
    """With origin, version and hooks; disabled by name, or all of them."""
    listed = {item["name"]: item for item in shop.inv("plugins", "--json").json}
    assert listed["probe"]["origin"] == "package stagekit-probe"
    assert listed["probe"]["version"] == "1.2.3"
    assert "stagekit_built" in listed["probe"]["hooks"]
    assert listed["classic"]["origin"] == "stagekit"
    settings = shop.repository.read("pyproject.toml")
    disabled = settings.replace(
        "[tool.stagekit]\n", '[tool.stagekit]\nplugins.disable = ["probe"]\n'
    )
    shop.repository.write("pyproject.toml", disabled)
    assert "probe" not in {item["name"] for item in shop.inv("plugins", "--json").json}
    shop.repository.write("pyproject.toml", settings)
    without = shop.inv("plugins", "--json", STAGEKIT_NO_PLUGINS="1").json
    assert {item["origin"] for item in without} == {"stagekit"}
    assert "probe" not in shop.inv("--list", STAGEKIT_NO_PLUGINS="1").stdout
