"""What breaks between a value and a container in other tools: refused here, or harmless."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose, find_compose
from stagekit.engine.documents import Document
from stagekit.errors import InputError, ReleaseFailed, StagekitError
from stagekit.inputs.document import parse
from stagekit.inputs.seal import model_of
from tests.composes import compose_of
from tests.releasing import plan_of, write

LONG = "x" * 200_000


def web(root: Path, service: str, *, plain: bool = False, more: str = "", **variables: Any) -> Any:
    """The sealed service ``web`` of a template with these lines in it."""
    write(
        root,
        {
            "pyproject.toml": '[tool.stagekit]\nname = "shop"\n',
            "environments/prod/config.toml": "[vars]\n"
            + "".join(f"{name} = {json.dumps(value)}\n" for name, value in variables.items()),
            f"templates/compose.yaml{'' if plain else '.j2'}": (
                f"services:\n  web:\n    image: web:1\n    {service}\n{more}"
            ),
        },
    )
    return parse(plan_of(root).files["compose.yaml"])["services"]["web"]


def refused(root: Path, service: str, **more: Any) -> StagekitError:
    with pytest.raises((InputError, ReleaseFailed)) as caught:
        web(root, service, **more)
    return caught.value


def test_keys_of_maps_are_not_filled_in_and_list_items_are(tmp_path: Path) -> None:
    """The two forms differ, in Compose: each arrives as Compose means it."""
    assert web(tmp_path, "environment: {K$X: a}", X="x")["environment"] == {"K$X": "a"}
    assert web(tmp_path, "environment: ['K$X=a']", X="x")["environment"] == {"Kx": "a"}


@pytest.mark.parametrize(
    "more", ["x-a: ${X:?must}\n", "  off: {image: x, profiles: [off], command: '${X:?must}'}\n"]
)
def test_what_must_be_there_must_be_there_everywhere(tmp_path: Path, more: str) -> None:
    """In blocks that nobody uses as well, as Compose has it; said by file and line."""
    error = refused(tmp_path, "hostname: a", more=more)
    assert error.what == "${X} has no value"
    assert error.where == "templates/compose.yaml.j2:5"


@pytest.mark.parametrize(
    "written", ["environment: ['DEBUG=${DEBUG}']", "environment: {DEBUG: '${DEBUG}'}"]
)
def test_a_variable_without_a_value_is_no_empty_text(tmp_path: Path, written: str) -> None:
    """With an empty one, the application's own default would never apply."""
    assert refused(tmp_path, written).what == "${DEBUG} has no value"


def test_a_variable_that_is_only_named_is_not_the_shells(tmp_path: Path) -> None:
    """`- HOME` would be that of whoever runs the release."""
    assert "HOME has no value" in refused(tmp_path, "environment: [HOME]").what


def test_a_volume_of_one_letter_is_no_drive(tmp_path: Path) -> None:
    """`d:/x` is one, for Compose: refused, with the way out."""
    error = refused(tmp_path, "volumes: ['d:/x']", more="volumes: {d: {}}\n")
    assert error.where == "services.web.volumes"
    long = "volumes: [{type: volume, source: d, target: /x}]"
    assert web(tmp_path, long, more="volumes: {d: {}}\n")["volumes"][0]["source"] == "d"


@pytest.mark.parametrize(
    "image", ["app:2011-04-06-20:32:17", "app@sha256:12", "app@sha256:" + "G" * 64, "App:1"]
)
def test_an_image_that_docker_would_refuse_is_refused(tmp_path: Path, image: str) -> None:
    """Compose's config accepts each of them."""
    assert refused(tmp_path, f"labels: {{}}\n  other: {{image: '{image}'}}").where is not None


@pytest.mark.parametrize(
    "written", ["environment: {A: {{ LONG | yaml }}}", "command: ['sh', {{ LONG | yaml }}]"]
)
def test_what_is_too_long_to_start_is_refused(tmp_path: Path, written: str) -> None:
    """`up` would end well, and the container die."""
    assert "more than the 128 KiB" in refused(tmp_path, written, LONG=LONG).what


def test_a_config_may_be_longer_than_a_variable(tmp_path: Path) -> None:
    """By Jinja; `${}` has to pass through a variable, and says so."""
    config = "configs: {c: {content: %s}}\n"
    web(tmp_path, "configs: [c]", more=config % "{{ LONG | yaml }}", LONG=LONG)
    error = refused(tmp_path, "configs: [c]", more=config % "'${LONG}'", LONG=LONG)
    assert "too long for ${LONG}" in error.what
    assert error.hint == "write {{ LONG | yaml }} in a template that ends with .j2"


def test_a_nul_is_refused(tmp_path: Path) -> None:
    """It would fail at the container's start only."""
    assert "NUL" in refused(tmp_path, r'environment: {A: "a\0b"}', plain=True).what


@pytest.mark.parametrize("mode", ["0440", "0o440", "288", '"0440"'])
def test_a_mode_is_the_one_that_was_written(tmp_path: Path, mode: str) -> None:
    """Sealed as a number, which every version of Compose reads alike."""
    service = f"configs: [{{source: c, mode: {mode}}}]"
    assert web(tmp_path, service, more="configs: {c: {content: x}}\n")["configs"][0]["mode"] == 288


def test_an_older_compose_is_not_given_a_quoted_mode(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """2.26 makes 0670 of it."""
    web(tmp_path, 'configs: [{source: c, mode: "0440"}]', more="configs: {c: {content: x}}\n")
    older = compose_of("2.26", tmp_path_factory.mktemp("older"))
    with pytest.raises(InputError, match="quoted mode"):
        plan_of(tmp_path, compose=older)


def test_dates_and_floats_of_toml_are_what_they_say(tmp_path: Path) -> None:
    """A date is refused before it becomes a timestamp; 1e8 in TOML is a float, and Python's."""
    config = tmp_path / "environments/prod/config.toml"
    web(tmp_path, "hostname: a")
    config.write_text("[vars]\nDAY = 2011-04-06\n")
    with pytest.raises(InputError, match="DAY is a date"):
        plan_of(tmp_path)
    assert web(tmp_path, "labels: {a: {{ A | yaml }}}", A="2024.10")["labels"]["a"] == "2024.10"


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,5}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(max_examples=12)
@given(st.lists(TEXTS, min_size=80, max_size=80), st.dictionaries(NAMES, TEXTS, max_size=20))
def test_any_text_is_sealed_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], labels: dict[str, str]
) -> None:
    """Many in one document: by Jinja, by `${}`, nested in lists and tables, as keys of labels; and
    the real Compose reads the same from what was sealed."""
    import tomli_w

    root = tmp_path_factory.mktemp("project")
    names = [f"V{number}" for number in range(len(texts))]
    values = dict(zip(names, texts, strict=True))
    lines = "".join(f"      J{n}: {{{{ {n} | yaml }}}}\n      C{n}: ${n}\n" for n in names)
    tree = {"all": {"texts": texts, "labels": labels}}
    template = (
        f"services:\n  web:\n    image: web:1\n    environment:\n{lines}"
        "    command: {{ all.texts | yaml }}\n    labels: {{ all.labels | yaml }}\n"
    )
    write(
        root,
        {
            "pyproject.toml": '[tool.stagekit]\nname = "shop"\n',
            "templates/compose.yaml.j2": template,
        },
    )
    config = root / "environments/prod/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(tomli_w.dumps({"vars": {**values, **tree}}), "utf-8", newline="")
    text = plan_of(root).files["compose.yaml"].decode()
    again = model_of(read(find_compose(os.environ, {}), text, root))
    for model in (parse(text.encode()), again):
        service = model["services"]["web"]
        for name, value in values.items():
            assert service["environment"][f"J{name}"] == value.replace("$", "$$")
            assert service["environment"][f"C{name}"] == value.replace("$", "$$")
        assert service["command"] == [value.replace("$", "$$") for value in texts]
        for name, value in labels.items():
            assert service["labels"][name] == value.replace("$", "$$")


def read(compose: Compose, text: str, folder: Path) -> str:
    return compose.config(
        [Document(text=text, where="compose.yaml")],
        name="shop-prod",
        folder=folder,
        variables={},
        cancel=Cancel(),
        warn=lambda _: None,
    )
