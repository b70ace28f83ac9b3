"""Which files of a release have to be as they are committed, where an environment asks for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.engine.compose import find_compose
from stagekit.inputs.environment import load_environment
from stagekit.inputs.placeholders import NO_SECRETS
from stagekit.inputs.project import load_project
from stagekit.inputs.source import uncommitted
from stagekit.pipeline.rendering import rendered_model
from stagekit.testing.fakes import Heard
from tests.releasing import facts_of, write

Factory = pytest.TempPathFactory

FILES = {
    ".gitignore": "/artifacts/\n/ignored.env\n",
    "pyproject.toml": "[tool.stagekit]\nname = 'shop'\n[tool.stagekit.images.web]\n",
    "Dockerfile": "FROM scratch\n",
    "app.py": "1",
    "environments/base/config.toml": "",
    "environments/prod/config.toml": "[stagekit]\nrequire_clean = true\n",
    "environments/prod/compose.yaml": "services: {web: {restart: always}}\n",
    "environments/prod/conf.d/a": "a",
    "environments/prod/conf.d/b": "b",
    "templates/compose.yaml.j2": """
include:
- {path: parts/more.yaml, env_file: /dev/null}
services:
  web:
    image: ${IMAGE_WEB}
    env_file: [web.env, {path: linked/linked.env}]
    configs: [nginx]
    volumes: ["./environments/prod/conf.d:/conf.d", "./one.bin:/one.bin"]
{% include 'part.j2' %}
configs: {nginx: {file: nginx.conf}}
""",
    "templates/part.j2": "    labels: {A: a}\n",
    "parts/more.yaml": "services:\n  more: {extends: {file: base.yaml, service: base}}\n",
    "parts/base.yaml": "services:\n  base: {image: 'redis:7'}\n",
    "web.env": "A=1\n",
    "real/real.env": "B=1\n",
    "nginx.conf": "a\n",
    "one.bin": "1",
}


def git(root: Path, *arguments: str) -> None:
    argv = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.test", *arguments]
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    (tmp_path / "linked").symlink_to("real")
    (tmp_path / "real/linked.env").symlink_to("real.env")
    git(tmp_path, "init")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--message", "all")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "pyproject.toml",
        "environments/base/config.toml",
        "environments/prod/config.toml",
        "environments/prod/compose.yaml",
        "environments/prod/conf.d/b",
        "templates/compose.yaml.j2",
        "templates/part.j2",
        "parts/more.yaml",
        "parts/base.yaml",
        "web.env",
        "real/real.env",
        "nginx.conf",
        "one.bin",
    ],
)
def test_whatever_a_release_is_made_of_has_to_be_committed(root: Path, name: str) -> None:
    """Whoever read it: Jinja, Compose, or the release itself; a link stands for what it leads
    to."""
    assert facts_of(root).uncommitted == ()
    (root / name).write_text(FILES[name] + "\n")
    assert facts_of(root).uncommitted == (name,)


def test_a_link_and_what_is_gone_from_a_folder_count_too(root: Path) -> None:
    """Where a link leads is part of what was committed, and so is every file of a folder."""
    (root / "linked").unlink()
    (root / "linked").symlink_to("real/../real")
    (root / "environments/prod/conf.d/a").unlink()
    assert facts_of(root).uncommitted == ("environments/prod/conf.d/a", "linked")


def test_a_file_that_git_ignores_is_not_committed(root: Path) -> None:
    """It would be another one, or none, on the next machine."""
    write(root, {"ignored.env": "C=1\n"})
    text = FILES["templates/compose.yaml.j2"].replace("[web.env", "[ignored.env")
    write(root, {"templates/compose.yaml.j2": text})
    git(root, "commit", "--all", "--message", "ignored")
    assert facts_of(root).uncommitted == ("ignored.env",)
    write(root, {".gitignore": FILES[".gitignore"] + "secrets.*\n"})
    write(root, {"environments/prod/secrets.sops.json": "{}"})
    assert uncommitted(root, [root / "environments"]) == ()
    config = FILES["environments/prod/config.toml"] + 'secret_provider = "env"\n'
    write(root, {"environments/prod/config.toml": config})
    git(root, "commit", "--all", "--message", "secrets, too")
    names = ("environments/prod/secrets.sops.json", "ignored.env")
    assert facts_of(root).uncommitted == names


def test_what_a_release_does_not_read_may_be_anything(root: Path) -> None:
    """The source is the build's, which has its own state."""
    write(root, {"app.py": "2", "other.env": "C=1", "templates/other.j2": ""})
    assert facts_of(root).uncommitted == ()


def test_a_file_of_many_services_is_looked_at_once(root: Path) -> None:
    """Whoever's it is: git is given each path."""
    text = FILES["templates/compose.yaml.j2"].replace(
        "{% include", "  again: {image: 'redis:7', env_file: web.env}\n{% include"
    )
    text = text.replace("{% include 'part.j2' %}\n", "")
    write(root, {"templates/compose.yaml.j2": text})
    project = load_project(root, {})
    rendered = rendered_model(
        project,
        load_environment(project, "prod"),
        [root / "templates/compose.yaml.j2"],
        images={"web": "web:1"},
        secrets=NO_SECRETS,
        compose=find_compose(os.environ, {}),
        emit=Heard(),
        cancel=Cancel(),
    )
    assert [item.path.name for item in rendered.read].count("web.env") == 1


def test_where_it_does_not_count_git_is_not_asked(root: Path) -> None:
    """Most environments take what is there."""
    write(root, {"environments/prod/config.toml": "", "nginx.conf": "b"})
    assert facts_of(root).uncommitted == ()


def test_a_link_out_of_the_repository_hides_nothing(root: Path, tmp_path_factory: Factory) -> None:
    """Where it leads nothing is committed; and all else is still looked at."""
    outside = tmp_path_factory.mktemp("outside") / "pyproject.toml"
    outside.write_text(FILES["pyproject.toml"])
    (root / "pyproject.toml").unlink()
    (root / "pyproject.toml").symlink_to(outside)
    git(root, "commit", "--all", "--message", "link")
    assert facts_of(root).uncommitted == (str(outside),)
    write(root, {"nginx.conf": "b"})
    assert facts_of(root).uncommitted == (str(outside), "nginx.conf")


def test_a_file_may_be_named_by_a_path_that_leads_through_a_link(
    root: Path, tmp_path_factory: Factory
) -> None:
    """It is the one that the link leads to."""
    link = tmp_path_factory.mktemp("outside") / "project"
    link.symlink_to(root)
    text = FILES["templates/compose.yaml.j2"].replace("file: nginx", f"file: {link}/nginx")
    write(root, {"templates/compose.yaml.j2": text})
    git(root, "commit", "--all", "--message", "by a link")
    assert facts_of(root).uncommitted == facts_of(link).uncommitted == ()
    write(root, {"nginx.conf": "b"})
    assert facts_of(root).uncommitted == facts_of(link).uncommitted == ("nginx.conf",)


def test_a_path_is_no_pattern(tmp_path: Path) -> None:
    """Brackets in a name are its own; paths are told from the repository's folder on."""
    project = tmp_path / "project"
    write(project, {"a[1].env": "1", "a1.env": "1"})
    git(tmp_path, "init")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--message", "all")
    write(project, {"a[1].env": "2", "a1.env": "2", "new": "1"})
    files = [project / "a[1].env", project / "new"]
    assert uncommitted(project, [], files) == ("project/a[1].env", "project/new")
