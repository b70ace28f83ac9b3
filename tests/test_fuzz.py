"""Whatever stands in a file, the answer is a value or an error of ours that says where: never a
traceback, and always within a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from stagekit.envelope import decode, encode
from stagekit.errors import LedgerError, StagekitError
from stagekit.inputs.environment import load_environment
from stagekit.inputs.extending import NotifySettings, PluginSettings, SbomSettings, SignSettings
from stagekit.inputs.images import CacheSettings, ImageSettings, SecretSettings
from stagekit.inputs.project import CheckSettings, ProjectSettings, load_project
from stagekit.inputs.secrets import read_secrets
from stagekit.inputs.settings import Policy
from stagekit.inputs.templates import render
from stagekit.records import Build, Deploy, HttpCheck, Release, ReleaseCommand, Run
from stagekit.testing import a_build, a_release, a_run
from tests.hostile import HOSTILE

STRUCTS = (
    *(ProjectSettings, ImageSettings, SecretSettings, CacheSettings, CheckSettings),
    *(PluginSettings, NotifySettings, SbomSettings, SignSettings),
)
SETTINGS = sorted({name for struct in STRUCTS for name in struct.__struct_encode_fields__})
OF_ENVIRONMENTS = sorted(
    {
        name
        for struct in (Deploy, Policy, HttpCheck, ReleaseCommand)
        for name in struct.__struct_encode_fields__
    }
)

TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.sampled_from(["web", "auto"]))
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=True))
SCALARS = st.one_of(TEXT, NUMBERS, st.booleans(), st.datetimes(), st.dates(), st.times())


def tables(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables of anything TOML can say, some of their keys ones that mean something."""
    keys = st.one_of(names, TEXT)
    values = st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=12,
    )
    return st.dictionaries(keys, values, max_size=6)


def answers(work: Callable[[], object]) -> None:
    """Do it: a value, or an error that says what and where."""
    told: tuple[str | None, ...] = ("a value",)
    try:
        work()
    except StagekitError as error:
        told = (error.what, error.where)
    assert all(told)


@given(tables(st.sampled_from(SETTINGS)))
def test_settings_of_a_project(table: dict[str, Any]) -> None:
    """Of any type and name, as deep as one likes."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_bytes(dumped({"tool": {"stagekit": table}}))
        answers(lambda: load_project(Path(folder), {}))


@given(tables(st.sampled_from(OF_ENVIRONMENTS)), tables(TEXT), st.lists(TEXT, max_size=3), TEXT)
def test_an_environment(
    how: dict[str, Any], variables: dict[str, Any], unset: list[str], extends: str
) -> None:
    """Settings, variables, parents and what is taken away."""
    document = {"stagekit": how, "vars": variables, "unset": unset, "extends": extends}
    with TemporaryDirectory() as folder:
        config = Path(folder) / "environments/prod/config.toml"
        config.parent.mkdir(parents=True)
        config.write_bytes(dumped(document))
        project = load_project(Path(folder), {})
        answers(lambda: load_environment(project, "prod"))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_toml(data: bytes) -> None:
    """Not UTF-8, with NULs, cut: in the project's settings, an environment and its secrets."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for path in ("environments/prod/config.toml", "environments/prod/secrets.toml"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        answers(lambda: load_environment(load_project(root, {}), "prod"))
        answers(lambda: read_secrets(root / "environments/prod/secrets.toml", "secrets.toml"))
        (root / "pyproject.toml").write_bytes(data)
        answers(lambda: load_project(root, {}))


PIECES = st.sampled_from(
    [
        *("{{", "}}", "{%", "%}", "{#", "#}", "for", "in", "if", "endfor", "x", "web.port", "|"),
        *("yaml", "quote", "env", "include", "'../../etc/passwd'", "range(10**9)", "~", "*", "("),
        *(")", "[", "]", "''.__class__", "lipsum", "self", "cycler", "${X}", "${web}", "${", "$$"),
        *("services:\n", "  web:\n", "    image: ", "\n", " ", '"', "'", "&a ", "*a", "<<: ", "- "),
        *("set x = 'a' * 10**8", "macro m()", "m()", "endmacro", "import 'x' as y", "extends 'x'"),
    ]
)


@settings(max_examples=150)
@given(st.lists(st.one_of(PIECES, TEXT), max_size=14).map("".join), st.sampled_from(["", ".j2"]))
def test_a_template(text: str, suffix: str) -> None:
    """Whatever is written in it: rendered, or told with its line."""
    with TemporaryDirectory() as folder:
        template = Path(folder) / f"compose.yaml{suffix}"
        template.write_text(text, "utf-8", errors="replace")
        answers(
            lambda: render(
                template,
                root=Path(folder),
                variables={"web": {"port": 8080}, "x": "y"},
                images={"app": "app@sha256:00"},
                env="prod",
                project="shop",
            )
        )


RECORDS = {Build: encode(a_build()), Release: encode(a_release(id="v1")), Run: encode(a_run())}


@given(
    st.sampled_from([*RECORDS]),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4)), min_size=1, max_size=3),
)
def test_a_damaged_record(kind: Any, changes: list[tuple[int, bytes]]) -> None:
    """Changed anywhere, it is told; what is read is what was written."""
    whole = RECORDS[kind]
    data = whole
    for at, patch in changes:
        data = data[:at] + patch + data[at + len(patch) :]
    answers(lambda: decode(kind, data, where="the record"))
    with suppress(LedgerError):
        assert decode(kind, data, where="the record").record == decode(kind, whole, where="").record


@given(tables(st.sampled_from([*Release.__struct_encode_fields__])))
def test_a_record_that_somebody_wrote(table: dict[str, Any]) -> None:
    """With a digest that fits, and anything in it."""
    from stagekit import digest

    body = dumped(table)
    data = f'schema = 1\ndigest = "{digest.of_bytes(body)}"\n'.encode() + body
    with pytest.raises(LedgerError, match=r"not a record|written"):
        decode(Release, data, where="the record")


def dumped(table: dict[str, Any]) -> bytes:
    """Write a table as TOML; what UTF-8 cannot say is left out."""
    return re.sub(r"[\ud800-\udfff]", "", tomli_w.dumps(table)).encode()
