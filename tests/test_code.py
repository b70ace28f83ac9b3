"""The code that a function runs: what of it counts, and what does not."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from itertools import count
from pathlib import Path

import pytest

from stagekit.inputs.code import code_of
from stagekit.inputs.loaded import keep_below, keep_of, loaded, note_values

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


NAMED = {
    "code": (
        *("helper", "by_default", "lowest", "wrapped", "decorated", "cached", "around"),
        *("Thing", "Base", "Lowest", "again"),
    ),
    "value": ("FLAGS", "SOURCE", "NAMES", "LEVEL", "STRICT"),
    "import": ("contextlib", "functools", "Path"),
}


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def code(folder: Path, text: str) -> dict[str, str]:
    """The code of ``main`` of a module of that text."""
    name = f"module{next(_NUMBERS)}"
    (folder / f"{name}.py").write_text(text)
    return code_of(import_module(name).main, folder)


def test_what_is_named_counts_and_nothing_else(tmp_path: Path) -> None:
    """By way of others too; two that name each other end."""
    assert set(code(tmp_path, MODULE)) == {
        "its code",
        *(f"{kind} of {name}" for kind, names in NAMED.items() for name in names),
    }


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("helper(a)\n    wrapped", "helper(a) or 1\n    wrapped", {"its code"}),
        ("return a + 1", "return a + 2", {"code of lowest"}),
        ("return 7", "return 8", {"code of wrapped"}),
        ("return function(*args)", "return function(*args) or 1", {"code of decorated"}),
        ("return 11", "return 0", {"code of cached"}),
        ("yield 12", "yield 0", {"code of around"}),
        ("self.new = 13", "self.new = 0", {"code of Thing"}),
        ("return 14", "return 0", {"code of Thing"}),
        ("return 15", "return 0", {"code of Thing"}),
        ("return 2", "return 4", {"code of Thing"}),
        ('"-O2"', '"-O3"', {"value of LEVEL"}),
        ("STRICT = True", "STRICT = False", {"value of STRICT"}),
        ("return 5", "return 6", {"code of by_default"}),
        ("return 6", "return 7", {"code of Lowest"}),
        ("depth = 3", "depth = 4", {"code of Lowest"}),
        ("size = 9", "size = 10", {"code of Thing"}),
        ("@decorated\ndef", "@decorated  # by it\ndef", {"code of wrapped"}),
        ('{"b": 1}', '{"b": 2}', {"value of FLAGS"}),
        ('Path("src")', 'Path("lib")', {"value of SOURCE"}),
        ("from pathlib import", "from pathlib import PurePath as", {"import of Path"}),
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
    named = {"its code", "code of helper", "import of contextlib"}
    assert set(code(tmp_path, text)) == named


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


def changed(folder: Path, text: str, old: str = "one", new: str = "two") -> set[str]:
    """What is told of a module in which one text takes the place of another."""
    assert old in text
    before, now = code(folder, text), code(folder, text.replace(old, new))
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class X:\n    body = 1\n    def go(self): return 'one'", "code of X"),
        ("class X:\n    @property\n    def body(self): return 'one'", "code of X"),
        ("class X(Enum):\n    FAST = 'one'", "code of X"),
        ("class X:\n    pattern = re.compile('one')", "code of X"),
        ("class Y(type):\n    one = 1\nclass X(metaclass=Y): pass", "code of Y"),
        (
            "def f(): return 'one'\n@dataclass\nclass X:\n    a: str = field(default_factory=f)",
            "code of f",
        ),
        ("def f(): return 'one'\nclass X:\n    all = (f,)", "code of f"),
        ("def f(): return 'one'\nX = {'f': f}", "code of f"),
        ("class Y:\n    def go(self): return 'one'\nX = Y()", "code of Y"),
        ("class Y:\n    def go(self): return 'one'\nX = Y().go", "code of Y"),
        ("X = lambda: 'one'", "value of X"),
        ("X = re.compile('one')", "value of X"),
        ("X = Decimal(len('one') if 'one' == 'two' else 1)", "value of X"),
        ("X = {}\nX['a'] = re.compile('one')", "value of X"),
        ("X = []\nX.append(re.compile('one'))", "value of X"),
        ("if True:\n    def X(): return 'one'", "value of X"),
        ("@singledispatch\ndef X(a): pass\n@X.register\ndef _(a: int): return 'one'", "code of X"),
        ("X = 0\ndef set_x():\n    global X\n    X = 'one'\nset_x()", "code of X"),
        ("try:\n    import xone as X\nexcept ImportError:\n    X = 1", "value of X"),
    ],
)
def test_a_name_is_the_text_that_defines_it(tmp_path: Path, text: str, told: str) -> None:
    """Whatever it is: also what cannot be compared as a value, or is defined in several places."""
    imports = (
        "import re\nfrom dataclasses import dataclass, field\nfrom decimal import Decimal\n"
        "from enum import Enum\nfrom functools import singledispatch\n"
    )
    assert changed(tmp_path, f"{imports}{text}\ndef main(a): return X\n") >= {told}


def test_what_a_function_has_at_hand_is_its_code(tmp_path: Path) -> None:
    """A task that another function makes, and a decorator that keeps what it wraps to itself."""
    made = """\
def make(word, then):
    def main(a):
        return then(word)
    return main


def then(word):
    return word, "three"


main = make("one", then)
"""
    assert changed(tmp_path, made) == {"its code"}
    assert changed(tmp_path, made, "three", "four") == {"its code"}
    wrapped = """\
def quiet(function):
    def wrapper(*given):
        return function(*given)
    return wrapper


@quiet
def main(a):
    return "one"
"""
    assert changed(tmp_path, wrapped) == {"its code"}
    assert changed(tmp_path, wrapped, "(*given)\n    return", "()\n    return") == {"its code"}


def test_what_a_task_needs_is_no_part_of_its_code(tmp_path: Path) -> None:
    """Nor is what a plain Invoke task runs before it; what it calls is. And so where what makes
    the task is one's own."""
    text = """\
import functools

import stagekit
from invoke import task as plain


@plain
def first(c):
    return "one"


made = functools.partial(stagekit.task, inputs=["a"])


def needing(*tasks):
    return stagekit.task(inputs=["a"], needs=tasks)


@stagekit.task(inputs=["a"], needs=[first])
def second(c):
    return "three"


@made(needs=[first])
def third(c):
    pass


@needing(first)
def fourth(c):
    pass


@plain(pre=[first])
def main(c):
    return second(c), third(c), fourth(c)
"""
    assert changed(tmp_path, text) == set()
    assert changed(tmp_path, text, "three", "four") == {"code of second"}
    assert changed(tmp_path, text, "made = ", "made = 1 and ") == {"value of made"}


def test_what_else_a_decorator_is_given_is_code(tmp_path: Path) -> None:
    """Tasks alone are what a task needs, whichever module has what makes it; and who says
    ``Context`` of Invoke makes no task."""
    (tmp_path / "making.py").write_text(
        "import stagekit\n\n\n"
        "def needing(*tasks):\n"
        "    return stagekit.task(inputs=['a'], needs=tasks)\n"
    )
    text = """\
import stagekit
from invoke import Context

import making


class Config:
    def __init__(self, level):
        self.level = level


CONFIG = Config(1)


def with_config(config):
    def decorate(function):
        def wrapper(c: Context):
            return function(c, config)
        return wrapper
    return decorate


@stagekit.task(inputs=["a"])
def first(c):
    return "one"


ALL = [first]


@making.needing(first, ALL)
@with_config(CONFIG)
def main(c, config):
    return config
"""
    assert changed(tmp_path, text, "Config(1)", "Config(2)") == {"value of CONFIG"}
    assert changed(tmp_path, text, '"one"', '"two"') == set()


def test_the_shell_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as it is, nor where a table has all of it; what was taken out of it is a value."""
    text = """\
import os
from os import environ
from sys import argv, path

ALL = {**os.environ, "MODE": "x"}
LEVEL = os.environ.get("LEVEL")


def main(a):
    return environ, argv, path, ALL, LEVEL
"""
    before = code(tmp_path, text)
    assert "import of environ" in before
    monkeypatch.setenv("SOMETHING", "else")
    monkeypatch.setattr(sys, "argv", ["other"])
    assert code(tmp_path, text) == before
    assert changed(tmp_path, text, '"x"', '"y"') == {"value of ALL"}
    monkeypatch.setenv("LEVEL", "3")
    now = code(tmp_path, text)
    assert {name for name in now if before[name] != now[name]} == {"value of LEVEL"}


def test_a_value_that_its_text_does_not_tell_counts(tmp_path: Path) -> None:
    """And what a task before it put into a table does not."""
    text = """\
from pathlib import Path

VERSION = Path(__file__).with_name("version").read_text()
KNOWN: dict[str, str] = {}


def main(a):
    return VERSION, KNOWN
"""
    found = []
    for version in ("1", "2"):
        (tmp_path / "version").write_text(version)
        found.append(code(tmp_path, text))
    before, now = found
    assert {name for name in now if before[name] != now[name]} == {"value of VERSION"}
    name = f"module{next(_NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(text)
    module = import_module(name)
    module.KNOWN["a"] = "b"
    assert code_of(module.main, tmp_path) == now


def test_very_long_numbers_and_very_deep_lists_are_no_errors(tmp_path: Path) -> None:
    """Python refuses to write the ones, and to go down into the others. Nor need a task name
    them: all values are noted before the first one is called."""
    text = """\
long = pow(10, 5000)
deep = []
for _ in range(5000):
    deep = [deep]


def main(a):
    return long, deep
"""
    assert changed(tmp_path, text, "5000)\ndeep", "5001)\ndeep") == {"value of long"}
    note_values()


def test_no_object_is_asked_anything(tmp_path: Path) -> None:
    """Some do something when they are asked, and lists may have themselves in them."""
    text = """\
class Proxy:
    def __getattr__(self, name):
        raise RuntimeError(name)

    __class__ = property(lambda self: self.nothing)


proxy = Proxy()
loop = [1]
loop.append(loop)


def main(a):
    return proxy, loop
"""
    assert changed(tmp_path, text, "[1]", "[2]") == {"value of loop"}


PROJECT = {
    "pages.py": "from lib.words import *\nWORD = 'one'\ndef page(): return WORD, shout()\n",
    "lib/__init__.py": "from .words import shout as cry\n",
    "lib/words.py": "import lib.deep.more\ndef shout(): return 'three', lib.deep.more.DEEP\n",
    "lib/deep/more.py": "DEEP = 'five'\nOTHER = 'seven'\n",
    "lib/late.py": "from . import words\ndef late(): return words.shout(), 'eight'\n",
    "site-packages/installed.py": "X = 'one'\n",
}
USES = """\
import pages
from lib import cry


def main(a):
    from lib.late import late
    import installed
    return pages.page(), cry(), late(), installed.X
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("one", "two", {"value of pages.WORD"}),
        ("three", "four", {"code of lib.words.shout"}),
        ("five", "six", {"value of lib.deep.more.DEEP"}),
        ("eight", "nine", {"code of lib.late.late"}),
        ("seven", "ten", set()),
    ],
)
def test_other_modules_of_the_project_count_name_by_name(
    tmp_path: Path, old: str, new: str, told: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are imported, loaded or not; what is installed does not, wherever that is."""
    found = []
    for words in ((old, old), (old, new)):
        root = tmp_path / words[1]
        for name, text in PROJECT.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(*words))
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(root))
            patch.syspath_prepend(str(root / "site-packages"))
            found.append(code(root, USES))
            for name in ("pages", "lib", "lib.words", "lib.deep", "lib.deep.more"):
                del sys.modules[name]
    before, now = found
    assert {name for name in {*before, *now} if before.get(name) != now.get(name)} == told


@pytest.mark.parametrize("editable", [True, False])
def test_a_package_is_found_where_python_found_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool
) -> None:
    """A folder of its name that comes first is none; and it may have been installed as editable,
    so that no folder of Python's leads to it."""
    path = tmp_path / "shop/shop/__init__.py"
    path.parent.mkdir(parents=True)

    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> ModuleSpec | None:
            return spec_from_file_location(name, path) if name == "shop" else None

    if editable:
        monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    else:
        monkeypatch.setattr(sys, "path", [*sys.path, str(path.parents[1])])
    found = []
    for text in ("one", "two"):
        path.write_text(f"def price(): return '{text}'\n")
        name = f"module{next(_NUMBERS)}"
        (tmp_path / f"{name}.py").write_text("import shop\ndef main(a): return shop.price()\n")
        main = import_module(name).main
        keep_below(tmp_path)
        found.append(code_of(main, tmp_path))
        del sys.modules["shop"]
    before, now = found
    assert {name for name in now if before.get(name) != now[name]} == {"code of shop.shop.price"}


def test_a_module_that_is_edited_after_it_was_loaded_says_nothing(tmp_path: Path) -> None:
    """What runs is what was loaded: the digest is that of the text which stood there then."""
    before = code(tmp_path, "X = len('a')\ndef main(a):\n    return X, 'one'\n")
    name = f"module{next(_NUMBERS)}"
    path = tmp_path / f"{name}.py"
    path.write_text("X = len('a')\ndef main(a):\n    return X, 'one'\n")
    main = import_module(name).main
    keep_of(main)
    path.write_text("X = len('ab')\ndef main(a):\n    return X, 'two'\n")
    assert code_of(main, tmp_path) == before


def test_modules_of_a_project_are_kept_as_they_were_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it has installed in its own folder are not even read."""
    name = f"module{next(_NUMBERS)}"
    own, installed = tmp_path / f"{name}.py", tmp_path / f".venv/lib/site-packages/{name}x.py"
    installed.parent.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(installed.parent))
    for path in (own, installed):
        path.write_text("X = 1\n")
        import_module(path.stem)
    keep_below(tmp_path)
    for path in (own, installed):
        path.write_text("X = 2\n")
    kept = [loaded(path) for path in (own, installed)]
    assert [item.source for item in kept if item] == [b"X = 1\n", b"X = 2\n"]


def test_a_module_that_was_edited_before_anybody_looked_counts_as_compiled(tmp_path: Path) -> None:
    """Its text is not taken for the code."""
    name = f"module{next(_NUMBERS)}"
    path = tmp_path / f"{name}.py"
    path.write_text("def main(a):\n    return 'one'\n")
    main = import_module(name).main
    path.write_text("def main(a):\n    return 'two'\n")
    edited = code_of(main, tmp_path)
    assert edited != code(tmp_path, path.read_text())
    assert edited != code(tmp_path, "def main(a):\n    return 'one'\n")


def test_without_a_source_the_compiled_code_counts() -> None:
    """Typed in, or made by exec: another one is another."""
    texts = ["return 1", "return 2", "return [x for x in a]", "return 1"]
    found = []
    for text in texts:
        values: dict[str, object] = {}
        exec(f"def main(a):\n    {text}\n", values)  # noqa: S102
        found.append(code_of(values["main"], Path()))  # type: ignore[arg-type]
    assert found[0] == found[3]
    assert len({str(item) for item in found}) == 3
