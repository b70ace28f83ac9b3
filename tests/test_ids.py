"""How builds are named."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from stagekit.errors import InputError
from stagekit.records import CI, Source
from tests.fakes import shipped_plugins

NOW = datetime(2026, 4, 6, 20, 32, 17, tzinfo=UTC)
SOURCE = Source(commit="0123456789abcdef" + "0" * 24)
GOCD = CI(name="gocd", pipeline="shop", counter="42")


def named(
    scheme: str = "auto",
    ci: CI | None = None,
    source: Source = SOURCE,
    taken: tuple[str, ...] = (),
) -> str:
    return shipped_plugins().build_id(scheme, ci=ci, source=source, now=NOW, taken=taken)


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


def release_ids(
    scheme: str, taken: tuple[str, ...] = (), ci: CI | None = GOCD, number: int = 3
) -> list[str]:
    """The first ids that a release may have."""
    ids = shipped_plugins().release_ids(scheme, ci=ci, now=NOW, taken=taken)
    return list(islice(ids, number))


def test_releases_are_counted() -> None:
    """After the highest there ever was; who comes second takes the next."""
    assert release_ids("counter") == ["v1", "v2", "v3"]
    assert release_ids("counter", ("v9", "v10", "2026-04-06-20:32:17")) == ["v11", "v12", "v13"]


def test_releases_are_named_by_the_second() -> None:
    """A second one of the same second has a suffix."""
    time = "2026-04-06-20:32:17"
    assert release_ids("timestamp") == [time, f"{time}-2", f"{time}-3"]
    assert release_ids("timestamp", (time, f"{time}-2"), number=1) == [f"{time}-3"]


def test_releases_are_named_by_the_cis_counter() -> None:
    """With the attempt of a job that was run again; without a CI there is none."""
    assert release_ids("ci", ("42",), number=2) == ["42-2", "42-3"]
    again = CI(name="gocd", pipeline="shop", counter="42", attempt="2")
    assert release_ids("ci", ci=again, number=1) == ["42.2"]
    for none in (None, CI(name="generic")):
        with pytest.raises(InputError, match="no CI whose counter"):
            release_ids("ci", ci=none)


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    """With those that ship."""
    with pytest.raises(InputError, match="no plugin names releases by 'vn'") as caught:
        release_ids("vn")
    assert caught.value.hint == "counter, timestamp and ci ship"


def test_what_others_named_counts_too() -> None:
    """Of any length, with zeros in front, and beside what only looks like it."""
    assert release_ids("counter", ("v007", "v6"), number=1) == ["v8"]
    assert release_ids("counter", ("v0099", "v123"), number=1) == ["v124"]
    assert release_ids("counter", ("v99", "v100", "v9"), number=1) == ["v101"]
    assert release_ids("counter", ("v", "vanilla", "v1.2", "w300", "v2"), number=1) == ["v3"]
