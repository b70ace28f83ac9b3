"""What is different between two releases: decided from their records and files alone."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from stagekit.envelope import plain
from stagekit.pipeline.compare import Commits, Difference, Side, compare
from stagekit.records import Deploy, Link, Pin
from stagekit.testing.records import COMPOSE_YAML, PIN, a_release, sha

ORIGIN = "environments/prod/config.toml:2"


def variables(values: dict[str, Any], origin: str = ORIGIN) -> bytes:
    table = {name: {"value": value, "origin": origin} for name, value in values.items()}
    return tomli_w.dumps(table).encode()


def secrets(**fingerprints: str) -> bytes:
    """A release's secrets, by their fingerprints."""
    table = {name: {"fingerprint": text} for name, text in fingerprints.items()}
    return tomli_w.dumps({"schema": 1, "secrets": table}).encode()


def side(id: str = "v1", files: dict[str, bytes] | None = None, **changes: Any) -> Side:
    release = a_release(id=id, **changes)
    given = {"compose.yaml": COMPOSE_YAML, "variables.toml": variables({"A": 1})}
    return Side(name=release.name, release=release, files={**given, **(files or {})})


def changed(key: str, old: bytes, new: bytes) -> Difference:
    return compare(side(files={key: old}), side("v2", files={key: new}))


def test_the_same_content_does_not_differ() -> None:
    """Whatever the ids, times and people."""
    difference = compare(side(), side("v2", actor="bob@ci", message="again"))
    assert not difference.differs
    assert (difference.old, difference.new) == ("prod/v1", "prod/v2")
    assert difference == Difference(
        old="prod/v1",
        new="prod/v2",
        old_build=side().release.build,
        new_build=side().release.build,
    )


def test_images_by_service() -> None:
    """Changed, come and gone; one asked for otherwise, and pinned alike, is the same."""
    other = Pin(asked="web:2", pinned=f"web@{sha('2')}", kind="digest")
    renamed = Pin(asked="registry.test/web:stable", pinned=PIN.pinned, kind="digest")
    difference = compare(
        side(pins={"web": PIN, "old": PIN, "same": PIN}),
        side("v2", pins={"web": other, "new": PIN, "same": renamed}),
    )
    found = [(item.service, item.kind, item.old, item.new) for item in difference.images]
    assert found == [
        ("new", "added", None, PIN),
        ("old", "removed", PIN, None),
        ("web", "changed", PIN, other),
    ]
    assert difference.differs


def test_variables_with_their_origins() -> None:
    """Both values, each with the file and line that set it."""
    old = variables({"A": "1", "gone": True, "same": [1, 2]})
    new = variables({"A": "2", "come": 1.5, "same": [1, 2]}, "environments/prod/config.toml:9")
    difference = changed("variables.toml", old, new)
    found = {item.name: item for item in difference.variables}
    assert {name: item.kind for name, item in found.items()} == {
        "A": "changed",
        "come": "added",
        "gone": "removed",
    }
    a = found["A"]
    assert a.old
    assert a.new
    assert (a.old.value, a.old.origin) == ("1", ORIGIN)
    assert (a.new.value, a.new.origin) == ("2", "environments/prod/config.toml:9")
    assert difference.differs


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), ("1", 1), ([1], [True]), ("", [])])
def test_values_of_another_type_differ(old: object, new: object) -> None:
    """Python takes 1 for true; a container's environment does not."""
    difference = changed("variables.toml", variables({"A": old}), variables({"A": new}))
    assert [item.kind for item in difference.variables] == ["changed"]


@given(
    st.recursive(
        st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5) | st.datetimes(),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    )
)
def test_a_value_does_not_differ_from_itself(value: object) -> None:
    """Whatever TOML can hold."""
    data = variables({"A": value})
    assert tomllib.loads(data.decode())
    assert not changed("variables.toml", data, data).differs


def test_a_line_that_moved_is_no_change() -> None:
    """Another file is worth saying, but nothing that runs differs."""
    moved = variables({"A": 1}, "environments/prod/config.toml:30")
    assert changed("variables.toml", variables({"A": 1}), moved).variables == ()
    base = variables({"A": 1}, "environments/base/config.toml:2")
    difference = changed("variables.toml", variables({"A": 1}), base)
    assert [(item.name, item.kind) for item in difference.variables] == [("A", "same")]


def test_of_secrets_only_whether_they_differ() -> None:
    """Nothing of a value, nor of a fingerprint, gets out."""
    old = secrets(SAME="hmac:11", OTHER="hmac:22", GONE="hmac:33")
    new = secrets(SAME="hmac:11", OTHER="hmac:44", COME="hmac:55")
    difference = changed("secrets.toml", old, new)
    assert [(item.name, item.kind) for item in difference.secrets] == [
        ("COME", "added"),
        ("GONE", "removed"),
        ("OTHER", "changed"),
        ("SAME", "same"),
    ]
    assert "hmac" not in str(plain(difference))
    assert difference.differs
    assert not changed("secrets.toml", new, new).differs


def test_secrets_that_a_release_only_names() -> None:
    """A provider that leaves nothing in the release: come and gone are known all the same."""
    difference = compare(side(secrets=("A", "B")), side("v2", secrets=("B", "C")))
    found = {item.name: item.kind for item in difference.secrets}
    assert found == {"A": "removed", "B": "same", "C": "added"}


def test_settings_and_files() -> None:
    """How it is run, and what travels with it."""
    old = side(deploy=Deploy(timeout=10), files={"files/aa/a": b"1", "files/bb/b": b"1"})
    new = side("v2", deploy=Deploy(timeout=20), files={"files/aa/a": b"1", "files/cc/c": b"1"})
    difference = compare(old, new)
    assert [(item.name, item.old, item.new) for item in difference.settings] == [
        ("timeout", 10, 20)
    ]
    assert [(item.path, item.kind) for item in difference.files] == [
        ("files/bb/b", "removed"),
        ("files/cc/c", "added"),
    ]
    assert difference.differs


def test_the_documents_as_a_unified_diff() -> None:
    """With the names of both releases."""
    difference = changed(
        "compose.yaml", b"services:\n  web:\n    a: 1\n", b"services:\n  web: {}\n"
    )
    assert difference.document[:2] == ("--- prod/v1/compose.yaml", "+++ prod/v2/compose.yaml")
    assert "-    a: 1" in difference.document


def test_another_build_is_a_difference() -> None:
    """Also where its images are the same; the commits are those it was given."""
    commits = Commits(old="a" * 40, new="b" * 40, gained=("bbb fix",))
    other = side("v2", build=Link(id="b2", digest=sha("b2")))
    difference = compare(side(), other, commits)
    assert difference.differs
    assert difference.commits == commits


def test_a_plan_is_compared_like_a_release() -> None:
    """It has no id yet, and goes by the name that it is given."""
    plan = Side(name="the plan", release=a_release(id=""), files={"compose.yaml": COMPOSE_YAML})
    difference = compare(side(), plan)
    assert difference.new == "the plan"
    assert [item.kind for item in difference.variables] == ["removed"]


def test_what_is_to_be_known_of_a_side_is_passed_on() -> None:
    """Both sides'."""
    old = Side(name="a", release=a_release(), files={}, notes=("one",))
    new = Side(name="b", release=a_release(), files={}, notes=("two",))
    assert compare(old, new).notes == ("one", "two")
