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
    """Names another record so that it cannot be exchanged.

    Attributes:
        id: what it is called.
        digest: its record digest: that of its bytes after its second line.
    """

    id: str
    digest: str


class Source(Part, frozen=True):
    """Where a build's source stood.

    Attributes:
        commit: the hash, whole.
        branch: what was checked out; none for a commit alone.
        dirty: whether anything was not committed, or git could not tell.
        remote: where ``origin`` is, without credentials.
        committed: when the commit was made.
        changed: files with uncommitted changes, the first hundred of them.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    remote: str | None = None
    committed: datetime | None = None
    changed: tuple[str, ...] = ()


class CI(Part, frozen=True):
    """The CI job that made a record, by that CI's own documented variables.

    Attributes:
        name: ``gocd``, ``github``, ``gitlab``, ``jenkins``, ``buildkite``, ``circleci``, ``azure``,
            a plugin's, or ``ci``.
        url: the job's page, without credentials.
        pipeline: what it calls the pipeline or workflow.
        counter: numbers the runs of that.
        attempt: numbers those of a run that was started again; none for the first.
        commit: which it says that it checked out.
        branch: which it says that it works on.
    """

    name: str
    url: str | None = None
    pipeline: str | None = None
    counter: str | None = None
    attempt: str | None = None
    commit: str | None = None
    branch: str | None = None


class EngineFacts(Part, frozen=True):
    """A Docker engine.

    Attributes:
        id: its own, which ``docker info`` shows.
        url: where it was reached, as ``DOCKER_HOST`` has it.
        version: its own.
        api: the version of its API.
        platform: ``os/arch``.
        image_store: ``containerd`` or ``classic``: the former alone keeps images of several
            platforms and attestations.
    """

    id: str
    url: str
    version: str
    api: str
    platform: str
    image_store: str = "classic"


class Failure(Part, frozen=True):
    """What stopped a stage.

    Attributes:
        subject: the image, release or host that it stopped at.
        step: the step: of an image, the line of its Dockerfile.
        message: what happened.
        output: the last lines that say why, secrets masked.
        seconds: how long that step had been under way.
    """

    subject: str
    step: str
    message: str
    output: tuple[str, ...] = ()
    seconds: float | None = None
