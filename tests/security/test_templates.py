"""A template is text that somebody wrote, not a program: it reaches nothing but its variables, and
takes no more time and memory than a template may."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs import jinja
from stagekit.inputs.templates import render

ESCAPES = [
    *("x.__class__", "x['__class__']", "x|attr('__class__')", "''.__class__.__mro__"),
    *("x.__init__.__globals__", "lipsum.__globals__", "cycler.__init__.__globals__"),
    *("self.__init__", "self._TemplateReference__context", "range.__self__", "dict.__subclasses__"),
    *("'{0.__class__}'.format(x)", "'{0[a].__class__}'.format_map({'0': x})"),
    *("('{0.__class__}'|attr('format'))(x)", "(['{0.__class__}'.format]|first)(x)"),
    *("'%s'|format(x.__class__)", "web.items.__func__", "web.update({'a': 1})", "web.pop('port')"),
    *(
        "namespace(a=1).__init__",
        "joiner.__call__.__globals__",
        "[].append(1)",
        "(x|string).encode",
    ),
    *("x.__str__", "x|map('__class__')|list", "[x]|map(attribute='__class__')|first"),
    *("[web]|groupby('__class__')|first", "web|attr('get')|attr('__self__')", "x.mro()"),
]

BOMBS = [
    *("'a' * 10**10", "'%09999999999d' % 1", "'%*d' % (10**9, 1)", "'{:>9999999999}'.format(1)"),
    *("'{:{w}}'.format(1, w=10**10)", "x.zfill(10**10)", "x|center(10**10)", "x|indent(10**9)"),
    *("range(10**9)|list", "[0] * 10**9", "('x' * 10**8).split('x')|length", "x.ljust(10**11)"),
    *("9**(9**9)", "10**(10**8) % 7", "(7**(4 * 10**7)) * (3**(5 * 10**7)) % 7"),
    *("lipsum(n=10**8)", "('a' * 10**8)|wordwrap(1)|length", "('a'|batch(10**9, 'x'))|list"),
    "((1,) * 10**8)|join|length",
    *("[3, 1]|sort(attribute='a' * 10**7)", "web['a' * 10**7]", "x.y.z" + ".a" * 2000),
]

LOOPS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% set n = namespace(a=[1]) %}{% for i in range(99) %}{% set n.a = n.a + n.a %}{% endfor %}",
    "{% set n = namespace(a='x') %}{% for i in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
    "{% set n = namespace(a=3) %}{% for i in range(99) %}{% set n.a = n.a * n.a %}{% endfor %}",
    "{% include 'compose.yaml.j2' %}",
    "{% extends 'compose.yaml.j2' %}",
    "{% import 'compose.yaml.j2' as a %}",
    "{% if x %}" * 300 + "{% endif %}" * 300,
    "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ [" + "[" * 3000 + "]" * 3000 + "] }}",
]


def rendered(folder: Path, text: str) -> str:
    template = folder / "compose.yaml.j2"
    template.write_text(text)
    variables = {"x": "y", "web": {"port": 1, "items": 2}}
    return render(
        template, root=folder, variables=variables, images={}, env="prod", project="shop"
    ).text


@pytest.mark.parametrize("expression", ESCAPES)
def test_no_way_out_of_the_sandbox(tmp_path: Path, expression: str) -> None:
    """No object of Python's own, and nothing is changed. https://jinja.palletsprojects.com/sandbox"""
    with pytest.raises(InputError) as caught:
        rendered(tmp_path, f"{{{{ {expression} }}}}")
    assert caught.value.where == "compose.yaml.j2:1"


# An alarm that comes while a finalizer runs is lost there, and said once more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("text", [*(f"{{{{ {bomb} }}}}" for bomb in BOMBS), *LOOPS])
def test_no_template_takes_all(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error with its place, whatever was grown; and none as long as what was."""
    monkeypatch.setattr(jinja, "_SECONDS", 0.5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError) as caught:
        rendered(tmp_path, text)
    assert str(caught.value.where).startswith("compose.yaml.j2")
    assert len(str(caught.value)) < 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 * 1024
    assert rendered(tmp_path, "{{ x }}") == "y"  # nothing of it is left behind
