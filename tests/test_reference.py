"""Image references are split where Docker splits them."""

from __future__ import annotations

import pytest

from stagekit.engine.reference import split_reference

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
