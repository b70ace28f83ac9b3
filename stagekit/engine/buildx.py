"""Builds with BuildKit, by the buildx program."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from stagekit import process
from stagekit.engine import commands, context
from stagekit.errors import BuildFailed, EngineError
from stagekit.events import Emit, Progress
from stagekit.process import Cancel
from stagekit.protocols import Engine, ImageSpec

_BUILD_LIMIT = 3 * 3600.0
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+\S*)")
_STEP = re.compile(r"#\d+ (\[.+\] .+)")
_FAILED_STEP = re.compile(r"\s*> (\[.+\] .+):$")
_SAID = re.compile(r"#\d+ (?:\d+\.\d+ )?(.*)")


class BuildxBuilder:
    """The `stagekit.protocols.Builder` for BuildKit.

    Args:
        program: buildx, called directly.
        engine: whose BuildKit builds, and which gets the image.
    """

    name = "buildx"

    def __init__(self, program: Path, engine: Engine) -> None:
        self._program = program
        self._engine = engine

    @cached_property
    def version(self) -> str:
        result = process.run(
            commands.buildx_version(self._program),
            env=self._engine.environment(),
            limit=20.0,
            cancel=Cancel(),
        )
        found = _VERSION.search(result.stdout)
        if not result.ok or not found:
            raise EngineError("does not say which version it is", where=str(self._program))
        return found.group(1)

    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        def report(line: str) -> None:
            if step := _STEP.fullmatch(line):
                emit(Progress("build", spec.name, step.group(1)))

        with context.ignoring_dockerfile(spec) as dockerfile:
            argv = commands.buildx_build(
                self._program,
                context=spec.context,
                dockerfile=dockerfile,
                references=spec.references,
                target=spec.target,
                args=spec.args,
            )
            result = process.run(
                argv,
                env=self._engine.environment(),
                limit=_BUILD_LIMIT,
                cancel=cancel,
                on_line=report,
            )
        if not result.ok:
            raise _failure(result.stderr.splitlines(), spec)
        image = self._engine.image(spec.references[0])
        if image is None:
            raise BuildFailed(
                "the builder did not load the image into the engine",
                where=f"image {spec.name}",
                hint="docker buildx use default: a builder of its own engine keeps what it builds",
            )
        return image.id


def _failure(lines: list[str], spec: ImageSpec) -> BuildFailed:
    steps = [found.group(1) for line in lines if (found := _FAILED_STEP.fullmatch(line))]
    reason = next((line for line in reversed(lines) if line.startswith("ERROR:")), "it failed")
    said = [found.group(1) for line in lines if (found := _SAID.fullmatch(line)) and found.group(1)]
    return BuildFailed(
        reason.removeprefix("ERROR:").strip().removeprefix("failed to solve: "),
        where=f"image {spec.name}, {steps[-1]}" if steps else f"image {spec.name}",
        output=tuple(said[-20:]),
    )
