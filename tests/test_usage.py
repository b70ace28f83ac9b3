"""Where templates use a variable, and which of them nobody uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.inputs.merge import Layer, merge
from stagekit.inputs.reads import Read
from stagekit.inputs.usage import Unused, Use, unused, uses, uses_of


def found(root: Path, text: str, name: str = "compose.yaml.j2", **files: str) -> list[Use]:
    """The uses in templates/<name>, with other files beside it (``__`` is a dot)."""
    folder = root / "templates"
    folder.mkdir()
    (folder / name).write_text(text)
    for file, content in files.items():
        (folder / file.replace("__", ".")).write_text(content)
    return uses([folder / name], root)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a: {{ A }}", ["A"]),
        ("a: {{ web.port }}", ["web.port"]),
        ("a: {{ web['port'] | yaml }}", ["web.port"]),
        ("a: {{ web[NAME] }}", ["NAME", "web"]),
        ("{% if A and not B.c %}{% endif %}", ["A", "B.c"]),
        ("{% for x in hosts %}{{ x.name }}{% endfor %}", ["hosts"]),
        ("{% set x = A %}{{ x }}", ["A"]),
        ("{% macro m(n) %}{{ n }}{{ A }}{% endmacro %}{{ m(B) }}", ["A", "B"]),
        ("a: ${A} ${B:-${C}} $D $${E}", ["A", "B", "C", "D"]),
        ("# ${A}\na: 1 # ${B}", ["B"]),
        ("{# {{ A }} #}", []),
        ("{% raw %}{{ A }}{% endraw %}", []),
        ("a: {{ web.items() }}", ["web.items"]),
    ],
)
def test_uses_are_found_in_both_forms(tmp_path: Path, text: str, keys: list[str]) -> None:
    """What a loop or macro names itself is no variable of the environment."""
    assert sorted(".".join(use.key) for use in found(tmp_path, text)) == keys


def test_a_plain_compose_file_has_no_jinja(tmp_path: Path) -> None:
    """Braces in it are Go's."""
    assert [use.key for use in found(tmp_path, "a: '{{ A }} ${B}'", "compose.yaml")] == [("B",)]


def test_what_templates_take_in_is_read_too(tmp_path: Path) -> None:
    """By Jinja's include, import and extends; each use has its file and line."""
    result = found(
        tmp_path,
        "a: 1\n{% include 'part.yaml' %}\n{% from 'm.j2' import m %}",
        part__yaml="b: {{ B }}\nc: ${C}\n",
        m__j2="{% macro m() %}{{ D }}{% endmacro %}",
    )
    assert {use.where: use.key for use in result} == {
        "templates/part.yaml:1": ("B",),
        "templates/part.yaml:2": ("C",),
        "templates/m.j2:1": ("D",),
    }


def test_what_compose_takes_in_is_read_too(tmp_path: Path) -> None:
    """Its include and extends start from the project's folder; a circle ends."""
    (tmp_path / "more.yaml").write_text("include: [more.yaml]\nservices: {a: {image: '${A}'}}\n")
    (tmp_path / "base.yaml").write_text("services: {b: {image: '${B}'}}\n")
    text = "include: [more.yaml]\nservices:\n  c:\n    extends: {file: base.yaml, service: b}\n"
    result = found(tmp_path, text, "compose.yaml")
    assert {use.key for use in result} == {("A",), ("B",)}


SERVICE = "services:\n  m:\n    image: 'redis:7'\n    environment: {A: '${PORT}'}\n"


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yaml.j2"])
@pytest.mark.parametrize(
    ("text", "file", "content"),
    [
        ("include: [parts/m.yaml]\n", "parts/m.yaml", SERVICE),
        ("include:\n- path: ['${PARTS}/m.yaml']\n", "parts/m.yaml", SERVICE),
        ("services: {a: {extends: {file: parts/m.yaml, service: m}}}", "parts/m.yaml", SERVICE),
        ("services: {a: {env_file: web.env}}", "web.env", "A=${PORT}\n"),
        ("services: {a: {env_file: [{path: web.env}]}}", "web.env", "A=${PORT}\n"),
        ("services: {a: {label_file: web.env}}", "web.env", "A=${PORT}\n"),
    ],
)
def test_what_compose_is_told_to_read_is_read_in_a_jinja_template_too(
    tmp_path: Path, name: str, text: str, file: str, content: str
) -> None:
    """Where its lines stand as they are."""
    around = "{% if A %}\n{# no #}\nx-a: {{ A | yaml }}\n{% endif %}\n" if "j2" in name else ""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / name).write_text(around + text)
    result = uses([tmp_path / "templates" / name], tmp_path, variables={"PARTS": "parts"})
    assert [use.where for use in result if use.key == ("PORT",)] == [
        f"{file}:{content.splitlines().index(content.splitlines()[-1]) + 1}"
    ]


def test_paths_of_an_included_file_start_from_its_own_folder(tmp_path: Path) -> None:
    """As Compose has it."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/m.yaml").write_text("services: {m: {env_file: m.env}}\n")
    (tmp_path / "parts/m.env").write_text("A=${A}\n")
    result = found(tmp_path, "include: [parts/m.yaml]\n", "compose.yaml")
    assert result == [Use(("A",), "parts/m.env:1")]


def test_a_file_that_no_text_tells_of_is_known_once_it_was_read(tmp_path: Path) -> None:
    """By a name that the template computes, a template itself or not; what is taken in as it is
    asks for nothing."""
    (tmp_path / "part.j2").write_text("a: {{ A }}\n")
    (tmp_path / "web.env").write_text("B=${B} {{ C }}\n")
    (tmp_path / "nginx.conf").write_text("listen ${D};\n")
    read = [
        Read(tmp_path / "part.j2", "jinja"),
        Read(tmp_path / "web.env", "compose"),
        Read(tmp_path / "nginx.conf", "content"),
        Read(tmp_path / "optional.env", "compose"),
    ]
    assert uses([], tmp_path, read=read) == [Use(("A",), "part.j2:1"), Use(("B",), "web.env:1")]


VARIABLES = merge([Layer("base", {"DEBUG": 1, "web": {"port": 1, "host": 2}, "OLD": 3})])


def test_a_table_that_is_used_whole_uses_all_in_it(tmp_path: Path) -> None:
    """``web | env`` and ``web.items()`` ask for port and host; ``web.port`` only for itself."""
    whole = found(tmp_path, "a: {{ web.items() }}")
    assert [item.name for item in unused(VARIABLES, whole)] == ["DEBUG", "OLD"]
    assert uses_of(("web", "port"), whole, VARIABLES.values) == ["templates/compose.yaml.j2:1"]
    (tmp_path / "other").mkdir()
    one = found(tmp_path / "other", "a: {{ web.port }}")
    assert [item.name for item in unused(VARIABLES, one)] == ["DEBUG", "OLD", "web.host"]


def test_an_unused_one_says_which_may_have_been_meant(tmp_path: Path) -> None:
    """Of those that a template asks for."""
    result = found(tmp_path, "a: {{ DEBGU | default(1) }} {{ web | env }}")
    assert unused(VARIABLES, result) == [
        Unused("DEBUG", "base", "DEBGU"),
        Unused("OLD", "base", None),
    ]


def test_a_template_that_is_wrong_is_no_error_here(tmp_path: Path) -> None:
    """Rendering says so, with its line."""
    assert found(tmp_path, "a: {{ A") == []
