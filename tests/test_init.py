"""Moving in: what is written, what is said, and what is left alone."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stagekit.cancel import Cancel
from stagekit.cli.init import init
from stagekit.engine.compose import find_compose
from stagekit.errors import InputError, ReleaseFailed
from stagekit.init import layout, nodes
from stagekit.init.found import find
from stagekit.init.plan import Plan, apply, plan
from stagekit.init.secrecy import is_secret
from stagekit.inputs.environment import load_environment
from stagekit.inputs.project import load_project
from stagekit.testing.project import clean_environment
from tests.repository import Repository

SIMPLE = "services:\n  web:\n    image: nginx:1.27  # pinned later\n"


def laid_out(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    return root


def planned(root: Path, *named: str, ci: str = "", force: bool = False) -> Plan:
    return plan(
        root,
        named=named,
        ci=ci,
        force=force,
        compose=lambda: find_compose(os.environ, {}),
        cancel=Cancel(),
    )


def moved(root: Path, *named: str, ci: str = "", force: bool = False) -> Plan:
    decided = planned(root, *named, ci=ci, force=force)
    apply(decided)
    return decided


@pytest.fixture
def bare(tmp_path: Path) -> Repository:
    """A repository with nothing in it, in a folder called shop."""
    (tmp_path / "shop").mkdir()
    return Repository(tmp_path / "shop", "shop", clean_environment())


def test_an_empty_repository(bare: Repository) -> None:
    """All that the first build wants is there, and `inv` has its tasks."""
    bare.stagekit("init")
    project = load_project(bare.root, {})
    assert project.name == "shop"
    assert list(project.images) == ["shop"]
    assert load_environment(project, "dev").variables.values == {"PUBLISH": "127.0.0.1:8080"}
    assert load_environment(project, "prod").policy.protected is False
    assert "/artifacts/" in bare.read(".gitignore")
    assert "release.promote" in bare.inv("--list").stdout


@pytest.mark.parametrize(
    ("there", "left_out"),
    [
        ({}, [".git", ".venv", "**/__pycache__", "tasks.py"]),
        ({"tasks.py": ""}, [".git", ".venv", "**/__pycache__"]),
        (
            {"Dockerfile": "FROM a\nRUN git describe > version\n"},
            [".venv", "**/__pycache__", "tasks.py"],
        ),
        ({"Dockerfile": "FROM a\n", "Dockerfile.dockerignore": "x\n"}, None),
    ],
)
def test_what_makes_needless_builds_is_left_out(
    tmp_path: Path, there: dict[str, str], left_out: list[str] | None
) -> None:
    """Of git's folder each commit would be another image; a Dockerfile that asks git needs it."""
    moved(laid_out(tmp_path, there))
    written = tmp_path / ".dockerignore"
    lines = written.read_text().splitlines()[1:] if written.exists() else None
    assert lines == left_out


def test_what_is_there_already_is_listed_and_what_was_removed_stays_so(bare: Repository) -> None:
    """A second time everything is unchanged; a Dockerfile that is gone does not come back."""
    bare.stagekit("init")
    again = moved(bare.root)
    assert {file.action for file in again.files} == {"same"}
    assert "templates/compose.yaml" in {file.path for file in again.files}
    (bare.root / "Dockerfile").unlink()
    moved(bare.root)
    assert not (bare.root / "Dockerfile").exists()


def test_every_option_says_what_it_does() -> None:
    """``stagekit init --help`` is complete."""
    assert all(argument.help for argument in init.get_arguments())


def test_a_repository_with_dockerfiles(tmp_path: Path) -> None:
    """One below each folder is an image of its own, and the root's alone is the project's."""
    laid_out(tmp_path, {"api/Dockerfile": "FROM busybox:1\n", "web/Dockerfile": "FROM busybox:1\n"})
    moved(tmp_path)
    project = load_project(tmp_path, {})
    assert {name: image.context for name, image in project.images.items()} == {
        "api": "api",
        "web": "web",
    }
    assert not (tmp_path / "Dockerfile").exists()
    assert set(yaml.safe_load((tmp_path / layout.TEMPLATE).read_text())["services"]) == {
        "api",
        "web",
    }


def test_a_compose_file_is_copied_byte_for_byte(tmp_path: Path) -> None:
    """Nothing has to change in it, so nothing does, and it stays where it is."""
    text = f"# Ours.\r\n{SIMPLE}\n\n# The end, without a line break"
    laid_out(tmp_path, {"compose.yml": text})
    decided = moved(tmp_path)
    assert decided.holds
    assert (tmp_path / layout.TEMPLATE).read_bytes() == text.encode()
    assert (tmp_path / "compose.yml").read_bytes() == text.encode()


def test_pyproject_is_appended_to(tmp_path: Path) -> None:
    """No byte of what is there changes, whatever its last line is."""
    before = '[project]\nname = "x"  # odd   spaces\n\n[tool.ruff]\nline-length=100'
    laid_out(tmp_path, {"pyproject.toml": before, "compose.yaml": SIMPLE})
    moved(tmp_path)
    after = (tmp_path / "pyproject.toml").read_text()
    assert after.startswith(before)
    assert tomllib.loads(after)["tool"]["stagekit"]["name"]


@pytest.mark.parametrize("text", ["[project\n", "tool = { ruff = {} }\n"])
def test_a_pyproject_that_nothing_can_be_added_to(tmp_path: Path, text: str) -> None:
    """It is refused before anything is written."""
    laid_out(tmp_path, {"pyproject.toml": text, "compose.yaml": SIMPLE})
    with pytest.raises(InputError) as caught:
        moved(tmp_path)
    assert caught.value.where == "pyproject.toml"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compose.yaml", "pyproject.toml"]


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    """What a person wrote stays, and is said to; --force writes all but tasks.py anew."""
    mine = {
        "tasks.py": "# mine\n",
        "templates/compose.yaml": "services: {other: {image: redis:7}}\n",
        "environments/dev/config.toml": "[vars]\nMINE = 1\n",
        ".gitignore": "*.pyc",
    }
    laid_out(tmp_path, {**mine, "compose.yaml": SIMPLE})
    decided = moved(tmp_path)
    kept = {file.path for file in decided.files if file.action == "keep"}
    assert kept == set(mine) - {".gitignore"}
    assert {path: (tmp_path / path).read_text() for path in kept} == {
        path: mine[path] for path in kept
    }
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n/artifacts/\n"
    [finding] = decided.findings
    assert finding.where == "tasks.py"
    assert "stagekit.collection" in finding.next

    moved(tmp_path, force=True)
    assert (tmp_path / "templates/compose.yaml").read_text() == SIMPLE
    assert (tmp_path / "tasks.py").read_text() == mine["tasks.py"]


def test_a_template_that_is_something_else_is_unexplained(bare: Repository) -> None:
    """Where the old files and the new ones differ and no reason is known, that is said, with 4."""
    bare.write("compose.yaml", SIMPLE)
    bare.stagekit("init")
    bare.write("templates/compose.yaml", SIMPLE + "    hostname: other\n  more: {image: a}\n")
    outcome = bare.stagekit("init", code=4)
    assert re.search(r"web +hostname +WITHOUT A REASON", outcome.stdout)
    assert "differences without a reason" in outcome.stderr
    assert bare.read("templates/compose.yaml").endswith("more: {image: a}\n")


def test_a_plan_writes_nothing(bare: Repository) -> None:
    """--plan says what there would be, and --json says it to programs."""
    bare.write("compose.yaml", SIMPLE)
    bare.write(".env", "UNUSED=1\n")
    shown = json.loads(bare.stagekit("init", "--plan", "--json").stdout)
    assert sorted(path.name for path in bare.root.iterdir()) == [".env", "compose.yaml"]
    assert {"path": "tasks.py", "action": "write", "from": None, "changed": 0} in shown["files"]
    assert shown["holds"] is True
    assert [proof["env"] for proof in shown["proofs"]] == ["dev"]
    assert all(item["why"] for item in shown["proofs"][0]["differences"])


@pytest.mark.parametrize("ci", ["github", "gitlab", "gocd", "jenkins"])
def test_a_pipeline(tmp_path: Path, ci: str) -> None:
    """Each of them builds, releases and runs; YAML is YAML."""
    decided = moved(tmp_path, ci=ci)
    path = decided.files[-1].path
    text = (tmp_path / path).read_text()
    if ci != "jenkins":
        assert yaml.safe_load(text)
    for stage in ("build", "release", "run"):
        assert re.search(rf"inv\W+(?:command\W+|arguments\W+)*{stage}", text), stage


def test_an_unknown_ci(tmp_path: Path) -> None:
    """It is refused with those there are."""
    with pytest.raises(InputError, match="travis") as caught:
        planned(tmp_path, ci="travis")
    assert "jenkins" in (caught.value.hint or "")


def test_files_in_a_folder_of_their_own(tmp_path: Path) -> None:
    """Paths that started there start at the project; every line stays where it was."""
    text = """\
services:
  web:
    build:
      context: ..
      dockerfile: deploy/Dockerfile
    env_file: [web.env]
    volumes:
      - ../src:/src
      - ./nginx.conf:/etc/nginx.conf:ro
    configs: [c]
  api:
    build: ./api
    label_file: labels
    extends: {file: common.yaml, service: base}
configs:
  c: {file: "./c.txt"}
"""
    laid_out(
        tmp_path,
        {
            "deploy/docker-compose.yml": text,
            "deploy/.env": "A=1\n",
            "deploy/web.env": "LEVEL=info\n",
            "deploy/nginx.conf": "events {}\n",
            "deploy/c.txt": "c\n",
            "deploy/labels": "a=b\n",
            "deploy/common.yaml": "services:\n  base:\n    environment: {A: '${A}'}\n",
            "deploy/Dockerfile": "FROM busybox:1\n",
            "deploy/api/Dockerfile": "FROM busybox:1\n",
            "src/a.py": "",
        },
    )
    decided = moved(tmp_path, "deploy/docker-compose.yml")
    assert decided.lost == ()
    assert [item for proof in decided.proofs for item in proof.unexplained] == []
    images = load_project(tmp_path, {}).images
    assert (images["web"].context, images["web"].dockerfile) == (".", "deploy/Dockerfile")
    assert images["api"].context == "deploy/api"
    assert "./deploy/nginx.conf:/etc/nginx.conf:ro" in (tmp_path / layout.TEMPLATE).read_text()


def test_compose_file_of_dot_env(tmp_path: Path) -> None:
    """`COMPOSE_FILE` says which files there are; the project is called as there."""
    env = "COMPOSE_FILE=a.yaml:compose.qa.yaml\nCOMPOSE_PROJECT_NAME=The-Shop\n"
    laid_out(
        tmp_path,
        {
            "compose.yaml": SIMPLE,
            "a.yaml": SIMPLE,
            "compose.qa.yaml": "services: {web: {restart: always}}\n",
            ".env": env,
        },
    )
    decided = moved(tmp_path)
    assert decided.name == "the-shop"
    assert [file.source for file in decided.files if file.source] == ["a.yaml", "compose.qa.yaml"]
    assert (tmp_path / "environments/qa/config.toml").is_file()
    assert [proof.env for proof in decided.proofs] == ["dev", "qa"]


def test_a_dev_file_beside_an_override(tmp_path: Path) -> None:
    """They are two environments: dev, and the one that Compose takes by itself."""
    files = ["compose.yaml", "compose.dev.yaml", "compose.override.yaml"]
    laid_out(tmp_path, dict.fromkeys(files, SIMPLE))
    assert {file.where: file.env for file in find(tmp_path).files} == {
        "compose.yaml": None,
        "compose.dev.yaml": "dev",
        "compose.override.yaml": "local",
    }


@pytest.mark.parametrize(
    ("named", "what"),
    [("nope.yaml", "there is no nope.yaml"), ("../x.yaml", "outside"), ("a.yaml,b", "there is no")],
)
def test_a_file_that_is_none_of_ours(tmp_path: Path, named: str, what: str) -> None:
    """--from names files of the project."""
    root = tmp_path / "shop"
    laid_out(tmp_path, {"x.yaml": SIMPLE, "shop/a.yaml": SIMPLE})
    with pytest.raises(InputError, match=what):
        planned(root, *named.split(","))


def test_a_file_beside_that_does_not_go_with_the_others(tmp_path: Path) -> None:
    """It was never meant to: the others move in, and of it that is said."""
    alone = "services: {web: {network_mode: host, networks: [a]}}\nnetworks: {a: {}}\n"
    laid_out(tmp_path, {"compose.yaml": SIMPLE, "compose.test.yaml": alone})
    decided = moved(tmp_path)
    [finding] = decided.lost
    assert finding.where == "compose.test.yaml"
    assert "--from" in finding.next
    assert (tmp_path / layout.TEMPLATE).read_text() == SIMPLE
    assert not (tmp_path / "environments/test").exists()


def test_volumes_that_are_empty_at_first(tmp_path: Path) -> None:
    """Data is not to be missed only once it is."""
    root = tmp_path / "shop"
    text = SIMPLE + "    volumes: ['db:/db', 'own:/own']\nvolumes:\n  db:\n  own: {name: mine}\n"
    laid_out(root, {"compose.yaml": text})
    [finding] = planned(root).findings
    assert finding.where == "compose.yaml:6"
    assert "shop_db stays as it is" in finding.what


def test_two_files_of_one_environment(tmp_path: Path) -> None:
    """Which of the two is meant is not ours to say."""
    files = ["compose.yaml", "compose.prod.yaml", "docker-compose.production.yml"]
    laid_out(tmp_path, dict.fromkeys(files, SIMPLE))
    with pytest.raises(InputError, match="are both of prod"):
        planned(tmp_path)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("services: [", InputError),
        ("services:\n  web: {image: a, nonsense: 1}\n", ReleaseFailed),
        ("services: &a {web: *a}\n", InputError),
        ("", ReleaseFailed),
    ],
)
def test_files_that_compose_refuses(tmp_path: Path, text: str, error: type[Exception]) -> None:
    """They are wrong as they are: that is said, and nothing is written."""
    laid_out(tmp_path, {"compose.yaml": text})
    with pytest.raises(error):
        planned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["compose.yaml"]


def test_secrets_are_pointed_out_by_line_and_never_told(bare: Repository) -> None:
    """In .env, an env_file, the file itself and an address; no value is shown or written."""
    bare.write(
        "compose.yaml",
        "services:\n"
        "  web:\n"
        "    image: nginx:1.27\n"
        "    env_file: web.env\n"
        "    environment:\n"
        "      DB: postgres://app:${DB_PASSWORD}@db/app\n"
        "      LITERAL_TOKEN: hunter2-literal\n"
        "      DEFAULTED_TOKEN: ${DEFAULTED_TOKEN:-hunter2-default}\n",
    )
    bare.write(".env", "DB_PASSWORD=hunter2-env\n")
    bare.write("web.env", "A=1\nMAIL=smtp://me:hunter2-mail@mx/\nCOPY=x${DB_PASSWORD}x\n")
    outcome = bare.stagekit("init")
    for place in ("compose.yaml:6", "compose.yaml:7", "compose.yaml:8", "web.env:2", "web.env:3"):
        assert f"{place}: " in outcome.stdout
    assert "inv secrets.set DB_PASSWORD --env dev" in outcome.stdout
    assert "hunter2" not in outcome.text
    for path in ("environments/dev/config.toml", "pyproject.toml"):
        assert "hunter2" not in bare.read(path)
    template = bare.read("templates/compose.yaml")
    assert "hunter2-env" not in template
    assert "hunter2-mail" not in template


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("POSTGRES_PASSWORD", "x", True),
        ("API_KEY", None, True),
        ("apiToken", "abc", True),
        ("DB_PASS", "abc", True),
        ("DATABASE_URL", "postgres://a:b@c/d", True),
        ("DATABASE_URL", "postgres://db/d", False),
        ("PASSWORD_FILE", "/run/secrets/x", False),
        ("TOKEN_TTL", "3600", False),
        ("USE_TOKENS", "true", False),
        ("MONKEY", "banana", False),
        ("KEYBOARD", "de", False),
        ("PWD", "/srv", False),
        ("LEVEL", "info", False),
    ],
)
def test_what_looks_like_a_secret(name: str, value: str | None, secret: bool) -> None:
    """By its name or by what it is; not by a word that only looks alike."""
    assert is_secret(name, value) is secret


VALUES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@given(
    st.dictionaries(
        st.text(st.sampled_from("abcXYZ_019-. ")).filter(bool),
        VALUES | st.booleans() | st.integers(0, 2**40) | st.lists(VALUES, max_size=3),
        max_size=5,
    )
)
def test_settings_read_back(table: dict[str, object]) -> None:
    """Whatever an image's table holds, TOML's own reader finds it again."""
    text = layout.settings("", "shop", {"web": table}, [])
    assert tomllib.loads(text)["tool"]["stagekit"]["images"]["web"] == table


def test_an_item_goes_with_its_line_and_no_other() -> None:
    """What stands beside and between stays, comments too."""
    text = "a:\n  - one   # first\n  # between\n  - two\n  - {b: 1,\n     c: 2}\nd: [p, q, r]\n"
    top = nodes.parsed(text, "a")
    held = nodes.own(top, "a")
    flow = nodes.own(top, "d")
    assert held
    assert flow
    assert isinstance(held.value, yaml.SequenceNode)
    assert isinstance(flow.value, yaml.SequenceNode)
    gone = [nodes.item_removed(text, held.value, held.value.value[at]) for at in (0, 2)]
    gone += [nodes.item_removed(text, flow.value, flow.value.value[at]) for at in (0, 2)]
    left = nodes.edited(text, [edit for edit in gone if edit])
    assert left == "a:\n  # between\n  - two\nd: [q]\n"
