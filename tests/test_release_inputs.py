"""What a release makes of its environment's variables, from the file to what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

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
