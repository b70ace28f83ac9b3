"""Images, as stages, builders and engines speak of them."""

from __future__ import annotations

from pathlib import Path

from stagekit.records import Part


class BuildSecret(Part, frozen=True):
    """A secret that one step of a build may read (``RUN --mount=type=secret,id=…``).

    Exactly one of ``variable`` (of this process's environment) and ``file`` says where its value
    is. It reaches no layer, no fingerprint and no record.
    """

    id: str
    variable: str | None = None
    file: Path | None = None


class ImageSpec(Part, frozen=True):
    """One image to build: all that a builder needs to know, and nothing of any environment.

    Attributes:
        name: the project's name for it.
        context: absolute folder that is sent to the builder.
        dockerfile: absolute path of the Dockerfile.
        hidden: files and folders relative to ``context`` that never travel, whatever
            `.dockerignore` says: records, environments and what a release is rendered from.
        repositories: where it is pushed, or its plain name on the engine; the first one pins.
        tags: what it is tagged with in each.
        target: stage of the Dockerfile to stop at.
        args: build arguments.
        labels: of the image.
        platforms: ``os/arch`` each; by default the engine's own.
        secrets: what ``RUN --mount=type=secret`` may read.
        ssh: agents or keys for ``RUN --mount=type=ssh``, as ``docker build --ssh`` has them.
        cache_from: where layers may be taken from, as ``--cache-from`` has it.
        cache_to: where they are put, as ``--cache-to`` has it.
        provenance: attestation of how it was built: ``min`` or ``max``.
        sbom: attestation of what is in it: ``true``, or ``generator=IMAGE``.
        epoch: seconds since 1970 that stand for every time in it, so that the same source makes
            the same bytes (https://reproducible-builds.org/specs/source-date-epoch/).
    """

    name: str
    context: Path
    dockerfile: Path
    repositories: tuple[str, ...]
    tags: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    target: str | None = None
    args: dict[str, str] = {}
    labels: dict[str, str] = {}
    platforms: tuple[str, ...] = ()
    secrets: tuple[BuildSecret, ...] = ()
    ssh: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    provenance: str | None = None
    sbom: str | None = None
    epoch: int | None = None

    @property
    def repository(self) -> str:
        """The repository whose digest pins it."""
        return self.repositories[0]

    @property
    def references(self) -> tuple[str, ...]:
        """The names the image gets: ``repository:tag`` each."""
        return tuple(f"{repository}:{tag}" for repository in self.repositories for tag in self.tags)


class ImageFacts(Part, frozen=True):
    """An image on an engine: its size in bytes, and ``repository@digest`` as registries know it."""

    id: str
    size: int
    digests: tuple[str, ...] = ()
