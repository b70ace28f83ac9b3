"""Which variables a Compose document asks for, on which line, and which must have a value."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine.compose import find_compose
from stagekit.errors import InputError
from stagekit.inputs.interpolation import Guard, Reference, references

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
LITERALS = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="${}"), max_size=5
)

Expected = list[tuple[str, bool]]


def found(text: str) -> Expected:
    return [(item.name, item.required) for item in references(text, where="compose.yaml")]


@st.composite
def asking(draw: st.DrawFn, depth: int = 2) -> tuple[str, Expected]:
    """A text in Compose's syntax, and what it asks for."""
    text, names = "", []
    for _ in range(draw(st.integers(0, 3))):
        form = draw(st.sampled_from(["literal", "$$", "$X", "${X}", "-", ":-", "+", ":+", "?"]))
        name = draw(NAMES)
        if form == "literal":
            text += draw(LITERALS)
        elif form == "$$":
            text += "$$"
        elif form in ("$X", "${X}"):
            text += f"${name} " if form == "$X" else f"${{{name}}}"
            names.append((name, True))
        else:
            inner, below = draw(asking(depth=depth - 1)) if depth else ("", [])
            text += f"${{{name}{form}{inner}}}"
            names += [(name, form == "?"), *([] if form == "?" else below)]
    return text, names


@given(asking())
def test_every_form_is_found_in_its_order(case: tuple[str, Expected]) -> None:
    """What the grammar puts in comes out: no name missed, none made up."""
    text, names = case
    assert found(json.dumps({"command": [text]})) == names


def test_compose_itself_sees_the_same_names(tmp_path: Path) -> None:
    """The real Compose, asked for a document's variables, lists exactly ours."""
    text = """
services:
  web:
    image: "${IMG}"
    command: ["$A", "$$B", "${C:-d ${D} e}", '${E:-{"a": 1}}', "${F?must}", "${G:+x ${H}}",
              "${I-}${J}", "x${K:-${L:-${M}}}y", "$$$N", "$$${O}", "${W:-$}"]
    environment:
      P$Q: "${R:?must ${S}}"
      T: '$${U}'
x-y: ${V:-}
"""
    compose = find_compose(os.environ, {})
    result = process.run(
        [str(compose.program), "--file", "-", "config", "--variables", "--format", "json"],
        env={},
        limit=30,
        cancel=Cancel(),
        cwd=tmp_path,
        stdin=text.encode(),
    )
    assert result.ok, result.stderr
    assert set(json.loads(result.stdout)) == {name for name, _ in found(text)}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: $X\nb: ${Y}\n", {"X": 1, "Y": 2}),
        ("a: |\n  one\n  ${X}\n", {"X": 3}),
        ("a: >\n  one\n  two ${X}\n  ${Y}\n", {"X": 2, "Y": 2}),  # one line by now: where it begins
        ("\n---\na: $X\n---\nb: $Y\n", {"X": 3, "Y": 5}),
        ("# $NO\na: [1,\n  $X]\n", {"X": 3}),
    ],
)
def test_a_reference_has_its_line(text: str, lines: dict[str, int]) -> None:
    """The line is the file's own, also in block texts and second documents."""
    assert {item.name: item.line for item in references(text, where="x")} == lines


GUARDED = [
    ("${X:-${Y}}", {}, ["Y"]),
    ("${X:-${Y}}", {"X": "x"}, []),
    ("${X-${Y}}", {}, ["Y"]),
    ("${X-${Y}}", {"X": "x"}, []),
    ("${X:+${Y}}", {}, []),
    ("${X:+${Y}}", {"X": "x"}, ["Y"]),
    ("${X+${Y}}", {}, []),
    ("${X+${Y}}", {"X": "x"}, ["Y"]),
    ("${X:-${Y:-${Z}}}", {}, ["Z"]),
    ("${X:-${Y:-${Z}}}", {"X": "x"}, []),
    ("${X:-${Y:-${Z}}}", {"Y": "y"}, []),
    ("${X:+${Y:-${Z}}}", {"X": "x"}, ["Z"]),
    ("${X:+${Y:-${Z}}}", {"X": "x", "Y": "y"}, []),
    ("${X:+${Y:-${Z}}}", {}, []),
    ("${X:-1} ${Y}", {}, ["Y"]),
    ("${X:-${Y} ${Y}}${Y}", {"X": "x"}, ["Y"]),
]


@pytest.mark.parametrize(("text", "values", "lacking"), GUARDED)
def test_what_stands_in_a_default_is_needed_only_where_the_default_is(
    text: str, values: dict[str, str], lacking: list[str]
) -> None:
    """``${X:-${Y}}`` needs Y only without X, ``${X:+${Y}}`` only with it."""
    asked = references(json.dumps({"a": text}), where="x")
    assert [item.name for item in asked if item.lacks_value(values)] == lacking


@pytest.mark.parametrize(("text", "values", "lacking"), GUARDED)
def test_compose_itself_misses_the_same_values(
    tmp_path: Path, text: str, values: dict[str, str], lacking: list[str]
) -> None:
    """What we would refuse is what the real Compose would make a blank, and warn of."""
    compose = find_compose(os.environ, {})
    result = process.run(
        [str(compose.program), "--file", "-", "config"],
        env=values,
        limit=30,
        cancel=Cancel(),
        cwd=tmp_path,
        stdin=json.dumps({"services": {"web": {"image": "x", "command": [text]}}}).encode(),
    )
    assert result.ok, result.stderr
    warned = re.findall(r'The \\"(\w+)\\" variable is not set', result.stderr)
    assert set(warned) == set(lacking)


def test_a_must_is_one_wherever_it_is_looked_at() -> None:
    """``${X?}`` needs its value; within another's default, only where that is taken."""
    [plain] = references("a: ${X?must}", where="x")
    assert plain.lacks_value({})
    assert not plain.lacks_value({"X": "x"})
    _, inner = references("a: ${X:-${Y:?must}}", where="x")
    assert inner == Reference("Y", 1, required=True, guards=(Guard("X", False, True),))
    assert inner.lacks_value({})
    assert not inner.lacks_value({"X": "x"})


def test_keys_and_comments_are_not_looked_at() -> None:
    """Compose replaces in values and list items, never in keys."""
    assert found("# $A\n$B: $C\n") == [("C", True)]


def test_an_anchor_counts_once() -> None:
    """A value used again by its alias is asked for where it is written."""
    assert references("a: &x [$X]\nb: *x\n", where="x") == [Reference("X", 1, True)]


def test_a_document_that_holds_itself_ends() -> None:
    """An alias to its own parent is no endless loop."""
    assert found("a: &x [$X, *x]\n") == [("X", True)]


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "a:\n", "a: 1\n"])
def test_a_document_without_references_asks_for_nothing(text: str) -> None:
    """Empty documents and plain ones are fine."""
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [("a: [1\nb: 2\n", "x.yaml:2"), ("a: 1\n\tb: 2\n", "x.yaml:2"), ("a: \x07", "x.yaml")],
)
def test_what_is_not_yaml_is_said_by_its_line(text: str, where: str) -> None:
    """The reader's complaint becomes one error with file and line."""
    with pytest.raises(InputError, match="not YAML") as caught:
        references(text, where="x.yaml")
    assert caught.value.where == where


@pytest.mark.parametrize(
    "text",
    [
        "\na: " + "[" * 3000 + "]" * 3000,
        "\na: " + "{a: " * 3000 + "}" * 3000,
        "\n" + "- " * 3000,
        "\n" + "? " * 3000,
        "\na: " + "[" * 10**6,
    ],
)
def test_nesting_without_end_is_an_error(text: str) -> None:
    """A document nested deeper than a parser can follow is refused, not a crash."""
    with pytest.raises(InputError, match="nested too deeply") as caught:
        references(text, where="x")
    assert caught.value.where == "x:2"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    """Depth counts, not number; nor do the braces of variables add up."""
    text = "a: [" + "[], " * 3000 + "]\nb: [" + '"${X}", ' * 3000 + "]\n"
    assert len(found(text)) == 3000


@given(st.text(max_size=30))
def test_any_text_is_yaml_or_an_input_error(text: str) -> None:
    """Nothing else ever comes out."""
    try:
        found(text)
    except InputError:
        return
    list(yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@pytest.mark.parametrize(
    ("text", "values", "lacks"),
    [
        ("${X:-${Y}}", {"X": ""}, True),  # with a colon, an empty value is none
        ("${X-${Y}}", {"X": ""}, False),
        ("${X:+${Y}}", {"X": ""}, False),
        ("${X+${Y}}", {"X": ""}, True),
    ],
)
def test_an_empty_value_and_the_colon(text: str, values: dict[str, str], lacks: bool) -> None:
    """Whether a default is looked at depends on the colon, as in the shell."""
    asked = references(f"a: {text}\n", where="x")
    assert any(reference.lacks_value(values) for reference in asked) == lacks
