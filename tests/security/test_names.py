"""A name that is accepted stands in paths, argv, references, YAML and TOML as it is."""

from __future__ import annotations

import re
import shlex
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stagekit.errors import InputError
from stagekit.inputs.names import check_name
from stagekit.inputs.project import load_project
from stagekit.inputs.secrets import check_secret_name
from stagekit.ledger.files import FileLedger
from stagekit.ledger.names import checked_name
from tests.hostile import HOSTILE

NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=70), st.from_regex(r"[-\w./:$]+"))
OPTIONS = ["-x", "--rm", "--project-directory=/", "-", "--"]
ELSEWHERE = ["..", ".", "../x", "/x", "a/b", "a\\b", "~", "~root", "a\0b", "x" * 300, "con:x"]
CODE = ["$(id)", "`id`", "a;b", "a b", "a\nb", "{{ x }}", "${X}", "a: b", "*", "&a", "!x", "'", '"']


def stands_as_it_is(name: str) -> None:
    """In none of them does it mean anything else."""
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name)
    assert shlex.split(name) == [name]
    assert Path("/folder", name).parent == Path("/folder")
    assert tomllib.loads(f'x = "{name}"') == {"x": name}
    assert yaml.safe_load(f'"{name}"') == name


@given(NAMES)
@example("a\n")
@example("a-")
def test_a_name_that_is_accepted(name: str) -> None:
    """Of an environment, an image, a project; of a secret; of a record."""
    for check in (
        lambda: check_name(name, "a thing", "it"),
        lambda: check_secret_name(name, "it"),
        lambda: checked_name(name),
    ):
        with suppress(InputError):
            check()
            stands_as_it_is(name)


@pytest.mark.parametrize("name", [*OPTIONS, *ELSEWHERE, *CODE, ""])
def test_a_name_that_is_none(name: str, tmp_path: Path) -> None:
    """An option, a path, or a piece of some language."""
    with pytest.raises(InputError):
        check_name(name, "a thing", "it")
    if len(name) < 100:  # a secret's is only ever a variable's
        with pytest.raises(InputError):
            check_secret_name(name, "it")
    with pytest.raises(InputError):
        checked_name(name)
    ledger = FileLedger(tmp_path)
    for read in (
        lambda: ledger.releases(name),
        lambda: ledger.release("prod", name),
        lambda: ledger.build(name),
        lambda: ledger.run(name, 1),
    ):
        with pytest.raises(InputError):
            read()


@pytest.mark.parametrize("name", [*OPTIONS, *CODE, "a,src=/etc/passwd", "a=b"])
def test_a_variable_that_is_none(name: str, tmp_path: Path) -> None:
    """A build secret's is one field of several (RFC 4180): another would be another source."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.stagekit.images.web.secrets.npm]\nenv = "{escaped}"\n'
    )
    (tmp_path / "Dockerfile").write_text("")
    with pytest.raises(InputError, match="not a variable's name"):
        load_project(tmp_path, {})
