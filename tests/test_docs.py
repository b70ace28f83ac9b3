"""What the documentation says is so: the reference is what the code says, every block can be read,
and every command that is shown could be typed."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.program import Program
from jinja2 import Environment

import stagekit
from docs.generator import pages, structs
from stagekit.init.pipelines import pipeline
from stagekit.inputs.environment import load_environment
from stagekit.inputs.project import load_project
from tests.pages import BY_NAME, PAGES, ROOT, Block, blocks, commands

SHOWN_AS_IT_IS = {"", "console", "dockerfile", "groovy", "html", "text"}
OWN = {"audit", "bench", "demo", "docs", "fuzz", "pin", "test"}


def test_the_reference_is_what_the_code_says() -> None:
    """Written anew by ``inv docs``."""
    assert pages.stale() == [], "inv docs writes them anew"


def test_a_page_that_is_stale_is_found(tmp_path: Path) -> None:
    """Changed, gone, and one that nobody writes any more."""
    pages.write(tmp_path)
    assert pages.stale(tmp_path) == []
    (tmp_path / "tasks.md").write_text("old")
    (tmp_path / "hooks.md").unlink()
    (tmp_path / "more.md").write_text("more")
    assert pages.stale(tmp_path) == ["hooks.md", "more.md", "tasks.md"]


def test_a_field_that_nothing_is_said_of_is_found() -> None:
    """And a word about one that is not there; what one inherits is said where it is from."""

    class Told(msgspec.Struct):
        """A record.

        Attributes:
            n: its number.
        """

        n: int

    class Silent(Told):
        """A record."""

        more: int

    class Stale(msgspec.Struct):
        """A record.

        Attributes:
            gone: what it had.
        """

    assert "its number" in structs.fields(Told)
    with pytest.raises(ValueError, match="Silent says nothing of `more`"):
        structs.fields(Silent)
    with pytest.raises(ValueError, match=r"Stale has no fields \{'gone'\}"):
        structs.fields(Stale)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Each link leads somewhere, each page stands in the menu, and nothing is fetched for it."""
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    built = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    menu = re.findall(r"[\w/-]+\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    there = [name.removeprefix("docs/") for name in BY_NAME if name.startswith("docs/")]
    assert sorted(menu) == sorted(there)
    fetched = re.compile(r'(?:src|href)="(https?:)?//[^"]+\.(?:js|css|woff2?)')
    assert not any(fetched.search(page.read_text()) for page in tmp_path.rglob("*.html"))


@pytest.mark.parametrize("name", BY_NAME)
def test_every_block_can_be_read(name: str, tmp_path: Path) -> None:
    """In its language; settings by what reads them."""
    for number, block in enumerate(blocks(BY_NAME[name])):
        if block.language == "toml":
            folder = tmp_path / str(number)
            folder.mkdir()
            read_settings(block.text, folder)
        elif block.language == "python":
            ast.parse(block.text)
        elif block.language == "yaml":
            yaml.safe_load(re.sub(r"\{\{.*?\}\}|\$\{\{.*?\}\}", "x", block.text))
            Environment(autoescape=True).parse(re.sub(r"\$\{\{.*?\}\}", "x", block.text))
        elif block.language == "json":
            json.loads(block.text)
        else:
            assert block.language in SHOWN_AS_IT_IS, f"a block of {block.language!r} in {name}"


def read_settings(text: str, folder: Path) -> None:
    """Read a TOML block as what it is: a project's settings, an environment's, or other TOML."""
    document = tomllib.loads(text)
    settings = document.get("tool", {}).get("stagekit")
    if settings is not None:
        (folder / "pyproject.toml").write_text(text)
        for image in settings.get("images", {}).values():
            (folder / image.get("context", ".")).mkdir(parents=True, exist_ok=True)
        load_project(folder, {})
    elif document.keys() & {"stagekit", "vars", "extends", "unset"}:
        (folder / "pyproject.toml").write_text('[tool.stagekit]\nname = "shop"\n')
        parents = document.get("extends", [])
        for env in [parents] if isinstance(parents, str) else parents:
            (folder / "environments" / env).mkdir(parents=True)
            unset = "".join(f"{key} = 1\n" for key in document.get("unset", []))
            (folder / "environments" / env / "config.toml").write_text(f"[vars]\n{unset}")
        (folder / "environments/prod").mkdir(parents=True)
        (folder / "environments/prod/config.toml").write_text(text)
        load_environment(load_project(folder, {}), "prod")


@pytest.mark.parametrize("name", BY_NAME)
def test_every_command_could_be_typed(name: str, tmp_path: Path) -> None:
    """Its task is one, its options are that task's, and what it takes is given."""
    contexts = stagekit.collection(root=tmp_path).to_contexts()
    names = {name for context in contexts for name in (context.name, *context.aliases)} | {"TASK"}
    own = OWN | set(own_tasks(BY_NAME[name]))
    for words in commands(BY_NAME[name]):
        if len(words) == len(["inv", "TASK"]):  # a task's name, in the middle of a sentence
            assert words[1] in names | own or words[1].startswith("-"), words
            continue
        asked = words[1 : words.index("--")] if "--" in words else words[1:]
        task = next((word for word in asked if not word.startswith("-")), "")
        if task in own or (task == "why" and asked[-1] in own) or task.isupper():
            continue
        parser = Parser(initial=Program().initial_context, contexts=contexts)
        try:
            parser.parse_argv(asked)
        except ParseError as error:
            pytest.fail(f"{' '.join(words)}: {error}")


def own_tasks(page: Path) -> Iterator[str]:
    """Yield the tasks that a page's own Python makes."""
    for block in blocks(page):
        if block.language == "python":
            yield from re.findall(r"^def (\w+)\(c\b", block.text, re.MULTILINE)


@pytest.mark.parametrize(
    ("ci", "language"),
    [("gocd", "yaml"), ("github", "yaml"), ("gitlab", "yaml"), ("jenkins", "groovy")],
)
def test_pipelines_are_what_init_writes(ci: str, language: str) -> None:
    """The page of each CI shows the very file."""
    path, text = pipeline(ci, "shop")
    assert Block(language, path, text) in blocks(BY_NAME[f"docs/how-to/ci-{ci}.md"])


def test_every_page_has_a_title() -> None:
    """The first heading is the page's name in the menu of whoever reads it elsewhere."""
    for page in PAGES:
        text = page.read_text("utf-8").removeprefix(pages.WRITTEN)
        assert text.startswith("# "), page
