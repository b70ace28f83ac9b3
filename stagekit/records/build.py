"""A build: what was built, once."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from stagekit.records.parts import CI, Failure, Link, Part, Source

BuildStatus = Literal["succeeded", "failed", "interrupted"]


class BuilderFacts(Part, frozen=True):
    """What built the images: ``engine`` is that engine's id, ``platform`` its ``os/arch``."""

    name: str
    version: str
    engine: str
    platform: str


class BuiltImage(Part, frozen=True):
    """One image of a build. ``size`` is in bytes.

    ``digest`` is what the registry returned for the pushed reference: the one digest that pins.
    Without a push there is none, and ``image_id`` pins on the engine that built it. ``copies`` are
    the repositories of further registries, with what each of those returned.

    ``fingerprint`` is the digest of what it was made from (``<build>.inputs`` beside the record
    lists it); none where that changed while it was built. ``why`` is what had changed since the
    build before. ``made_by`` is the older build that made it, where nothing had.
    """

    repository: str
    tags: tuple[str, ...]
    image_id: str
    size: int
    pushed: bool
    digest: str | None = None
    copies: dict[str, str] = {}
    fingerprint: str | None = None
    why: tuple[str, ...] = ()
    made_by: str | None = None

    @property
    def pin(self) -> str:
        """The reference that means these bytes and no others."""
        return f"{self.repository}@{self.digest}" if self.digest else self.image_id


class CheckPassed(Part, frozen=True):
    """A command that an image of a build passed, and the seconds it took; ``entrypoint`` is what
    went before the image's own."""

    name: str
    image: str
    run: tuple[str, ...]
    seconds: float
    entrypoint: tuple[str, ...] | None = None


class Build(Part, frozen=True):
    """What was built, once: ``artifacts/builds/<id>.toml``.

    ``engine_local`` says that nothing was pushed: it runs only on the engine that built it.
    ``failures`` has one entry for each image that stopped it, the first to do so first.
    """

    id: str
    status: BuildStatus
    project: str
    created: datetime
    finished: datetime
    actor: str
    engine_local: bool
    source: Source
    builder: BuilderFacts
    ci: CI | None = None
    failures: tuple[Failure, ...] = ()
    checks: tuple[CheckPassed, ...] = ()
    images: dict[str, BuiltImage] = {}

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"


class BuildPruning(Part, frozen=True):
    """What stays of a build that was put away: ``artifacts/builds/<id>.pruned``.

    ``built`` is when it had been made, ``commit`` from what, ``images`` are the pins of what it
    made: what a pruned release ran can still be told. Its id is not given again.
    """

    build: Link
    built: datetime
    created: datetime
    actor: str
    commit: str | None = None
    ci: CI | None = None
    images: dict[str, str] = {}

    @property
    def id(self) -> str:
        return self.build.id
