"""Which images a Dockerfile takes anything from."""

from __future__ import annotations

import pytest

from stagekit.inputs.dockerfile import base_images


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM busybox:1", ("busybox:1",)),
        ("from busybox as base\nFROM base", ("busybox",)),
        ("FROM a AS x\nFROM b AS y\nCOPY --from=x /a /a", ("a", "b")),
        ("FROM a\nCOPY --from=registry.test/tool:2 /t /t", ("a", "registry.test/tool:2")),
        ("FROM a\nCOPY --chown=1:1 --from=b /t /t", ("a", "b")),
        ("FROM a\nRUN --mount=type=bind,from=b,target=/b ls", ("a", "b")),
        ("FROM a\nCOPY --from=0 /t /t", ("a",)),
        ("FROM scratch", ()),
        ("FROM --platform=$BUILDPLATFORM golang:1 AS build\nFROM scratch", ("golang:1",)),
        ("ARG V=1.2\nFROM node:${V}", ("node:1.2",)),
        ('ARG V="1.2"\nFROM node:$V-slim', ("node:1.2-slim",)),
        ("ARG V\nFROM node:${V:-9}", ("node:9",)),
        ("ARG V\nFROM node:$V", ()),
        ("ARG A=1\nARG B=$A.2\nFROM x:$B", ("x:1.2",)),
        ("ARG X=1\nFROM a${X:+-x}", ("a-x",)),
        ("FROM a\nARG V=1\nFROM b:$V", ("a",)),
        ("# escape=`\nFROM `\n  busybox", ("busybox",)),
        ("FROM \\\n  # a comment\n  busybox \\\n  AS x", ("busybox",)),
        ("# FROM comment\n\nFROM a", ("a",)),
        ("FROM a@sha256:00", ("a@sha256:00",)),
        ("FROM a\nFROM a", ("a",)),
        ("FROM", ()),
        ("", ()),
        ("RUN echo FROM x", ()),
        ("FROM Base AS Build\nFROM build", ("Base",)),
    ],
)
def test_base_images(text: str, found: tuple[str, ...]) -> None:
    """As the Dockerfile's reference has it."""
    assert base_images(text, {}) == found


def test_a_build_argument_goes_before_a_default() -> None:
    """And fills in one that has none."""
    text = "ARG V=1\nARG IMAGE_BASE\nFROM node:$V\nFROM ${IMAGE_BASE}"
    assert base_images(text, {"V": "2", "IMAGE_BASE": "base:7"}) == ("node:2", "base:7")
