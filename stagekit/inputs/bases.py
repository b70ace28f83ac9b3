"""Which images the names of base images mean now."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import msgspec

from stagekit import durable
from stagekit.cancel import Cancel
from stagekit.engine.reference import familiar, split_reference
from stagekit.errors import EngineError, EngineRefused, LedgerError
from stagekit.events import Emit, Noted
from stagekit.images import ImageFacts
from stagekit.protocols import Engine
from stagekit.records import Part

_ASK_EVERY = 3600.0


class _Answer(Part, frozen=True):
    """A registry's answer and when it was given, in seconds since 1970; None for no answer."""

    digest: str | None
    at: float


class BaseImages:
    """Tells base images' digests: the engine's own where it has the image, else the registry's,
    which is asked at most once an hour.

    Args:
        engine: where images are built.
        memory: file in which registries' answers are kept.
        fresh: ask every registry now, and pull what the engine has.
        read_only: ask only, where it would be pulled: tags on the engine stay where they are.
        emit: told of pulls and of registries that do not answer.
        cancel: stops a pull.
    """

    def __init__(
        self,
        engine: Engine,
        memory: Path,
        *,
        fresh: bool,
        read_only: bool = False,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._fresh = fresh
        self._read_only = read_only
        self._emit = emit
        self._cancel = cancel
        self._answers = _load(memory)
        self._told: dict[str, str | None] = {}

    def digest(self, name: str) -> str | None:
        """Return what ``name`` means, or None where neither engine nor registry knows it."""
        if name not in self._told:
            try:
                self._told[name] = self._on_engine(name) or self._in_registry(name)
            except EngineRefused:  # no name of an image: only the builder knows what is meant
                self._told[name] = None
        return self._told[name]

    def _on_engine(self, name: str) -> str | None:
        found = self._engine.image(name)
        if found and self._fresh and found.digests:
            if self._read_only:
                return self._ask(name) or _digest_of(found, name)
            self._engine.pull(name, emit=self._emit, cancel=self._cancel)
            found = self._engine.image(name)
        return _digest_of(found, name) if found else None

    def _in_registry(self, name: str) -> str | None:
        known = self._answers.get(name)
        now = time.time()
        if known and not self._fresh and 0 <= now - known.at < _ASK_EVERY:
            return known.digest
        digest = self._ask(name) or (known.digest if known else None)
        self._answers[name] = _Answer(digest=digest, at=now)
        with suppress(LedgerError):
            durable.write_file(self._memory, msgspec.json.encode(self._answers))
        return digest

    def _ask(self, name: str) -> str | None:
        try:
            return self._engine.registry_digest(name)
        except EngineError as error:
            self._emit(
                Noted(f"base image {name}: its registry does not say what it is ({error.what})")
            )
            return None


def _digest_of(image: ImageFacts, name: str) -> str:
    # As the registry has it: before a builder has pulled it, its registry was asked.
    repository = familiar(split_reference(name)[0])
    known = sorted(image.digests, key=lambda item: not item.startswith(f"{repository}@"))
    # Of another repository, it is of the same manifest: pulled by digest later, it is this one.
    return known[0].partition("@")[2] if known else image.id


def _load(memory: Path) -> dict[str, _Answer]:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, _Answer])
    except (OSError, msgspec.DecodeError, ValueError):
        return {}
