"""A release, and what is said of one later."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from stagekit.records.deploy import Deploy
from stagekit.records.parts import CI, Link, Part, compose_project

PinKind = Literal["digest", "image id"]


class Pin(Part, frozen=True):
    """One image of a release: what the template asked for, and what it was sealed as.

    Attributes:
        asked: the reference in the template.
        pinned: what stands in its place.
        kind: ``digest`` works wherever the registry is reached, ``image id`` only on the engine
            that has the image.
    """

    asked: str
    pinned: str
    kind: PinKind


class Versions(Part, frozen=True):
    """The programs that sealed a release.

    Attributes:
        stagekit: stagekit's own.
        compose: Docker Compose's, which wrote the document.
    """

    stagekit: str
    compose: str


class Release(Part, frozen=True):
    """A build plus an environment, sealed: ``artifacts/releases/<env>/<id>/release.toml``.

    Attributes:
        content_digest: that of every other file of the release, the same for the same inputs and
            Compose version on any machine at any time.
        engine_local: an image of it is pinned by its id.
        build: the build that it is made of.
        deploy: how it is run.
        versions: what sealed it.
        message: what ``--message`` said.
        promoted_from: the release of another environment whose build and pins it took over.
        forced: what was passed over on request.
        secrets: names of those it needs values for.
        commits: first lines of what was committed since the release before it, a hundred at most.
        pins: by service.
        files: digest of each of its other files, by path.
    """

    id: str
    env: str
    project: str
    created: datetime
    actor: str
    content_digest: str
    engine_local: bool
    build: Link
    deploy: Deploy
    versions: Versions
    message: str | None = None
    ci: CI | None = None
    promoted_from: str | None = None
    forced: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    pins: dict[str, Pin] = {}
    files: dict[str, str] = {}

    @property
    def name(self) -> str:
        return f"{self.env}/{self.id}"

    @property
    def compose_project(self) -> str:
        return compose_project(self.project, self.env)


class Cancellation(Part, frozen=True):
    """Says that a release is not to be run any more: ``<id>.cancelled.toml`` beside it, whose bytes
    stay.

    Attributes:
        release: which one.
        reason: what ``--reason`` said.
    """

    env: str
    release: Link
    created: datetime
    actor: str
    reason: str
    ci: CI | None = None

    @property
    def id(self) -> str:
        return self.release.id


class Pruning(Part, frozen=True):
    """What stays of a release that was put away: ``<id>.pruned.toml`` where it was. A run that
    names it can still be explained, and its id is never given again.

    Attributes:
        release: which one.
        released: when it had been made.
        build: the build that it was made of.
        content_digest: as its record had it.
    """

    env: str
    release: Link
    released: datetime
    build: Link
    content_digest: str
    created: datetime
    actor: str
    ci: CI | None = None

    @property
    def id(self) -> str:
        return self.release.id
