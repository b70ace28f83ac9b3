"""What would make Compose, or us, loop or take all memory ends with an error within the limits."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NoReturn

import pytest

from stagekit.cancel import Cancel
from stagekit.engine import compose as module
from stagekit.engine.compose import find_compose
from stagekit.engine.documents import Document
from stagekit.errors import InputError, ReleaseFailed
from stagekit.inputs.expansion import refuse_endless
from stagekit.inputs.includes import files_read
from stagekit.inputs.interpolation import references
from tests.bombs import BOMBS, SERVICE, laughs

MEGABYTE = 2**20


def normalised(folder: Path, text: str, *, checked: bool = True) -> str:
    """What a release does with a document before it is sealed; ``checked`` with our own checks."""
    if checked:
        references(text, where="compose.yaml")
        refuse_endless(text, where="compose.yaml")
        files_read(text, folder, variables={}, where="compose.yaml")
    return find_compose(os.environ, {}).config(
        [Document(text=text, where="compose.yaml")],
        name="shop-prod",
        folder=folder,
        variables={},
        cancel=Cancel(),
        warn=unwanted,
    )


def unwanted(text: str) -> NoReturn:
    pytest.fail(text)


@pytest.mark.parametrize("name", BOMBS)
def test_what_has_no_end_is_an_error(tmp_path: Path, name: str) -> None:
    """Within Compose's own limits of time and memory, and with little of ours."""
    for path, text in BOMBS[name].items():
        (tmp_path / path).write_text(text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((InputError, ReleaseFailed)) as caught:
        normalised(tmp_path, BOMBS[name]["compose.yaml"])
    assert "goroutine" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024
    assert str(caught.value.where).startswith("compose.yaml")


def test_compose_itself_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in an included file we do not count: the limit of time ends it."""
    monkeypatch.setattr(module, "CONFIG_LIMIT", 1.0)
    with pytest.raises(ReleaseFailed, match="does not come to an end") as caught:
        normalised(tmp_path, laughs(10), checked=False)
    assert caught.value.where == "compose.yaml"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: 1\nb: &x\n  c: *x\n", "compose.yaml:2"),
        ("a: &x [1, *x]\n", "compose.yaml:1"),
        ("x-a: &a\n  <<: *a\n", "compose.yaml:1"),
    ],
)
def test_an_anchor_that_holds_itself_is_named_by_its_line(text: str, where: str) -> None:
    """Whatever Compose would make of it."""
    with pytest.raises(InputError, match="holds itself") as caught:
        refuse_endless(text, where="compose.yaml")
    assert caught.value.where == where


@pytest.mark.parametrize(
    "text",
    [
        SERVICE,
        "x-a: &a {k: v}\nservices:\n" + "".join(f"  s{n}: {{<<: *a}}\n" for n in range(1000)),
        laughs(5),
        "",
        "---\n",
        "a: '*x'\n",
    ],
)
def test_aliases_as_people_use_them_are_fine(text: str) -> None:
    """A thousand services may share what they have in common."""
    refuse_endless(text, where="compose.yaml")
