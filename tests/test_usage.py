"""Where templates use a variable, and which of them nobody uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.inputs.merge import Layer, merge
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
