"""Builds with the engine's own builder over its API, for machines without buildx."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from stagekit.cancel import Cancel
from stagekit.engine import context
from stagekit.engine.docker import DockerEngine
from stagekit.errors import BuildFailed, EngineRefused
from stagekit.events import Emit, Output, Progress
from stagekit.images import ImageSpec

_STEP = re.compile(r"Step \d+/\d+ : .+")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What a step writes to stderr arrives in red."""


class ClassicBuilder:
    """The `stagekit.protocols.Builder` that every engine has."""

    name = "classic"

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    @cached_property
    def version(self) -> str:
        """The engine's: its builder has none of its own."""
        return self._engine.facts().version

    def lacks(self, spec: ImageSpec) -> tuple[str, ...]:
        wishes = {
            "platforms": len(spec.platforms) > 1,
            "secrets": bool(spec.secrets),
            "ssh": bool(spec.ssh),
            "cache.to": bool(spec.cache_to),
            "cache.from": any("type=" in source for source in spec.cache_from),
            "provenance": spec.provenance is not None,
            "sbom": spec.sbom is not None,
            "reproducible": spec.epoch is not None,
        }
        wished = [wish for wish, is_wished in wishes.items() if is_wished]
        return (f"{', '.join(wished)}: needs BuildKit; install docker-buildx",) if wished else ()

    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        output: list[str] = []
        step = image = ""
        with context.archive(spec) as (packed, dockerfile):
            entries = self._engine.build_context(packed, spec, dockerfile=dockerfile, cancel=cancel)
            try:
                for entry in entries:
                    lines = _COLOUR.sub("", str(entry.get("stream", ""))).splitlines()
                    for line in filter(str.strip, lines):
                        output.append(line)
                        emit(Output("build", spec.name, line))
                    for line in filter(_STEP.fullmatch, lines):
                        step = line
                        emit(Progress("build", spec.name, step))
                    image = _image_id(entry) or image
                    _check(entry, spec, step, output)
            except EngineRefused as error:  # the Dockerfile did not even parse
                raise BuildFailed(
                    error.what, where=f"image {spec.name}", hint=error.hint
                ) from error
        for reference in spec.references[1:]:
            self._engine.tag(image, reference)
        return image


def _image_id(entry: dict[str, Any]) -> str | None:
    aux = entry.get("aux")
    return str(aux["ID"]) if isinstance(aux, dict) and "ID" in aux else None


def _check(entry: dict[str, Any], spec: ImageSpec, step: str, output: list[str]) -> None:
    if message := entry.get("error"):
        where = f"image {spec.name}, {step}" if step else f"image {spec.name}"
        raise BuildFailed(str(message).strip(), where=where, output=tuple(output[-20:]))
