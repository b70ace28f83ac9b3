"""How builds are named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stagekit.builtin.shipped import shipped
from stagekit.errors import InputError
from stagekit.plugins.manager import Plugins
from stagekit.records import CI, Source

NOW = datetime(2026, 4, 6, 20, 32, 17, tzinfo=UTC)
SOURCE = Source(commit="0123456789abcdef" + "0" * 24)
GOCD = CI(name="gocd", pipeline="shop", counter="42")


def named(
    scheme: str = "auto",
    ci: CI | None = None,
    source: Source = SOURCE,
    taken: tuple[str, ...] = (),
) -> str:
    return Plugins(shipped()).build_id(scheme, ci=ci, source=source, now=NOW, taken=taken)


def test_by_hand_a_build_is_named_by_the_minute() -> None:
    """In UTC, so that they sort alike everywhere."""
    assert named() == named("timestamp") == "2026.04.06-20.32"


def test_on_a_ci_it_is_named_by_its_job() -> None:
    """What runs is traced to the pipeline that built it; a repeated job is told apart."""
    assert named(ci=GOCD) == "shop-42"
    assert named(ci=CI(name="gocd", pipeline="shop", counter="42", attempt="2")) == "shop-42.2"
    assert named("timestamp", ci=GOCD) == "2026.04.06-20.32"


def test_a_ci_that_tells_no_counter_leaves_the_time() -> None:
    """Its name alone tells no two builds apart."""
    assert named(ci=CI(name="ci")) == "2026.04.06-20.32"


def test_a_long_pipeline_does_not_cut_off_its_counter() -> None:
    """The counter is what tells two builds apart."""
    ci = CI(name="gocd", pipeline="p" * 300, counter="4321", attempt="2")
    assert named(ci=ci) == "p" * 100 + "-4321.2"


def test_by_commit() -> None:
    """Git's, else the CI's; uncommitted changes are said."""
    assert named("commit") == "0123456789ab"
    assert named("commit", source=Source(commit="f" * 40, dirty=True)) == "f" * 12 + "-dirty"
    assert named("commit", ci=CI(name="github", commit="d" * 40), source=Source()) == "d" * 12
    with pytest.raises(InputError, match="no commit to name a build after"):
        named("commit", source=Source())


def test_by_counter() -> None:
    """One more than the highest there is, whatever else builds are called."""
    assert named("counter") == "v1"
    assert named("counter", taken=("v2", "v10", "2026.04.06-20.32", "vx", "v", "v¹")) == "v11"


def test_an_unknown_scheme_is_told_which_there_are() -> None:
    """Where it is set."""
    with pytest.raises(InputError, match="no plugin names builds by 'semver'") as caught:
        named("semver")
    assert caught.value.where == "pyproject.toml [tool.stagekit] id"
    assert caught.value.hint == "auto, timestamp, commit and counter ship"
