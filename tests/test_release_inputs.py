"""What a release makes of its environment's variables, from the file to what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from stagekit import stages
from stagekit.cli.app import App
from stagekit.cli.release import new
from stagekit.errors import InputError
from stagekit.events import Noted, Warned
from stagekit.inputs.environment import load_environment
from stagekit.inputs.placeholders import Placeholders
from stagekit.inputs.project import load_project
from stagekit.inputs.usage import Use
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.explain import found_uses
from stagekit.stages.within import within
from stagekit.testing.fakes import Heard
from stagekit.testing.records import a_build
from tests.releasing import KnowingEngine, plan_of, write

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


@pytest.fixture
def without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an image of the build has to be asked."""
    monkeypatch.setattr(App, "engine", KnowingEngine())


def recorded(root: Path) -> None:
    build = a_build("b1")
    FileLedger(root / "artifacts").reserve_build(build).finish(build)


@pytest.mark.usefixtures("without_an_engine")
def test_the_step_after_a_release_that_changes_nothing_gets_its_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is run again hands on what there is to run: GitHub's output is not empty."""
    a_project(tmp_path, "")
    recorded(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for job in ("first", "again"):
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / job))
        assert stages.release(env="prod", build="b1", root=tmp_path).id == "v1"
        assert (tmp_path / job).read_text() == "release=prod/v1\n"


@pytest.mark.usefixtures("without_an_engine")
def test_a_plan_says_that_one_would_be_made_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the release itself would: where nothing changed, too."""
    a_project(tmp_path, "")
    recorded(tmp_path)
    stages.release(env="prod", build="b1", root=tmp_path)
    for force, unchanged in ((False, "prod/v1"), (True, None)):
        with within(tmp_path) as app:
            new.body(app, env="prod", build="b1", force=force, plan=True, json=True)
            assert json.loads(capsys.readouterr().out)["unchanged"] == unchanged
            new.body(app, env="prod", build="b1", force=force, plan=True)
        would = "one that says the same would be made" in capsys.readouterr().err
        assert would == force


@pytest.mark.usefixtures("without_an_engine")
def test_what_the_python_interface_sets_arrives_as_it_is(tmp_path: Path) -> None:
    """A list is gone through item by item, also where nothing below sets one."""
    listed = TEMPLATE + "    command: {{ words | yaml }}\n    environment: {N: {{ n | yaml }}}\n"
    a_project(tmp_path, "[vars]\nn = 1\n", listed)
    recorded(tmp_path)
    stages.release(env="prod", build="b1", set={"words": ("a", "b"), "n": "0.70"}, root=tmp_path)
    [service] = documents((tmp_path / "artifacts/releases/prod/v1/compose.yaml").read_text())
    assert service["command"] == ["a", "b"]
    assert service["environment"] == {"N": "0.70"}


def documents(text: str) -> list[dict[str, object]]:
    """The services of a document."""
    return list(yaml.safe_load(text)["services"].values())


WITH_FILE = TEMPLATE + "    env_file: web.env\n"


def env_of(root: Path) -> object:
    [service] = documents(plan_of(root).files["compose.yaml"].decode())
    return service["environment"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("NOPE\n", 1), ("A=1\n# B\n\n  export NOPE \n", 4), ('A="x\nB\n"\nNOPE', 4), ("NOPE\r\n", 1)],
)
def test_a_name_without_a_value_in_an_env_file_is_told(
    tmp_path: Path, text: str, line: int
) -> None:
    """As it is in `environment`: Compose would leave it out."""
    a_project(tmp_path, "[vars]\nA = 1\n", WITH_FILE, **{"web.env": text})
    with pytest.raises(InputError, match="NOPE has no value, and would be left out") as caught:
        plan_of(tmp_path)
    assert caught.value.where == f"web.env:{line}"


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("A\nB=\n", {"A": "1", "B": ""}),
        ("B: 2\n", {"B": "2"}),
        ('B="x\nNOPE\n"\n', {"B": "x\nNOPE\n"}),
        ('B=\'x\nNOPE\'\nC="a\\"\nNOPE"\n', {"B": "x\nNOPE", "C": 'a"\nNOPE'}),
        ("B\nB=2\n", {"B": "2"}),
    ],
)
def test_what_an_env_file_says_stays(
    tmp_path: Path, text: str, environment: dict[str, str]
) -> None:
    """A name that a variable sets, and a line within quotes."""
    a_project(tmp_path, "[vars]\nA = 1\n", WITH_FILE, **{"web.env": text})
    assert env_of(tmp_path) == environment


@pytest.mark.parametrize(
    "more",
    [
        "    env_file: web.env\n    environment: [NOPE=1]\n",
        "    env_file: [first.env, web.env]\n",
        "  debug: {image: x, profiles: [debug], env_file: web.env}\n",
    ],
)
def test_a_name_that_a_service_gets_from_elsewhere_may_stand_alone(
    tmp_path: Path, more: str
) -> None:
    """As may one of a service that the release has not."""
    files = {"first.env": "NOPE=1\n", "web.env": "NOPE\n"}
    a_project(tmp_path, "", TEMPLATE + more, **files)
    [service] = documents(plan_of(tmp_path).files["compose.yaml"].decode())
    assert service.get("environment") in (None, {"NOPE": "1"})


@pytest.mark.parametrize("instead", ["env_file: !reset []", "env_file: !override [first.env]"])
def test_an_env_file_that_an_overlay_takes_away_is_not_read(tmp_path: Path, instead: str) -> None:
    """Compose reads what the documents come to."""
    files = {"first.env": "A=1\n", "web.env": "NOPE\n"}
    a_project(tmp_path, "", WITH_FILE, **files)
    with pytest.raises(InputError, match="NOPE has no value"):
        plan_of(tmp_path)
    overlay = f"services:\n  web:\n    {instead}\n"
    write(tmp_path, {"environments/prod/compose.yaml": overlay})
    [service] = documents(plan_of(tmp_path).files["compose.yaml"].decode())
    assert service.get("environment") in (None, {"A": "1"})


def test_a_name_without_a_value_is_told_by_the_service_that_extends(tmp_path: Path) -> None:
    """Which may be called otherwise than the one that names the file."""
    template = TEMPLATE + "    extends: {file: base.yaml, service: base}\n"
    other = "  other: {image: x, env_file: other.env}\n"
    base = "services:\n  base: {image: x, env_file: web.env}\n" + other
    files = {"base.yaml": base, "web.env": "A=1\n", "other.env": "NOPE\n"}
    a_project(tmp_path, "", template, **files)
    assert env_of(tmp_path) == {"A": "1"}
    write(tmp_path, {"web.env": "NOPE\n"})
    with pytest.raises(InputError, match="NOPE has no value") as caught:
        plan_of(tmp_path)
    assert caught.value.where == "web.env:1"


def test_an_env_file_that_cannot_be_read_is_for_compose_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose says which one and why; what is looked up in it beforehand ends nothing."""
    a_project(tmp_path, "", WITH_FILE, **{"web.env": "A=1\n"})
    reading = Path.read_text

    def refusing(path: Path, *arguments: str, **settings: str) -> str:
        if path.name == "web.env":
            raise PermissionError(13, "Permission denied", str(path))
        return reading(path, *arguments, **settings)

    monkeypatch.setattr(Path, "read_text", refusing)
    assert env_of(tmp_path) == {"A": "1"}


def test_an_env_file_asks_for_secrets_as_a_template_does(tmp_path: Path) -> None:
    """Also where only a run can tell which there are; one that there is not is set as a secret."""
    a_project(tmp_path, "", WITH_FILE, **{"web.env": "A=${SECRET_KEY}\nB=x$SECRET_KEY\n"})
    assert env_of(tmp_path) == {
        "A": "${STAGEKIT_SECRET_KEY}",
        "B": "x${STAGEKIT_SECRET_KEY}",
    }
    secrets = Placeholders(["OTHER"], where="environments/prod/secrets.toml", env="prod")
    with pytest.raises(InputError, match="no secret KEY in") as caught:
        secrets.refuse_unset("SECRET_KEY", "templates/compose.yaml")
    assert "inv secrets.set KEY --env prod" in str(caught.value.hint)


@pytest.mark.parametrize(("runner", "told"), [("compose", True), ("swarm", False)])
def test_what_compose_leaves_to_swarm_is_no_news_there(
    tmp_path: Path, runner: str, told: bool
) -> None:
    """Compose tells of it whoever runs the document."""
    service = TEMPLATE + "    deploy: {endpoint_mode: dnsrr, update_config: {order: start-first}}\n"
    a_project(tmp_path, f"[stagekit]\nengine = '{runner}'\n", service)
    heard = Heard()
    plan_of(tmp_path, heard=heard)
    assert ("only applies to" in heard.text) is told
