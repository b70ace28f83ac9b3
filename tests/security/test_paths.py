"""A path that somebody writes leads into the project, or is refused before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w

from stagekit import durable, locks
from stagekit.cli.plan import read_plan
from stagekit.errors import InputError, LedgerError, StagekitError
from stagekit.inputs.environment import load_environment
from stagekit.inputs.files import take_in
from stagekit.inputs.includes import files_read
from stagekit.inputs.project import Project, load_project
from stagekit.inputs.templates import render
from stagekit.ledger.git.address import parse_address
from stagekit.ledger.journal import Journal
from stagekit.paths import expanded

IMPOSSIBLE = {
    "NUL": "a\0b",
    "a name too long": "a" * 300,
    "a path too long": "x/" * 3000,
    "a link to itself": "loop/x",
}
OUTSIDE = {
    "dots": "../secret",
    "more dots": "a/../../secret",
    "absolute": "/etc/passwd",
    "a link": "out/secret",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder; beside it lies what is not the project's, a link of which is in it."""
    root = tmp_path / "project"
    (root / "a").mkdir(parents=True)
    (tmp_path / "secret").write_text("hunter2\n")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("..")
    (root / "Dockerfile").write_text("FROM scratch\n")
    return root


def project(root: Path, settings: dict[str, object]) -> Project:
    (root / "pyproject.toml").write_text(tomli_w.dumps({"tool": {"stagekit": settings}}))
    return load_project(root, {})


def compose(root: Path, document: str) -> None:
    files_read(document, root, variables={}, where="compose.yaml")


def mounted(root: Path, path: str) -> None:
    mount = {"type": "bind", "source": f"./{path}", "target": "/x"}
    take_in({"services": {"web": {"volumes": [mount]}}}, root)


def configured(root: Path, path: str) -> None:
    take_in({"services": {}, "configs": {"c": {"file": path}}}, root)


PLACES: dict[str, Callable[[Path, str], object]] = {
    "template": lambda root, path: project(root, {"template": path}),
    "context": lambda root, path: project(root, {"images": {"web": {"context": path}}}),
    "dockerfile": lambda root, path: project(root, {"images": {"web": {"dockerfile": path}}}),
    "include": lambda root, path: compose(root, f"include: [{quoted(path)}]\n"),
    "extends": lambda root, path: compose(
        root, f"services: {{a: {{extends: {{file: {quoted(path)}, service: b}}}}}}\n"
    ),
    "env_file": lambda root, path: compose(
        root, f"services: {{a: {{env_file: [{quoted(path)}]}}}}\n"
    ),
    "config file": lambda root, path: compose(root, f"configs: {{a: {{file: {quoted(path)}}}}}\n"),
    "secret file": lambda root, path: compose(root, f"secrets: {{a: {{file: {quoted(path)}}}}}\n"),
    "config taken in": configured,
    "mount taken in": mounted,
}


def quoted(path: str) -> str:
    return '"{}"'.format(path.replace("\0", "\\0"))


@pytest.mark.parametrize("path", [*IMPOSSIBLE.values()], ids=[*IMPOSSIBLE])
@pytest.mark.parametrize("place", PLACES)
def test_a_path_that_cannot_be(root: Path, place: str, path: str) -> None:
    """An error with its place, and none as long as the path."""
    with pytest.raises(InputError) as caught:
        PLACES[place](root, path)
    assert caught.value.where
    assert len(caught.value.what) < 300
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("path", [*OUTSIDE.values()], ids=[*OUTSIDE])
@pytest.mark.parametrize("place", [name for name in PLACES if name != "mount taken in"])
def test_a_path_that_leads_outside(root: Path, place: str, path: str) -> None:
    """However it is written, links followed; nothing of the file is told."""
    with pytest.raises(InputError, match=r"outside the project|not a folder") as caught:
        PLACES[place](root, path)
    assert caught.value.where
    assert "hunter2" not in f"{caught.value} {caught.value.output}"


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "out/secret"])
def test_a_mount_that_leads_outside(root: Path, path: str) -> None:
    """What is written from the project's folder has to stay in it."""
    with pytest.raises(InputError, match="outside the project"):
        mounted(root, path)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "out/secret", "a\\0b", "x" * 300])
@pytest.mark.parametrize("how", ["include", "import", "extends"])
def test_a_template_that_reads_elsewhere(root: Path, how: str, path: str) -> None:
    """The loader knows the repository and nothing else."""
    as_name = " as x" if how == "import" else ""
    (root / "compose.yaml.j2").write_text(f"{{% {how} '{path}'{as_name} %}}\n")
    with pytest.raises(InputError) as caught:
        render(root / "compose.yaml.j2", root=root, variables={}, images={}, env="e", project="p")
    assert str(caught.value.where).startswith("compose.yaml.j2")
    assert "hunter2" not in f"{caught.value} {caught.value.output}"


@pytest.mark.parametrize("linked", ["environments", "environments/prod", "config.toml"])
def test_an_environment_that_lies_elsewhere(root: Path, tmp_path: Path, linked: str) -> None:
    """A link in environments/ would bring in what no other machine has."""
    at = root / "environments/prod/config.toml"
    at = at if linked == "config.toml" else root / linked
    there = tmp_path / "there"
    config = {"environments": "prod/config.toml", "environments/prod": "config.toml"}.get(linked)
    target = there / config if config else there
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("[vars]\nA = 1\n")
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(there)
    with pytest.raises(InputError, match="leads out of the project") as caught:
        load_environment(load_project(root, {}), "prod")
    assert caught.value.where == "environments/prod/config.toml"


def test_a_link_in_the_place_of_a_lock(tmp_path: Path) -> None:
    """Records may come from elsewhere: no file outside is emptied by what lies among them."""
    target, link = tmp_path / "precious", tmp_path / "lock"
    target.write_text("precious")
    link.symlink_to(target)
    for write in (
        lambda: locks.try_lock(link),
        lambda: durable.append_line(link, "x"),
        lambda: Journal.create(link, {}),
    ):
        with pytest.raises(LedgerError, match="cannot"):
            write()
    durable.write_file(link, b"new")
    assert target.read_text() == "precious"
    assert not link.is_symlink()


@pytest.mark.parametrize("path", ["/dev/zero", "a\0b", "/", "x" * 300, "/no/such"])
def test_a_plan_that_is_none(path: str) -> None:
    """Not even one without end fills the memory."""
    with pytest.raises(StagekitError) as caught:
        read_plan(path)
    assert caught.value.where == path


def test_an_identity_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, for what a variable names."""
    from stagekit.inputs import age

    for path in ("/dev/zero", "~nobody-here/key", "/", "x" * 300):
        with pytest.raises(InputError) as caught:
            age.identities({age.VARIABLE: path})
        assert caught.value.where == age.VARIABLE


def test_the_folder_of_a_user_that_there_is_not(root: Path) -> None:
    """It is a name like any other."""
    assert expanded("~nobody-here/x") == Path("~nobody-here/x")
    address = parse_address("~nobody-here/x", root, where="it")
    assert address.url == str(root / "~nobody-here/x")
    assert expanded("~/x") == Path.home() / "x"


def test_a_fifo_in_the_place_of_a_file(root: Path) -> None:
    """Nobody writes to it: reading would wait for ever."""
    os.mkfifo(root / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        configured(root, "pipe")
