"""A limit that is no limit is refused where it is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs.environment import load_environment
from stagekit.inputs.project import load_project

NO_LIMITS = ["0", "-1", "nan", "-inf", "inf", "1e300"]
SECONDS = {
    "sbom": "sbom.timeout = {}",
    "sign": "sign.timeout = {}",
    "checks": 'images.app = {{}}\nchecks.well = {{ run = "true", timeout = {} }}',
}


@pytest.mark.parametrize("number", NO_LIMITS)
@pytest.mark.parametrize("setting", SECONDS)
def test_a_time_of_the_projects(tmp_path: Path, setting: str, number: str) -> None:
    """What may run for ever does, some day; what may not run at all is a puzzle."""
    settings = SECONDS[setting].format(number)
    (tmp_path / "pyproject.toml").write_text(f"[tool.stagekit]\n{settings}\n")
    with pytest.raises(InputError, match=r"timeout") as caught:
        load_project(tmp_path, {})
    assert str(caught.value.where).startswith("pyproject.toml:")


@pytest.mark.parametrize("number", ["0", "-1", "-9223372036854775808"])
def test_how_many_at_a_time(tmp_path: Path, number: str) -> None:
    """None would wait for ever."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.stagekit]\njobs = {number}\n")
    with pytest.raises(InputError, match="at least one"):
        load_project(tmp_path, {})


@pytest.mark.parametrize(
    "setting",
    [
        *(f"timeout = {number}" for number in NO_LIMITS),
        *(f"settle = {number}" for number in NO_LIMITS[1:]),
        *(f"lease = {number}" for number in NO_LIMITS),
        *(
            f'release_command = {{ service = "web", command = ["x"], timeout = {number} }}'
            for number in NO_LIMITS
        ),
        *(f'checks = [{{ url = "http://x/", deadline = {number} }}]' for number in NO_LIMITS[1:]),
        *(
            f'checks = [{{ url = "http://x/", status = {number} }}]'
            for number in ("0", "-1", "600")
        ),
        "free_disk = -1",
    ],
)
def test_a_number_of_an_environments(tmp_path: Path, setting: str) -> None:
    """The same for a run's limits; nan is more than nothing by no comparison."""
    config = tmp_path / "environments/prod/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f"[stagekit]\n{setting}\n")
    with pytest.raises(InputError) as caught:
        load_environment(load_project(tmp_path, {}), "prod")
    assert str(caught.value.where).startswith("environments/prod/config.toml:2")
