"""The configuration and the code that the README shows are taken as they stand there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from stagekit.builtin.shipped import shipped
from stagekit.inputs.environment import load_environment
from stagekit.inputs.project import load_project
from stagekit.inputs.templates import render
from stagekit.plugins.manager import Plugins
from stagekit.records import Source

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(text for text in blocks if containing in text)


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
        project.template,
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

    named = Plugins((*shipped(), scope["Numbered"]())).build_id(
        "auto", ci=None, source=Source(commit="0123456789abcdef"), now=datetime.now(UTC), taken=()
    )

    assert named == "build-012345678"
