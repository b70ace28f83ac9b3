"""What is short to write, and would take for ever to read."""

from __future__ import annotations

import re
import tomllib

import pytest
from docker.utils.build import Pattern
from docker.utils.fnmatch import fnmatchcase
from hypothesis import example, given
from hypothesis import strategies as st

from stagekit import toml
from stagekit.engine.context import Ignoring
from stagekit.errors import InputError
from stagekit.inputs.positions import lines_of

NAMES = st.text(st.sampled_from("ab/.*?[]!-\\"), min_size=1, max_size=12)
PATHS = st.from_regex(r"[ab.][ab./]{0,13}", fullmatch=True)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the SDK's expression for `[[]`
@given(NAMES, PATHS)
@example("*a*b*", "xaxb")
@example("a*[ab]*b", "a/b/b")
@example("**/a*b*c", "x/y/a1b2c")
@example("*?*?b", "aab")
def test_stars_mean_what_they_meant(text: str, path: str) -> None:
    """To take as little as they can, and give nothing back, finds the same entries."""
    pattern = Pattern(text)
    if not pattern.dirs or pattern.exclusion:
        return
    try:
        expected = fnmatchcase(path, pattern.cleaned_pattern)
        travels = Ignoring([text])._found(path)[1]
    except (ValueError, re.error, InputError):
        return  # a range that is none
    above = path.rpartition("/")[0]
    inherited = bool(above) and Ignoring([text])._found(above)[1]
    assert travels == (expected or inherited)


@pytest.mark.parametrize("text", ["*a" * 30 + "b", "a*?" * 30 + "b"])
def test_many_stars(text: str) -> None:
    """Tried in every way, they took longer than anybody lives."""
    assert Ignoring([text]).travels("a" * 60)


def test_a_pattern_that_is_none() -> None:
    """It says which, and where such patterns stand."""
    with pytest.raises(InputError, match=r"'\[z-a\]' is no pattern") as caught:
        Ignoring(["[z-a]"]).travels("x")
    assert caught.value.where == ".dockerignore"


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000 + "]" * 5000,
        "a = " + "{a = " * 500 + "1" + "}" * 500,
        "a." * 2000 + "b = 1",
        "[" + "a." * 2000 + "b]",
        "a = " + "9" * 5000,
        "a = 0x" + "f" * 500_000 + "g",
    ],
)
def test_toml_that_nobody_writes(text: str) -> None:
    """One kind of error, whatever is wrong."""
    with pytest.raises(tomllib.TOMLDecodeError):
        toml.loads(text)


def test_toml_as_deep_as_somebody_may_write_it() -> None:
    """And no deeper."""
    deepest = 99
    assert toml.loads("a = " + "[" * deepest + "]" * deepest)
    with pytest.raises(tomllib.TOMLDecodeError, match="more than 100"):
        toml.loads("a = " + "[" * (deepest + 1) + "]" * (deepest + 1))


def test_a_value_of_very_many_lines() -> None:
    """Its end is looked for at each that could be it, for as long as that is worth it."""
    text = "a = 1\nb = [\n" + '"]",\n' * 4_000 + "]\nc = 2\n"
    assert lines_of(text)["a",] == 1
    assert lines_of("a = [\n[1],\n[2],\n]\nc = 2\n")["c",] == 5
