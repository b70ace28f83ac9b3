"""The code that a function runs: what of it counts, and what does not."""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from stagekit.inputs.code import code_of

_NUMBERS = count()

MODULE = """\
import contextlib
import functools
from pathlib import Path

FLAGS = ["a", {"b": 1}]
OTHER = 1
SOURCE = Path("src")
NAMES = {"x", "y"}


def unused():
    return 1


LEVEL = "-O2"
STRICT = True


def lowest(a, level=LEVEL, *, strict=STRICT):
    return a + 1


def by_default():
    return 5


def helper(a, make=by_default):
    return [lowest(item) for item in a]


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper


@decorated
def wrapped():
    return 7


@functools.cache
def cached():
    return 11


@contextlib.contextmanager
def around():
    yield 12


class Lowest:
    depth = 3

    def go(self):
        return 6


class Base(Lowest):
    pass


class Thing(Base):
    size = 9

    @property
    def value(self):
        return lowest(3)

    @value.setter
    def value(self, new):
        self.new = 13

    @functools.cached_property
    def once(self):
        return 14

    @staticmethod
    @functools.cache
    def known():
        return 15

    @staticmethod
    def make():
        return 2


def again(a):
    return main(a) if a else FLAGS


def main(a):
    helper(a)
    wrapped()
    cached()
    around()
    again(a)
    return Thing(), SOURCE, NAMES, sorted(a)
"""


NAMED = ("helper", "lowest", "wrapped", "cached", "around", "Thing", "again")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def code(folder: Path, text: str) -> dict[str, str]:
    """The code of ``main`` of a module of that text."""
    name = f"module{next(_NUMBERS)}"
    (folder / f"{name}.py").write_text(text)
    return code_of(import_module(name).main)


def test_what_is_named_counts_and_nothing_else(tmp_path: Path) -> None:
    """By way of others too; two that name each other end."""
    assert set(code(tmp_path, MODULE)) == {
        "its code",
        *(f"code of {name}" for name in NAMED),
        *(f"value of {name}" for name in ("FLAGS", "SOURCE", "NAMES")),
    }


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("helper(a)\n    wrapped", "helper(a) or 1\n    wrapped", {"its code"}),
        ("return a + 1", "return a + 2", {"code of lowest"}),
        ("return 7", "return 8", {"code of wrapped"}),
        ("return function(*args)", "return function(*args) or 1", {"code of wrapped"}),
        ("return 11", "return 0", {"code of cached"}),
        ("yield 12", "yield 0", {"code of around"}),
        ("self.new = 13", "self.new = 0", {"code of Thing"}),
        ("return 14", "return 0", {"code of Thing"}),
        ("return 15", "return 0", {"code of Thing"}),
        ("return 2", "return 4", {"code of Thing"}),
        ('"-O2"', '"-O3"', {"code of lowest"}),
        ("STRICT = True", "STRICT = False", {"code of lowest"}),
        ("return 5", "return 6", {"code of helper"}),
        ("return 6", "return 7", {"code of Thing"}),
        ("depth = 3", "depth = 4", {"code of Thing"}),
        ("size = 9", "size = 10", {"code of Thing"}),
        ("@decorated\ndef", "@decorated  # by it\ndef", {"code of wrapped"}),
        ('{"b": 1}', '{"b": 2}', {"value of FLAGS"}),
        ('Path("src")', 'Path("lib")', {"value of SOURCE"}),
        ('"x", "y"', '"y", "x"', set()),
        ("OTHER = 1", "OTHER = 2\n\n\n# a line", set()),
        ("def unused():\n    return 1", "def unused():\n    return 2", set()),
    ],
)
def test_a_change_is_told_by_its_name(
    tmp_path: Path, old: str, new: str, changed: set[str]
) -> None:
    """The same text elsewhere in the file is the same."""
    assert old in MODULE
    before, now = code(tmp_path, MODULE), code(tmp_path, MODULE.replace(old, new))
    assert {name for name in now if before.get(name) != now[name]} == changed


def test_what_a_decorator_of_another_module_wraps_is_looked_into(tmp_path: Path) -> None:
    """Its names are those of the module that it stands in, not of the decorator's."""
    text = """\
import contextlib


def helper():
    return 1


@contextlib.contextmanager
def main(a):
    yield helper()
"""
    assert set(code(tmp_path, text)) == {"its code", "code of helper"}


def test_classes_that_have_one_another_end(tmp_path: Path) -> None:
    """One may be the other's base, and have it as what it makes."""
    classes = """\
class Node:
    size = 1


class Leaf(Node):
    pass


Node.makes = Leaf
Leaf.made_by = Node


def main(a):
    return Node.makes
"""
    before, now = code(tmp_path, classes), code(tmp_path, classes.replace("size = 1", "size = 2"))
    assert {name for name in now if before.get(name) != now[name]} == {"code of Node"}


def test_without_a_source_the_compiled_code_counts() -> None:
    """Typed in, or made by exec: another one is another."""
    texts = ["return 1", "return 2", "return [x for x in a]", "return 1"]
    found = []
    for text in texts:
        values: dict[str, object] = {}
        exec(f"def main(a):\n    {text}\n", values)  # noqa: S102
        found.append(code_of(values["main"]))  # type: ignore[arg-type]
    assert found[0] == found[3]
    assert len({str(item) for item in found}) == 3
