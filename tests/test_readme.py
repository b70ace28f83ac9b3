"""The configuration and the code that the README shows are taken as they stand there."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from stagekit.inputs.environment import load_environment
from stagekit.inputs.fleet import hosts_of
from stagekit.inputs.images import ImageSettings
from stagekit.inputs.project import Project, load_project
from stagekit.inputs.settings import Policy
from stagekit.inputs.templates import render
from stagekit.records import Deploy, ReleaseCommand, Source
from tests.fakes import shipped_plugins

ROOT = Path(__file__).parents[1]


def block(language: str, containing: str, file: str = "README.md") -> str:
    text = (ROOT / file).read_text("utf-8")
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(text for text in blocks if containing in text)


def test_every_setting_of_a_build(tmp_path: Path) -> None:
    """docs/build.md names all there are, and what it shows is read."""
    text = block("toml", "[tool.stagekit]", "docs/build.md")
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "base").mkdir()
    project = load_project(tmp_path, {})
    assert [check.name for check in project.checks] == ["version", "imports"]
    assert project.images["web"].depends == ("base",)
    shown = tomllib.loads(text)["tool"]["stagekit"]
    settings = {field.name for field in msgspec.structs.fields(Project)} - {"root", "templates"}
    assert {"registries" if name == "registry" else name for name in shown} == settings
    fields = msgspec.structs.fields(ImageSettings)
    assert set(shown["images"]["web"]) == {field.name for field in fields}


def test_every_setting_of_an_environment(tmp_path: Path) -> None:
    """docs/release.md, docs/run.md and docs/fleet.md name all there are, the first with their
    defaults, and what they show is read."""
    text = block("toml", "[stagekit]", "docs/release.md")
    steps = block("toml", "[stagekit.release_command]", "docs/run.md")
    fleet = block("toml", "[stagekit.roles]", "docs/fleet.md")
    (tmp_path / "pyproject.toml").write_text('[tool.stagekit]\nname = "shop"\n')
    for name, config in (
        ("staging", "[vars]\nweb.debug = true\n"),
        ("prod", text),
        ("steps", steps),
        ("fleet", fleet),
    ):
        folder = tmp_path / "environments" / name
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(config)
    prod = load_environment(load_project(tmp_path, {}), "prod")
    assert prod.variables.values == {"DEBUG": False, "web": {"port": 8080}}
    assert prod.deploy == Deploy()
    assert prod.policy == Policy(require_clean=False, require_pushed=False, confirm=False)
    settings = {field.name for kind in (Deploy, Policy) for field in msgspec.structs.fields(kind)}
    shown = [tomllib.loads(found)["stagekit"] for found in (text, steps, fleet)]
    assert set().union(*shown) == settings
    deploy = load_environment(load_project(tmp_path, {}), "steps").deploy
    assert deploy.release_command == ReleaseCommand(
        service="web", command=("python", "manage.py", "migrate")
    )
    assert [check.asked_from for check in deploy.checks] == ["here", "worker"]
    assert set(deploy.hooks) == {"before_up", "on_failure"}
    names = ["a.example.com", "b.example.com", "c.example.com"]
    deploy = load_environment(load_project(tmp_path, {}), "fleet").deploy
    assert [host.name for host in hosts_of(deploy)] == names


def test_settings_environment_and_template(tmp_path: Path) -> None:
    """The three files of the README make a document with every value in its place."""
    (tmp_path / "pyproject.toml").write_text(block("toml", "[tool.stagekit]"))
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/compose.yaml.j2").write_text(block("yaml", "IMAGE_WEB"))
    for name, text in (("base", ""), ("prod", block("toml", "[vars]"))):
        folder = tmp_path / "environments" / name
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(text)

    project = load_project(tmp_path, {})
    environment = load_environment(project, "prod")
    rendered = render(
        *project.templates,
        root=project.root,
        variables=environment.variables.values,
        images={"web": "registry.example.com/team/web@sha256:1"},
        env="prod",
        project=project.name,
    )

    assert project.repositories("web") == ("registry.example.com/team/web",)
    assert (environment.deploy.timeout, environment.deploy.settle) == (120, 5)
    assert "PORT: 8080" in rendered.text
    assert rendered.variables["DEBUG"] == "false"
    assert rendered.variables["IMAGE_WEB"] == "registry.example.com/team/web@sha256:1"


def test_plugin() -> None:
    """The README's plugin names a build."""
    code = block("python", "class Numbered").partition("ns = ")[0]
    scope: dict[str, type] = {}
    exec(compile(code, "README.md", "exec"), scope)  # noqa: S102  # the README's own code

    named = shipped_plugins(scope["Numbered"]()).build_id(
        "auto", ci=None, source=Source(commit="0123456789abcdef"), now=datetime.now(UTC), taken=()
    )

    assert named == "build-012345678"
