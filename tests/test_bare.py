"""Values that a template writes without a filter: they arrive as they are, or are refused."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stagekit.errors import InputError
from stagekit.inputs.templates import render
from tests.releasing import write

HEAD = "services:\n  web:\n    image: x\n"
IN_LABELS = HEAD + "    labels:\n      A: {{ X }}\n"
IN_COMMAND = HEAD + "    command: [run, {{ X }}, {{ X }}]\n"


def rendered(root: Path, text: str, value: object) -> str:
    write(root, {"t.j2": text})
    return render(
        root / "t.j2", root=root, variables={"X": value}, images={}, env="prod", project="shop"
    ).text


@pytest.mark.parametrize("value", ["a, --privileged", "x]", "{a", "a[1]", "a}", "[a]", ","])
def test_a_value_that_ends_what_it_stands_in_is_refused(tmp_path: Path, value: str) -> None:
    """In a list between brackets it would be two arguments, or the list's end."""
    with pytest.raises(InputError, match="would not arrive as it is: write") as caught:
        rendered(tmp_path, IN_COMMAND, value)
    assert caught.value.where == "t.j2:4"
    assert caught.value.output == (f"command: [run, {value}, {value}]",)


@pytest.mark.parametrize(
    "value",
    [
        "#ff0000",
        "!x",
        "&x y",
        "*x",
        "|",
        ">-",
        "@x",
        "`x",
        "%x",
        "- a",
        "? a",
        "a:",
        "v  ",
        "  v",
        "-",
    ],
)
def test_what_yaml_takes_for_a_mark_of_its_own_is_refused(tmp_path: Path, value: str) -> None:
    """At the start of a value it is no text; nor are blanks around it."""
    with pytest.raises(InputError, match="would not arrive as it is: write") as caught:
        rendered(tmp_path, IN_LABELS, value)
    assert caught.value.where == "t.j2:5"


NOT_TEXT = """1.0 1.10 08 010 1e3 12345e7 0x10 0b1 1_000 +5 .5 1. True null ~ .inf 2024-01-01
2024-01-01T10:00:00Z 20241015.1 11111111111111111111111 <<"""


@pytest.mark.parametrize("value", NOT_TEXT.split())
def test_what_yaml_reads_as_another_value_is_no_text_for_a_container(
    tmp_path: Path, value: str
) -> None:
    """Compose would write it in its own way: 1.10 as 1.1. Where a number is meant it may stand."""
    for kind in ("labels", "environment"):
        with pytest.raises(InputError, match="would not arrive as it is: write"):
            rendered(tmp_path, IN_LABELS.replace("labels", kind), value)
    elsewhere = HEAD + "    cpus: {{ X }}\n    labels: ['A={{ X }}', 'B={{ X }}']\n"
    assert f"cpus: {value}\n" in rendered(tmp_path, elsewhere, value)


TEXT = """prod 8080 -1 1.5 0.25 true yes 22:22 1.2.3 10.0.0.1 a,b http://x.test:80/?a=b&c#d redis:7
a#b x] a* a! = é -a :8080 a|b 10% someone@example.com 2024-01-0x"""


@pytest.mark.parametrize("value", [*TEXT.split(), "a b", ""])
def test_what_arrives_as_it_is_may_stand_without_a_filter(tmp_path: Path, value: str) -> None:
    """On a line of its own, what matters between brackets is a character like any other."""
    assert f"A: {value}\n" in rendered(tmp_path, IN_LABELS, value)


@pytest.mark.parametrize(
    "line",
    [
        '"{{ X }}"',
        "'{{ X }}'",
        '"a {{ X }} b"',
        "|\n        {{ X }}",
        "a # {{ X }}",
        '"a" # {{ X }}',
    ],
)
@pytest.mark.parametrize("value", ["a, b]", "#ff0000", "!x", "&x y", "null", "1.10", "v  ", "x:"])
def test_between_quotes_and_in_comments_all_of_that_is_text(
    tmp_path: Path, line: str, value: str
) -> None:
    """A value is judged by where it stands."""
    assert value in rendered(tmp_path, IN_LABELS.replace("{{ X }}", line), value)


@pytest.mark.parametrize(
    "text",
    [
        "{% macro m(x) %}[run, {{ x }}]{% endmacro %}" + HEAD + "    command: {{ m(X) }}\n",
        "{% set x %}{{ X }}{% endset %}" + HEAD + "    command: [run, {{ x }}]\n",
        HEAD + "    command: [run{% for x in [X] %}, {{ x }}{% endfor %}]\n",
        "{% macro m() %}[run, {{ caller() }}]{% endmacro %}"
        + HEAD
        + "    command: {% call m() %}{{ X }}{% endcall %}\n",
        "{% include 'part.j2' %}",
    ],
)
def test_a_value_is_known_again_behind_macros_loops_and_includes(tmp_path: Path, text: str) -> None:
    """Until something is done with it."""
    write(tmp_path, {"part.j2": IN_COMMAND})
    assert "[run, a" in rendered(tmp_path, text, "a")
    with pytest.raises(InputError, match="'a, b' would not arrive as it is"):
        rendered(tmp_path, text, "a, b")


def test_no_line_is_named_where_it_may_be_another(tmp_path: Path) -> None:
    """Two services may begin a line alike."""
    text = "services:\n" + "".join(
        f"  {name}:\n    image: x\n    labels:\n      A: {{{{ {value} }}}}\n"
        for name, value in (("one", "X[0]"), ("two", "X[1]"))
    )
    with pytest.raises(InputError, match=r"'1\.10' would not arrive as it is") as caught:
        rendered(tmp_path, text, ["1.5", "1.10"])
    assert caught.value.where == "t.j2"
    assert caught.value.output == ("A: 1.10",)


def test_a_document_on_one_line_is_refused_at_its_first_value(tmp_path: Path) -> None:
    """Of thousands that could be told."""
    text = "a: [{% for _ in range(9000) %}'xxxxxxxxxxxx', {{ X }}, {% endfor %}]\n"
    began = process_time()
    with pytest.raises(InputError, match="'a, b' would not arrive as it is"):
        rendered(tmp_path, text, "a, b")
    assert process_time() - began < 5


def test_what_a_block_holds_is_compared_as_text(tmp_path: Path) -> None:
    """Remembering where a value stands changes nothing in the template's own sight."""
    text = "{% set x %}{{ X }}{% endset %}a: {{ x == 'v' and x | length == 1 and x in ['v'] }}\n"
    assert rendered(tmp_path, text, "v") == "a: true\n"


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=6))
def test_whatever_is_let_in_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    """As one text of a list, by whatever characters."""
    root = tmp_path_factory.mktemp("bare", numbered=True)
    try:
        text = rendered(root, HEAD + "    command: [run, {{ X }}, end]\n", value)
    except InputError:
        return
    read = yaml.load(text, Loader=yaml.CBaseLoader)["services"]["web"]["command"]  # noqa: S506
    assert read == ["run", value, "end"]
