"""Builds with BuildKit, by the buildx program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine import commands, context
from stagekit.errors import BuildFailed, EngineError
from stagekit.events import Emit, Output, Progress
from stagekit.images import ImageSpec
from stagekit.protocols import Engine

_BUILD_LIMIT = 3 * 3600.0
_ARCHIVE = "image.stagekit"
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+\S*)")
_DRIVER = re.compile(r"^Driver:\s+(\S+)", re.MULTILINE)
_STEP = re.compile(r"#\d+ (\[.+\] .+)")
_FAILED_STEP = re.compile(r"\s*> (\[.+\] .+):$")
_SAID = re.compile(r"#\d+ (?:\d+\.\d+ )?(.*)")


class BuildxBuilder:
    """The `stagekit.protocols.Builder` for BuildKit.

    Args:
        program: buildx, called directly.
        engine: whose BuildKit builds, and which gets the image.
        environ: where secrets' variables are.
    """

    name = "buildx"

    def __init__(self, program: Path, engine: Engine, environ: Mapping[str, str]) -> None:
        self._program = program
        self._engine = engine
        self._environ = environ

    @cached_property
    def version(self) -> str:
        result = self._ask(commands.buildx_version(self._program))
        found = _VERSION.search(result.stdout)
        if not result.ok or not found:
            raise EngineError("does not say which version it is", where=str(self._program))
        return found.group(1)

    def lacks(self, spec: ImageSpec) -> tuple[str, ...]:
        return (*self._lacking_store(spec), *self._lacking_secrets(spec))

    def _lacking_store(self, spec: ImageSpec) -> Iterator[str]:
        """Only the containerd image store keeps an image of several platforms, or what attests it
        (https://docs.docker.com/engine/storage/containerd/)."""
        exported = [to for to in spec.cache_to if "type=inline" not in to and to != "inline"]
        wishes = {
            "platforms": len(spec.platforms) > 1,
            "provenance": spec.provenance is not None,
            "sbom": spec.sbom is not None,
            "reproducible": spec.epoch is not None,
            "cache.to": bool(exported) and self._driver == "docker",
        }
        wished = [wish for wish, is_wished in wishes.items() if is_wished]
        if wished and self._engine.facts().image_store != "containerd":
            yield (
                f"{', '.join(wished)}: the engine's image store cannot keep it; Docker 24 or newer "
                'can, with {"features": {"containerd-snapshotter": true}} in its daemon.json'
            )

    def _lacking_secrets(self, spec: ImageSpec) -> Iterator[str]:
        for secret in spec.secrets:
            if secret.variable and secret.variable not in self._environ:
                yield f"secret {secret.id}: ${secret.variable} is not set"
            if secret.file and not secret.file.is_file():
                yield f"secret {secret.id}: there is no file {secret.file}"

    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        def report(line: str) -> None:
            emit(Output("build", spec.name, line))
            if step := _STEP.fullmatch(line):
                emit(Progress("build", spec.name, step.group(1)))

        with context.ignoring_dockerfile(spec) as dockerfile, context.of_its_commit(spec) as sent:
            archive = dockerfile.with_name(_ARCHIVE) if spec.epoch is not None else None
            result = process.run(
                commands.buildx_build(self._program, sent, dockerfile=dockerfile, archive=archive),
                env={**self._engine.environment(), **self._secret_variables(spec)},
                limit=_BUILD_LIMIT,
                cancel=cancel,
                on_line=report,
                mask=tuple(self._secret_values(spec)),
            )
            if not result.ok:
                raise _failure(result.stderr.splitlines(), spec)
            if archive:
                self._engine.load(archive, cancel=cancel)
        image = self._engine.image(spec.references[0])
        if image is None:
            raise BuildFailed(
                "the builder did not load the image into the engine",
                where=f"image {spec.name}",
                hint="docker buildx use default: a builder of its own engine keeps what it builds",
            )
        return image.id

    @cached_property
    def _driver(self) -> str:
        result = self._ask(commands.buildx_inspect(self._program))
        found = _DRIVER.search(result.stdout)
        return found.group(1) if found else "unknown"

    def _ask(self, argv: commands.Argv) -> process.Result:
        return process.run(argv, env=self._engine.environment(), limit=20.0, cancel=Cancel())

    def _secret_variables(self, spec: ImageSpec) -> dict[str, str]:
        names = [secret.variable for secret in spec.secrets if secret.variable]
        return {name: self._environ[name] for name in names if name in self._environ}

    def _secret_values(self, spec: ImageSpec) -> Iterator[str]:
        yield from self._secret_variables(spec).values()
        for secret in spec.secrets:
            if secret.file:
                yield secret.file.read_text("utf-8", "replace")


def _failure(lines: list[str], spec: ImageSpec) -> BuildFailed:
    steps = [found.group(1) for line in lines if (found := _FAILED_STEP.fullmatch(line))]
    reason = next((line for line in reversed(lines) if line.startswith("ERROR:")), "it failed")
    said = [found.group(1) for line in lines if (found := _SAID.fullmatch(line)) and found.group(1)]
    return BuildFailed(
        reason.removeprefix("ERROR:").strip().removeprefix("failed to solve: "),
        where=f"image {spec.name}, {steps[-1]}" if steps else f"image {spec.name}",
        output=tuple(said[-20:]),
    )
