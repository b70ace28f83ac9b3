"""Ids and tags: Docker takes each of them, whatever it was made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit.errors import InputError
from stagekit.inputs.project import Project
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.tags import further_tags, id_of
from stagekit.records import CI, Source

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
SOURCE = Source(commit="c" * 40, branch="feature/login")


def tags_of(source: Source = SOURCE, ci: CI | None = None, **settings: object) -> tuple[str, ...]:
    project = Project(
        root=Path(),
        name="shop",
        registries=(),
        builder="auto",
        templates=(Path(),),
        images={},
        **settings,  # type: ignore[arg-type]
    )
    return further_tags(project, source, ci, "b1")


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("2011-04-06-20:32:17", "2011-04-06-20-32-17"),
        ("shop/main 7", "shop-main-7"),
        ("..hidden", "hidden"),
        ("--x", "x"),
        ("_x_", "x_"),
        ("ä", "build"),
        ("", "build"),
        ("x" * 300, "x" * 120),
    ],
)
def test_an_id_becomes_a_tag(text: str, id: str) -> None:
    """What Docker does not take is replaced; what is left of nothing is still a name."""
    assert id_of(text) == id


@given(st.text())
def test_any_id_is_a_tag_and_a_name_in_the_ledger(text: str) -> None:
    """With room for the number that follows a taken one."""
    id = id_of(text)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}", id)
    FileLedger(Path("/nowhere")).release_folder("prod", f"{id}-9999999")


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="{")))
def test_any_branch_and_any_template_is_a_tag_or_none(branch: str, text: str) -> None:
    """Nothing that a branch can be called makes a push fail."""
    for tag in tags_of(Source(branch=branch), tags=("{{ branch }}", text)):
        assert TAG.fullmatch(tag)


def test_latest_moves_unless_the_project_says_otherwise() -> None:
    """Next to the id, which is not among them."""
    assert tags_of() == ("latest",)
    assert tags_of(latest=False) == ()
    assert tags_of(tags=("b1", "latest")) == ("latest",)


def test_templates_know_branch_commit_and_build() -> None:
    """From git, or from the CI where git has a bare commit; what is empty is left out."""
    templates = ("{{ branch }}", "{{ commit[:7] }}", "x-{{ build }}")
    assert tags_of(tags=templates, latest=False) == ("feature-login", "ccccccc", "x-b1")
    ci = CI(name="github", branch="main", commit="d" * 40)
    assert tags_of(Source(), ci, tags=templates, latest=False) == ("main", "ddddddd", "x-b1")
    assert tags_of(Source(), tags=templates, latest=False) == ("x-b1",)


@pytest.mark.parametrize("template", ["{{ brnch }}", "{{ branch", "{{ branch.x.y }}", "{{ 1/0 }}"])
def test_a_wrong_template_is_told_what_there_is(template: str) -> None:
    """Before anything is built."""
    with pytest.raises(InputError) as caught:
        tags_of(tags=(template,))
    assert caught.value.where == "pyproject.toml [tool.stagekit] tags"
    assert "branch, commit, build" in str(caught.value.hint)
