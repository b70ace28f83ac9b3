"""[tool.stagekit.images] and [tool.stagekit.checks]: read strictly, with every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs.images import in_order
from stagekit.inputs.project import Check, Project, load_project

WEB = "[tool.stagekit.images.web]\n"


def load(root: Path, text: str) -> Project:
    (root / "pyproject.toml").write_text(text, "utf-8")
    return load_project(root, {})


def test_every_setting_of_an_image_is_read(tmp_path: Path) -> None:
    """As it stands in the README."""
    project = load(
        tmp_path,
        "[tool.stagekit.images.base]\n"
        f'{WEB}labels = {{ team = "x" }}\nplatforms = ["linux/amd64", "linux/arm64/v8"]\n'
        'ssh = ["default"]\ndepends = ["base"]\nprovenance = "max"\nsbom = true\n'
        '[tool.stagekit.images.web.secrets]\nnpm = { env = "NPM_TOKEN" }\nkey = { file = "~/k" }\n'
        '[tool.stagekit.images.web.cache]\nfrom = ["type=gha"]\nto = ["type=gha,mode=max"]\n',
    )
    web = project.images["web"]
    assert web.labels == {"team": "x"}
    assert web.platforms == ("linux/amd64", "linux/arm64/v8")
    assert (web.ssh, web.depends, web.provenance, web.sbom) == (
        ("default",),
        ("base",),
        "max",
        True,
    )
    assert (web.secrets["npm"].env, web.secrets["key"].file) == ("NPM_TOKEN", "~/k")
    assert (web.cache.sources, web.cache.to) == (("type=gha",), ("type=gha,mode=max",))


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (f'{WEB}depends = ["base"]', "images.web] depends", "there is no image 'base'"),
        (f'{WEB}depends = ["web"]', "[tool.stagekit.images]", "web → web"),
        (f'{WEB}platforms = ["arm64"]', "images.web] platforms", "'arm64' is not a platform"),
        (f'{WEB}secrets.x = {{ env = "A", file = "b" }}', "secrets.x", "either env or file"),
        (f"{WEB}secrets.x = {{}}", "secrets.x", "either env or file"),
        (f'{WEB}secrets."a,b" = {{ env = "A" }}', "secrets.a,b", "either env or file"),
        (f'{WEB}secrets.x = {{ value = "A" }}', "images.web]", "unknown setting `value`"),
        (f'{WEB}repository = "Web"', "images.web] repository", "'Web' is not a repository"),
        (f'{WEB}provenance = "all"', "images.web]", "provenance"),
        (f'{WEB}cache.form = ["x"]', "images.web]", "unknown setting `form`"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, where: str, what: str) -> None:
    """Where it stands, and what is wrong about it."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert where in str(caught.value.where)
    assert what in caught.value.what


def test_images_are_ordered_by_what_they_depend_on(tmp_path: Path) -> None:
    """Each after those it starts from; a circle is drawn."""
    table = "[tool.stagekit.images.{}]\ndepends = [{}]\n"
    text = table.format("a", '"b"') + table.format("b", '"c"') + table.format("c", "")
    assert in_order(load(tmp_path, text).images) == ("c", "b", "a")
    with pytest.raises(InputError, match="depend on one another: ") as caught:
        load(tmp_path, table.format("a", '"b"') + table.format("b", '"a"'))
    assert "a → b" in caught.value.what or "b → a" in caught.value.what


def test_a_check_is_split_as_a_shell_splits_words(tmp_path: Path) -> None:
    """In its short form and its long one; the image is known where there is one."""
    checks = "[tool.stagekit.checks]\n"
    [short] = load(tmp_path, f"{checks}version = 'app \"a b\" --version'\n{WEB}").checks
    assert short == Check("version", "web", ("app", "a b", "--version"), None, 600.0)
    long = '[tool.stagekit.checks.x]\nrun = ["a"]\nimage = "web"\nentrypoint = ""\ntimeout = 5\n'
    [check] = load(tmp_path, long + WEB).checks
    assert (check.run, check.entrypoint, check.timeout) == (("a",), (), 5.0)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x = { run = '', image = 'web' }", "does not say what to run"),
        ("x = { run = 'a', image = 'nope' }", "there is no image 'nope'"),
        ("x = { run = 'a' }", "does not say in which image"),
        ("x = { run = 'a', img = 'web' }", "unknown setting `img`"),
        ("x = { run = '\"a', image = 'web' }", "no closing quotation"),
        ("x = 3", "run: it should be a string or an array, and is an integer"),
    ],
)
def test_a_wrong_check_is_named(tmp_path: Path, text: str, what: str) -> None:
    """By its table."""
    images = WEB + "[tool.stagekit.images.api]\n"
    with pytest.raises(InputError, match=what) as caught:
        load(tmp_path, f"[tool.stagekit.checks]\n{text}\n{images}")
    assert "[tool.stagekit.checks.x]" in str(caught.value.where)
