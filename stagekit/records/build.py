"""A build: what was built, once."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from stagekit.records.parts import CI, Failure, Link, Part, Source

BuildStatus = Literal["succeeded", "failed", "interrupted"]


class BuilderFacts(Part, frozen=True):
    """What built the images.

    Attributes:
        name: the builder: ``buildx``, ``classic``, or a plugin's.
        version: its own version.
        engine: the id of the engine that it built on.
        platform: that engine's ``os/arch``.
    """

    name: str
    version: str
    engine: str
    platform: str


class BuiltImage(Part, frozen=True):
    """One image of a build.

    Attributes:
        repository: the first that it was pushed to, or its plain name on the engine.
        tags: what it is tagged with there, the build's id first.
        image_id: its id on the engine; without a push it pins, on that engine alone.
        size: bytes on the engine.
        pushed: whether a registry has it.
        digest: what the registry returned for the pushed reference: the one digest that pins.
        copies: repositories of further registries, with what each of those returned.
        fingerprint: digest of what it was made from, which ``<build>.inputs`` beside the record
            lists; none where that changed while it was built.
        why: what had changed since the build before.
        made_by: the older build that made it, where nothing had.
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

    @property
    def pins(self) -> tuple[str, ...]:
        """Every such reference: the pin, and those of the further registries."""
        return (self.pin, *(f"{name}@{digest}" for name, digest in self.copies.items()))


class CheckPassed(Part, frozen=True):
    """A command that an image of a build passed.

    Attributes:
        name: the check's, in the settings.
        image: the image's, in the settings.
        run: the command's words.
        seconds: how long it took.
        entrypoint: what went before them instead of the image's own.
    """

    name: str
    image: str
    run: tuple[str, ...]
    seconds: float
    entrypoint: tuple[str, ...] | None = None


class Build(Part, frozen=True):
    """What was built, once: ``artifacts/builds/<id>.toml``.

    Attributes:
        status: interrupted is written by the next command, where its process died.
        engine_local: nothing was pushed: it runs only on the engine that built it.
        source: where the source stood.
        builder: what built it.
        failures: one for each image that stopped it, the first to do so first.
        checks: what its images had to pass before they were pushed.
        images: by their names in the settings.
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
    """What stays of a build that was put away: ``artifacts/builds/<id>.pruned``. Its id is not
    given again.

    Attributes:
        build: which one.
        built: when it had been made.
        commit: from what.
        images: the pins of what it made, by name: what a pruned release ran can still be told.
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
