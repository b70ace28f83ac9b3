"""Several Compose files, what environments put over them, and profiles: by Compose's own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagekit.errors import InputError, ReleaseFailed, StagekitError
from stagekit.inputs.document import parse
from tests.releasing import plan_of, write

BASE = {
    "pyproject.toml": '[tool.stagekit]\nname = "shop"\n',
    "environments/prod/config.toml": '[vars]\nWHO = "prod"\n',
    "templates/compose.yaml": (
        "services:\n  web:\n    image: ${IMAGE_WEB}\n    environment: {WHO: '${WHO}', A: '1'}\n"
        "    ports: ['80:80']\n  debug: {image: tools:1, profiles: [debug]}\n"
    ),
}


def services(root: Path, **files: str) -> dict[str, Any]:
    """The sealed services of a project with ``files`` on top; ``__`` stands for ``/``."""
    write(root, {**BASE, **{name.replace("__", "/"): text for name, text in files.items()}})
    found: dict[str, Any] = parse(plan_of(root).files["compose.yaml"])["services"]
    return found


def refused(root: Path, **files: str) -> StagekitError:
    with pytest.raises(StagekitError) as caught:
        services(root, **files)
    return caught.value


def test_an_overlay_is_merged_over_the_template(tmp_path: Path) -> None:
    """Scalars replace, maps merge; `.j2` sees the same variables."""
    overlay = "services:\n  web:\n    environment: {A: {{ WHO | yaml }}}\n    read_only: true\n"
    web = services(tmp_path, **{"environments/prod/compose.yaml.j2": overlay})["web"]
    assert web["environment"] == {"WHO": "prod", "A": "prod"}
    assert web["read_only"] is True


def test_overlays_go_from_base_to_the_environment(tmp_path: Path) -> None:
    """The weakest first; `!reset` and `!override` take away."""
    web = services(
        tmp_path,
        **{
            "environments/base/compose.yaml": "services: {web: {hostname: base, domainname: base}}",
            "environments/prod/compose.yaml": (
                "services:\n  web:\n    hostname: prod\n    ports: !reset []\n"
                "    environment: !override {B: '2'}\n"
            ),
        },
    )["web"]
    assert (web["hostname"], web["domainname"]) == ("prod", "base")
    assert "ports" not in web
    assert web["environment"] == {"B": "2"}


def test_several_templates_are_merged_in_their_order(tmp_path: Path) -> None:
    """The setting is a list; paths in each start at the project's folder."""
    web = services(
        tmp_path,
        **{
            "pyproject.toml": (
                '[tool.stagekit]\nname = "shop"\n'
                'template = ["templates/compose.yaml", "b/b.yaml"]\n'
            ),
            "b/b.yaml": "services: {web: {env_file: b/b.env, hostname: b}}\n",
            "b/b.env": "FROM_FILE='x$y'\n",
        },
    )["web"]
    assert web["hostname"] == "b"
    assert web["environment"] == {"WHO": "prod", "A": "1", "FROM_FILE": "x$$y"}


def test_an_error_names_the_authors_file(tmp_path: Path) -> None:
    """Not a temporary one."""
    error = refused(
        tmp_path, **{"environments/prod/compose.yaml": "services: {web: {prots: ['80:80']}}\n"}
    )
    assert isinstance(error, ReleaseFailed)
    assert "environments/prod/compose.yaml" in error.what
    assert "/tmp" not in f"{error} {error.output}"


def test_a_missing_value_is_named_by_the_overlays_line(tmp_path: Path) -> None:
    """As in a template."""
    error = refused(
        tmp_path, **{"environments/prod/compose.yaml": "services:\n  web:\n    hostname: $X\n"}
    )
    assert error.where == "environments/prod/compose.yaml:3"


def test_a_file_outside_the_project_is_named_with_its_line(tmp_path: Path) -> None:
    """What it holds would be in the release, and differ on the next machine."""
    (tmp_path / "out.env").write_text("A=1\n")
    overlay = "services:\n  web:\n    env_file: ../out.env\n"
    error = refused(tmp_path / "p", **{"environments/prod/compose.yaml": overlay})
    assert "../out.env lies outside the project" in error.what
    assert error.where == "environments/prod/compose.yaml:3, services.web.env_file"


def test_an_environment_has_one_overlay(tmp_path: Path) -> None:
    """Which of two would count is not guessed."""
    overlay = "services: {web: {hostname: x}}\n"
    error = refused(
        tmp_path,
        **{f"environments/prod/{name}": overlay for name in ("compose.yaml", "compose.yaml.j2")},
    )
    assert isinstance(error, InputError)
    assert error.where == "environments/prod"


def test_services_of_a_profile_are_left_out_unless_it_is_active(tmp_path: Path) -> None:
    """The environment says which are; the sealed document has no profile left."""
    assert set(services(tmp_path)) == {"web"}
    config = '[stagekit]\nprofiles = ["debug"]\n[vars]\nWHO = "x"\n'
    found = services(tmp_path, **{"environments/prod/config.toml": config})
    assert set(found) == {"web", "debug"}
    assert "profiles" not in found["debug"]


def test_a_profile_that_no_service_has_is_refused(tmp_path: Path) -> None:
    """Misspelt, it would leave its services out without a word."""
    config = '[stagekit]\nprofiles = ["debgu"]\n[vars]\nWHO = "x"\n'
    error = refused(tmp_path, **{"environments/prod/config.toml": config})
    assert "'debgu'" in error.what
    assert error.where == "environments/prod [stagekit] profiles"


def test_whatever_compose_accepts_is_a_template(tmp_path: Path) -> None:
    """include, extends with files, anchors, merge keys, x- blocks, env_file: as in Compose."""
    found = services(
        tmp_path,
        **{
            "templates/compose.yaml": (
                "include: [parts/more.yaml]\n"
                "x-common: &common\n  restart: always\n  labels: {a: '${WHO}'}\n"
                "services:\n"
                "  web: {<<: *common, image: '${IMAGE_WEB}'}\n"
                "  worker:\n    extends: {file: parts/worker.yaml, service: worker}\n"
                "    image: worker:1\n"
            ),
            "parts/more.yaml": "services: {more: {image: 'more:${WHO}', env_file: more.env}}\n",
            "parts/more.env": "A=1\n",
            "parts/worker.yaml": "services: {worker: {command: [run, '${WHO}'], image: x}}\n",
        },
    )
    assert (found["web"]["restart"], found["web"]["labels"]["a"]) == ("always", "prod")
    assert found["worker"]["command"] == ["run", "prod"]
    assert found["more"]["environment"] == {"A": "1"}
