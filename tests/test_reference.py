"""Image references are split where Docker splits them."""

from __future__ import annotations

import pytest

from stagekit.engine.reference import is_reference, split_reference

SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "repository", "rest"),
    [
        ("redis", "redis", None),
        ("redis:7", "redis", "7"),
        ("library/redis:7", "library/redis", "7"),
        ("localhost:5000/app", "localhost:5000/app", None),
        ("localhost:5000/app:1.0", "localhost:5000/app", "1.0"),
        ("r.test/team/app:latest", "r.test/team/app", "latest"),
        (f"redis@{SHA}", "redis", SHA),
        (f"localhost:5000/app@{SHA}", "localhost:5000/app", SHA),
        (f"localhost:5000/app:1.0@{SHA}", "localhost:5000/app", SHA),
    ],
)
def test_a_tag_or_digest_is_split_off(reference: str, repository: str, rest: str | None) -> None:
    """A port belongs to the repository; a digest goes before a tag."""
    assert split_reference(reference) == (repository, rest)


@pytest.mark.parametrize(
    "reference",
    [
        *("redis", "redis:7", "library/redis:7.2-alpine_1", "a__b/c.d-e", "R.test:5000/team/app:L"),
        *("localhost:5000/app", f"redis@{SHA}", f"r.test/app:1.0@{SHA}", "[::1]:5000/app"),
    ],
)
def test_a_reference_is_one(reference: str) -> None:
    """With and without host, tag and digest."""
    assert is_reference(reference)


@pytest.mark.parametrize(
    "reference",
    [
        *("", "Redis", "redis:", "redis:2011-04-06-20:32:17", "redis: 7", "a//b", "/a", "a/", "-a"),
        *("redis@sha256:12", f"redis@{SHA}0", f"redis@{SHA.upper()}", "redis@md5:" + "0" * 32),
        *(f"redis@{SHA}@{SHA}", "redis:7:8", "redis:" + "x" * 129, "https://r.test/app", "a b"),
    ],
)
def test_what_docker_would_refuse_is_none(reference: str) -> None:
    """A timestamp with colons is no tag; a digest has its length."""
    assert not is_reference(reference)
