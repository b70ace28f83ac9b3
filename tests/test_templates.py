"""From a template and variables to a Compose document: nothing lost, nothing let in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stagekit.errors import InputError
from stagekit.inputs.quoting import as_yaml, dollar, plain_text, quote
from stagekit.inputs.templates import Rendered, render

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=6,
)


def rendered(root: Path, text: str, name: str = "compose.yaml.j2", **variables: object) -> Rendered:
    """Render ``text`` as templates/<name> of a project."""
    template = root / "templates" / name
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_text(text, "utf-8")
    return render(
        template,
        root=root,
        variables=variables,
        images={"web-app": "registry.test/web@sha256:1"},
        env="prod",
        project="shop",
    )


def refusal(root: Path, text: str, name: str = "compose.yaml.j2", **variables: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        rendered(root, text, name, **variables)
    return caught.value


def test_jinja_and_compose_see_the_same_variables(tmp_path: Path) -> None:
    """Each variable can be written in either form, the images and the environment too."""
    result = rendered(
        tmp_path,
        "a: {{ DEBUG }} {{ web.port }} {{ images['web-app'] }} {{ stagekit.env }}\n",
        DEBUG=True,
        web={"port": 80},
    )
    assert result.text == "a: true 80 registry.test/web@sha256:1 prod\n"
    assert result.where == "templates/compose.yaml.j2"
    assert result.variables == {
        "DEBUG": "true",
        "IMAGE_WEB_APP": "registry.test/web@sha256:1",
        "STAGEKIT_ENV": "prod",
        "STAGEKIT_PROJECT": "shop",
    }


def test_a_plain_compose_file_is_left_as_it_is(tmp_path: Path) -> None:
    """Without .j2, braces are Compose's and Go's: a working compose file stays one."""
    text = "a: ${X}\nb: '{{.Name}} {% x %} $${#A}'\n"
    assert rendered(tmp_path, text, "compose.yaml", X="1").text == text


def test_tables_and_lists_are_no_compose_variables(tmp_path: Path) -> None:
    """Only what fits an environment variable is offered as ``${NAME}``."""
    result = rendered(tmp_path, "a: 1\n", T={"x": 1}, L=[1], S="s")
    assert set(result.variables) == {"S", "IMAGE_WEB_APP", "STAGEKIT_ENV", "STAGEKIT_PROJECT"}


@pytest.mark.parametrize(
    "name",
    [
        "images",
        "stagekit",
        "IMAGE_WEB_APP",
        "IMAGE_x",
        "STAGEKIT_ENV",
        "STAGEKIT_OWN",
        "COMPOSE_FILE",
        "DOCKER_HOST",
    ],
)
def test_a_variable_cannot_hide_stagekits_own(tmp_path: Path, name: str) -> None:
    """Neither form of what stagekit itself tells a template: refused with the file to change."""
    error = refusal(tmp_path, "a: 1\n", **{name: "x"})
    assert error.where == "environments/prod [vars]"
    assert name in error.what


def test_a_name_that_only_looks_like_stagekits_own_is_free(tmp_path: Path) -> None:
    """What is taken is a prefix, in its own spelling."""
    names = {"IMAGES": "a", "image_web": "b", "MY_IMAGE_X": "c", "STAGEKIT": "d"}
    result = rendered(tmp_path, "a: ${IMAGES}${image_web}${MY_IMAGE_X}${STAGEKIT}\n", **names)
    assert names.items() <= result.variables.items()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n\nb: {{ NOPE }}\n", 3),
        ("a: 1\n{% if NOPE == 1 %}{% endif %}\n", 2),
        ("{% for x in [1] %}\n\n\nb: {{ x + NOPE }}\n{% endfor %}\n", 4),
        ("{% macro m() %}\nb: {{ NOPE }}\n{% endmacro %}\n{{ m() }}\n", 2),
        ("a: 1\n{% block b %}\nb: {{ NOPE }}\n{% endblock %}\n", 3),
        ("a: {{ T.x.y }}\n", 1),
        ("\na: {{ NOPE | yaml }}\n", 2),
        ("\n\na: {{ 1 / 0 }}\n", 3),
        ("\n\na: ${NOPE}\n", 3),
        ("{% if true %}\n{% endif %}\na: {{ S }}\nb: ${NOPE:?x}\n", 4),
        ("a: {{ S\n", 1),
        ("a: 1\n{% if %}\n", 2),
        ("a: 1\n{{ S | nope }}\n", 2),
    ],
)
def test_what_has_no_value_is_said_by_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    """A missing name, or any mistake, points at the line of the template that makes it."""
    assert refusal(tmp_path, text, S="s", T={}).where == f"templates/compose.yaml.j2:{line}"


def test_the_hint_says_where_a_value_belongs(tmp_path: Path) -> None:
    """The error for a missing value can be acted on."""
    assert "[vars]" in str(refusal(tmp_path, "a: {{ NOPE }}\n").hint)
    assert "set NOPE in" in str(refusal(tmp_path, "a: ${NOPE}\n").hint)


def test_a_default_stands_in_for_a_value(tmp_path: Path) -> None:
    """``${X:-1}`` asks for nothing, nor does Jinja's own default."""
    text = "a: ${X:-1} {{ Y | default('2') }}\n"
    assert rendered(tmp_path, text).text == "a: ${X:-1} 2\n"


def test_a_value_within_a_default_is_asked_for_where_the_default_counts(tmp_path: Path) -> None:
    """With X, ``${X:-${Y}}`` is whole; without it, Y is what is missing, on its line."""
    text = "b: 1\na: ${X:-${Y}}\n"
    assert rendered(tmp_path, text, X="1").text == text
    error = refusal(tmp_path, text)
    assert error.where == "templates/compose.yaml.j2:2"
    assert error.what == "${Y} has no value"
    assert rendered(tmp_path, "a: ${X:+${Y}}\n").text == "a: ${X:+${Y}}\n"


def test_a_missing_name_in_an_included_file_is_said_there(tmp_path: Path) -> None:
    """The error names the file that asks, with its folder, not the one that includes it."""
    parts = tmp_path / "templates" / "parts"
    parts.mkdir(parents=True)
    (parts / "web.j2").write_text("x: 1\nb: {{ NOPE }}\n")
    error = refusal(tmp_path, "a: 1\n{% include 'parts/web.j2' %}\n")
    assert error.where == "templates/parts/web.j2:2"


def test_includes_also_come_from_the_repository(tmp_path: Path) -> None:
    """A macro that two applications share need not lie beside each template."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/macros.j2").write_text(
        "{% macro port(n) %}{{ (n ~ ':80') | yaml }}{% endmacro %}"
    )
    text = "{% from 'shared/macros.j2' import port %}a: {{ port(8080) }}\n"
    assert rendered(tmp_path, text).text == 'a: "8080:80"\n'


def test_includes_come_from_the_templates_folder(tmp_path: Path) -> None:
    """What lies next to the template may be included."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "part.yaml").write_text("b: {{ S }}\n")
    text = "a: 1\n{% include 'part.yaml' %}\n"
    assert rendered(tmp_path, text, S="s").text == "a: 1\nb: s\n\n"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "x/../../secret", "./../secret"])
def test_an_include_cannot_leave_the_repository(tmp_path: Path, path: str) -> None:
    """Paths that lead out are as good as missing."""
    (tmp_path / "secret").write_text("root\n")
    (tmp_path / "repository/templates/x").mkdir(parents=True)
    error = refusal(tmp_path / "repository", f"a: {{% include {path!r} %}}\n")
    assert "no template" in error.what


@pytest.mark.parametrize("link", ["link", "folder/secret"])
def test_an_include_cannot_follow_a_link_out_of_the_repository(tmp_path: Path, link: str) -> None:
    """Neither a linked file nor a linked folder leads out."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("root\n")
    templates = tmp_path / "repository/templates"
    templates.mkdir(parents=True)
    (templates / "link").symlink_to(tmp_path / "outside" / "secret")
    (templates / "folder").symlink_to(tmp_path / "outside")
    error = refusal(tmp_path / "repository", f"a: {{% include {link!r} %}}\n")
    assert "no template" in error.what


def test_a_link_within_the_folder_is_fine(tmp_path: Path) -> None:
    """Confined means confined, not that links are forbidden."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "part").write_text("1\n")
    (tmp_path / "templates" / "link").symlink_to("part")
    assert rendered(tmp_path, "a: {% include 'link' %}").text == "a: 1\n"


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__",
        "cycler.__init__.__globals__",
        "L.append(1)",
        "T.update(x=1)",
        "self.__init__",
        "lipsum.__globals__['os'].popen('id').read()",
    ],
)
def test_a_template_is_in_a_sandbox(tmp_path: Path, expression: str) -> None:
    """A template reads its variables; it reaches no Python and changes nothing."""
    values: dict[str, Any] = {"L": [], "T": {}}
    refusal(tmp_path, "a: {{ " + expression + " }}\n", **values)
    assert values == {"L": [], "T": {}}


def test_values_are_not_escaped_for_html(tmp_path: Path) -> None:
    """A document for Compose is no web page."""
    assert rendered(tmp_path, "a: {{ S }}\n", S="<&>").text == "a: <&>\n"


def test_a_missing_template_says_what_belongs_there(tmp_path: Path) -> None:
    """The first release of a repository ends with an instruction."""
    with pytest.raises(InputError, match="there is no template") as caught:
        render(
            tmp_path / "templates/compose.yaml.j2",
            root=tmp_path,
            variables={},
            images={},
            env="prod",
            project="shop",
        )
    assert caught.value.where == "templates/compose.yaml.j2"


def test_a_template_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are an input error."""
    (tmp_path / "templates").mkdir()
    path = tmp_path / "templates" / "compose.yaml"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(InputError, match="cannot read"):
        render(path, root=tmp_path, variables={}, images={}, env="e", project="p")


def test_what_jinja_makes_must_be_yaml(tmp_path: Path) -> None:
    """What breaks the document is said with the template."""
    assert "not YAML" in refusal(tmp_path, "a: {{ S ~ '' }}\n", S="[x").what


@pytest.mark.parametrize("value", ["a\nb", "a\rb", 'a"b', "a'b", "a\\b", "$a", "a: b", "a #b"])
def test_a_value_that_would_not_arrive_as_it_is_needs_a_filter(tmp_path: Path, value: str) -> None:
    """Bare it is refused, with what to write; by the filter it arrives."""
    error = refusal(tmp_path, "\na: {{ T.x }}\n", T={"x": value})
    assert "| yaml }}" in error.what
    assert error.where == "templates/compose.yaml.j2:2"
    text = rendered(tmp_path, "a: {{ T.x | yaml }}\n", T={"x": value}).text
    assert yaml.safe_load(text) == {"a": value.replace("$", "$$")}


@pytest.mark.parametrize("name", ["items", "keys", "get", "update"])
def test_a_variable_goes_before_a_method_of_its_name(tmp_path: Path, name: str) -> None:
    """``web.items`` is the variable."""
    text = "a: {{ web." + name + " }}\n"
    assert rendered(tmp_path, text, web={name: "x"}).text == "a: x\n"


@pytest.mark.parametrize("expression", ["T", "L", "T.items", "range(3)", "none"])
def test_what_is_no_scalar_needs_a_filter(tmp_path: Path, expression: str) -> None:
    """Python's own writing of it is nothing for a document."""
    error = refusal(tmp_path, "\na: {{ " + expression + " }}\n", T={"x": 1}, L=[1])
    assert error.where == "templates/compose.yaml.j2:2"


@given(VALUES)
def test_quote_writes_what_yaml_reads_back(value: object) -> None:
    """Every value of a configuration arrives as it was, whatever is in it."""
    assert yaml.safe_load(quote(value)) == value


@given(st.text())
def test_the_yaml_filter_doubles_each_dollar_and_nothing_else(text: str) -> None:
    """What YAML and then Compose read is the value itself."""
    assert yaml.safe_load(as_yaml(text)) == text.replace("$", "$$")


def test_a_quoted_value_stays_on_its_line() -> None:
    """A line's end in a value cannot add a key to the document."""
    assert "\n" not in quote("x\nprivileged: true\r\u2028\u0085")


def test_quote_leaves_the_dollar_to_the_dollar_filter(tmp_path: Path) -> None:
    """``quote`` is for a value that asks for a variable, ``yaml`` for one that does not."""
    text = "a: {{ S | quote }}\nb: {{ S | yaml }}\nc: {{ S | dollar }}\n"
    assert rendered(tmp_path, text, S="$S").text == 'a: "$S"\nb: "$$S"\nc: $$S\n'


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1, "1"), (1.5, "1.5"), ("Yes", "Yes")]
)
def test_scalars_are_written_as_an_environment_holds_them(value: object, text: str) -> None:
    """Booleans are lower case, everything else is its own text."""
    assert plain_text(value) == text
    assert dollar(value) == text


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 'x' * 10 ** 12 }}",
        "{{ ('x' * 10 ** 6) | center(10 ** 12) }}",
        "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% include 'compose.yaml.j2' %}{% include 'compose.yaml.j2' %}",
        (
            "{% set x = namespace(v='x' * 999) %}{% for a in range(99) %}{% set x.v = x.v ~ x.v %}"
            "{% endfor %}"
        ),
    ],
)
def test_a_template_without_an_end_ends(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, memory or text: an error of the template, and this process goes on."""
    monkeypatch.setattr("stagekit.inputs.jinja._SECONDS", 1.0)
    assert (refusal(tmp_path, text).where or "").startswith("templates/compose.yaml.j2")
    assert len("x" * 2**29) == 2**29  # memory is as free as it was


def test_the_line_that_is_wrong_is_shown(tmp_path: Path) -> None:
    """Also one of an included template, and where Jinja cannot read it."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/part.j2").write_text("x: 1\n  y: {{ NOPE }}\n")
    assert refusal(tmp_path, "a: 1\n{% include 'part.j2' %}\n").output == ("y: {{ NOPE }}",)
    assert refusal(tmp_path, "a: 1\nformat: '{{.Name}}'\n").output == ("format: '{{.Name}}'",)
    assert refusal(tmp_path, "a: 1\nb: ${NOPE}\n", "compose.yaml").output == ("b: ${NOPE}",)


def test_a_misspelt_name_is_told_the_one_that_was_meant(tmp_path: Path) -> None:
    """In either form."""
    assert "did you mean DEBUG?" in str(refusal(tmp_path, "a: {{ DEBGU }}\n", DEBUG=True).hint)
    assert "did you mean DEBUG?" in str(refusal(tmp_path, "a: ${DEBGU}\n", DEBUG=True).hint)


def test_a_table_becomes_a_services_environment(tmp_path: Path) -> None:
    """Each value as an environment variable holds it; a table within has no place there."""
    text = "a: {{ app | env }}\n"
    result = rendered(tmp_path, text, app={"DEBUG": True, "PORT": 80, "TEXT": 'a "$b"'})
    assert yaml.safe_load(result.text)["a"] == {"DEBUG": "true", "PORT": "80", "TEXT": 'a "$$b"'}
    assert "dict is no value" in refusal(tmp_path, text, app={"x": {}}).what
    assert "writes a table" in refusal(tmp_path, text, app="x").what


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 1e6, -0.0, 123456789.12345679])
def test_a_number_that_yaml_would_write_otherwise_is_quoted(value: float) -> None:
    """Compose's reader makes a float of an integer beyond 64 bits."""
    assert yaml.safe_load(quote(value)) == str(value)
