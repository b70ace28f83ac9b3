"""Which images a Dockerfile takes anything from."""

from __future__ import annotations

import time

import pytest

from stagekit.inputs.dockerfile import read_bases


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
        ("FROM a \\", ("a",)),
        ("FROM bus\\\nybox", ("busybox",)),
        ("RUN x \\\\\nFROM a", ("a",)),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM `\na", ("a",)),
        ("# a comment\n# escape=`\nFROM \\\na", ("a",)),
        ("\ufeffFROM a\r\nFROM b\r\n", ("a", "b")),
        ("ARG A=1 B=slim\nFROM x:${A}-${B}", ("x:1-slim",)),
        ("ARG A=1 B=$A.2 C\nFROM x:$B", ("x:1.2",)),
        ("ARG A='1' B=\"2 3\"\nFROM x:$A", ("x:1",)),
        ('ARG A=1\nFROM "x:${A}"', ("x:1",)),
        ("ARG A=a\\ b\nFROM x:${A:+1}", ("x:1",)),
        ("ARG A=\nFROM x:${A:-1}${A-2}${A+3}", ("x:13",)),
        ("FROM x:${A-1}${A+2}", ("x:1",)),
        ("FROM x:${A:-${B:-1}}", ("x:1",)),
        ("ARG A=1\nFROM x:${A:?missing}", ("x:1",)),
        ("ARG A='$B'\nARG B=1\nFROM x:$A", ()),
        ("FROM a\nRUN <<EOF\nFROM users\nEOF\nCOPY --from=b / /", ("a", "b")),
        ("FROM a\nRUN cat <<-'E F' <<B\nFROM x\n\tE F\nFROM y\nB\nFROM c", ("a", "c")),
        ("FROM a\nCOPY <<EOF /x\nFROM b\n EOF\nEOF\nFROM c", ("a", "c")),
        ("FROM a\nRUN echo $(( 1 <<3 ))\nFROM b", ("a", "b")),
        ('FROM a\nRUN echo "<<EOF"\nFROM b\nEOF', ("a", "b")),
        ("FROM a\nRUN curl --from=2020-01-01 x", ("a",)),
        ("FROM a\nRUN --mount=type=cache,target=/x --mount=from=b,target=/b ls", ("a", "b")),
        ('FROM a\nRUN --mount=type=bind,"from=b" ls --mount=from=c', ("a", "b")),
        ("FROM a\nRUN echo it's\nFROM b", ("a", "b")),
    ],
)
def test_base_images(text: str, found: tuple[str, ...]) -> None:
    """As the Dockerfile's reference has it."""
    assert read_bases(text.encode(), {}).images == found


def test_a_build_argument_goes_before_a_default() -> None:
    """And fills in one that has none."""
    text = "ARG V=1\nARG IMAGE_BASE\nFROM node:$V\nFROM ${IMAGE_BASE}"
    assert read_bases(text.encode(), {"V": "2", "IMAGE_BASE": "base:7"}).images == (
        "node:2",
        "base:7",
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM python:${V}-slim", ("python:${V}-slim",)),
        ("ARG A=x\nFROM a:${A%x}\nFROM a:${A%x}", ("a:${A%x}",)),
        ("ARG A=a-$TARGETARCH\nFROM $A", ("a-$TARGETARCH",)),
        ("FROM a AS base-amd64\nFROM base-${TARGETARCH}", ()),
        ("FROM a AS base\nFROM other-${TARGETARCH}", ("other-${TARGETARCH}",)),
        ("FROM a AS x-1-y-2-z\nFROM x-${A}-y-${B}-z", ()),
        ("FROM a AS x-y\nFROM x-${A}-y", ("x-${A}-y",)),
        ("FROM a AS x1y\nFROM ${A}${B}", ()),
        ("FROM a\nCOPY --from=$B / /", ()),
        ("FROM $", ("$",)),
    ],
)
def test_a_name_that_only_the_build_can_fill_in_is_told(text: str, found: tuple[str, ...]) -> None:
    """Unless a stage of the file's own may be meant."""
    assert read_bases(text.encode(), {}).open == found


@pytest.mark.parametrize(
    "text",
    [
        "FROM " + "${A:-" * 50_000,
        "RUN " + "\\" * 100_001 + '"',
        "RUN <<A\n" * 50_000,
        "RUN <<A\nA\n" * 50_000,
        "RUN " + "'\"" * 50_000,
        "ARG A=x\n" + "ARG A=$A$A\n" * 60,
        "FROM scratch AS " + "a" * 60 + "\nFROM " + "${A}" * 30 + "x",
    ],
)
def test_whatever_is_written_is_read_soon(text: str) -> None:
    """And says nothing of images where it is none of a Dockerfile."""
    begun = time.monotonic()
    assert read_bases(text.encode(), {}).images == ()
    assert time.monotonic() - begun < 10
