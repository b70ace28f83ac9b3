"""What a release makes of its environment's variables, from the file to what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.events import Noted, Warned
from stagekit.inputs.environment import load_environment
from stagekit.inputs.project import load_project
from stagekit.inputs.usage import Use
from stagekit.pipeline.explain import found_uses
from stagekit.testing.fakes import Heard
from tests.releasing import plan_of, write

PROJECT = "[tool.stagekit]\nname = 'shop'\n[tool.stagekit.images.web]\n"
TEMPLATE = "services:\n  web:\n    image: ${IMAGE_WEB}\n"
CHECK = "[[stagekit.checks]]\nurl = '%s'\n"


def a_project(root: Path, config: str, template: str = TEMPLATE, **files: str) -> None:
    """A repository with one environment, ``prod``."""
    write(
        root,
        {
            "pyproject.toml": PROJECT,
            "Dockerfile": "FROM scratch\n",
            "environments/prod/config.toml": config,
            "templates/compose.yaml.j2": template,
            **files,
        },
    )


def said_of_variables(heard: Heard) -> list[str]:
    return [event.text for event in heard.events if isinstance(event, Warned | Noted)]


def test_a_variable_that_an_address_asks_for_is_used(tmp_path: Path) -> None:
    """By a check alone: what is set changes where is asked."""
    config = "[vars]\nPORT = 8000\n" + CHECK % "http://localhost:${PORT}/"
    a_project(tmp_path, config)
    heard = Heard()
    [check] = plan_of(tmp_path, given=["PORT=9000"], heard=heard).release.deploy.checks
    assert check.url == "http://localhost:9000/"
    assert said_of_variables(heard) == []
    project = load_project(tmp_path, {})
    found = found_uses(project, load_environment(project, "prod"))
    where = "environments/prod/config.toml [[stagekit.checks]] url"
    assert Use(("PORT",), where) in found


@pytest.mark.parametrize(
    "name",
    ["{{ KIND }}.yaml", "parts/{{ KIND }}.yaml"],
)
def test_what_was_read_counts_where_the_template_computes_its_name(
    tmp_path: Path, name: str
) -> None:
    """Nothing is said of what changes the document."""
    a_project(
        tmp_path,
        "[vars]\nPORT = 8000\nKIND = 'more'\n",
        f"include: [{{path: {name}, env_file: /dev/null}}]\n{TEMPLATE}",
        **{
            name.replace("{{ KIND }}", "more"): "services: {more: {image: 'redis:7',"
            " environment: {A: '${PORT}'}}}\n"
        },
    )
    heard = Heard()
    document = plan_of(tmp_path, given=["PORT=9000"], heard=heard).files["compose.yaml"]
    assert b'A: "9000"' in document
    assert said_of_variables(heard) == []


VARS = """[vars]
PORT = 8000
hosts = ["a"]
web.port = 1
"""


@pytest.mark.parametrize(
    ("url", "sealed"),
    [
        ("http://localhost:${PORT}/", "http://localhost:8000/"),
        ("http://localhost:$PORT/$$x", "http://localhost:8000/$x"),
        ("http://localhost:${WEB_PORT:-80}/", "http://localhost:80/"),
        ("http://localhost:${PORT:-80}/", "http://localhost:8000/"),
        ("http://${STAGEKIT_ENV}.test/", "http://prod.test/"),
        ("https://[::1]:${PORT}/a?b=${PORT+c}", "https://[::1]:8000/a?b=c"),
    ],
)
def test_an_address_is_filled_in_as_a_template_is(tmp_path: Path, url: str, sealed: str) -> None:
    """By the same names, and in the same forms."""
    a_project(tmp_path, VARS + CHECK % url)
    assert plan_of(tmp_path).release.deploy.checks[0].url == sealed


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://localhost:${web.port}/", r"'\$\{' stands in it"),
        ("http://${web}/", r"\$\{web\} has no value"),
        ("http://${hosts}/", r"\$\{hosts\} has no value"),
        ("http://${NOPE:?}/", r"\$\{NOPE\} has no value"),
        ("http://${PORT:+${NOPE}}/", r"\$\{NOPE\} has no value"),
        ("http://localhost:${SECRET_KEY}/", r"\$\{SECRET_KEY\} has no value"),
        ("http://localhost:99999/", "Port out of range"),
        ("http://localhost:abc/", "no address"),
        ("http://localhost:0/", "port 0"),
        ("http://exa mple/", "' ' stands in it"),
        ("http://[::1/", "Invalid IPv6 URL"),
        ("http://u:pw@localhost/", "no user can be named"),
        ("http:///path", "names no host"),
        ("localhost:8000", "does not start with http"),
    ],
)
def test_an_address_that_could_never_be_asked_is_refused(
    tmp_path: Path, url: str, says: str
) -> None:
    """When it is released, not when a run has replaced what ran."""
    a_project(tmp_path, VARS + CHECK % url)
    with pytest.raises(InputError, match=says) as caught:
        plan_of(tmp_path)
    assert caught.value.where == "environments/prod/config.toml [[stagekit.checks]] url"
    assert caught.value.hint
