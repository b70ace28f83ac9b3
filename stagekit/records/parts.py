"""What every record has in common."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Part(msgspec.Struct, frozen=True):
    """An immutable value: records, facts and plans are made of these."""


def compose_project(project: str, env: str) -> str:
    """Name what runs on an engine: Compose's project, the prefix of its containers."""
    return f"{project}-{env}"


class Link(Part, frozen=True):
    """Names another record so that it cannot be exchanged: its id and its record digest."""

    id: str
    digest: str


class Source(Part, frozen=True):
    """Where a build's source stood.

    ``changed`` are the files with uncommitted changes, the first hundred of them; ``committed`` is
    when the commit was made. ``remote`` carries no credentials.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    remote: str | None = None
    committed: datetime | None = None
    changed: tuple[str, ...] = ()


class CI(Part, frozen=True):
    """The CI job that made a record, by that CI's own documented variables.

    ``counter`` numbers the runs of ``pipeline``, ``attempt`` those of one that was run again.
    """

    name: str
    url: str | None = None
    pipeline: str | None = None
    counter: str | None = None
    attempt: str | None = None
    commit: str | None = None
    branch: str | None = None


class EngineFacts(Part, frozen=True):
    """A Docker engine: its own id, where it was reached, and what it is.

    ``image_store`` is ``containerd`` or ``classic``: the former alone keeps images of several
    platforms and attestations.
    """

    id: str
    url: str
    version: str
    api: str
    platform: str
    image_store: str = "classic"


class Failure(Part, frozen=True):
    """What stopped a stage: where, at which step, and the last lines that say why; ``seconds``
    is how long that step had been under way."""

    subject: str
    step: str
    message: str
    output: tuple[str, ...] = ()
    seconds: float | None = None
