"""Images on their way to and from an engine: pulled, pushed, loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from stagekit.cancel import Cancel
from stagekit.engine.client import Client
from stagekit.engine.reference import split_reference
from stagekit.engine.refusals import first_line, raise_registry_error, registry_hint
from stagekit.engine.streams import watched
from stagekit.errors import EngineRefused, LimitExceeded, RegistryError
from stagekit.events import Emit, Progress

Entry = TypeVar("Entry")

_SILENCE = 300.0
"""Seconds that may pass without a word of the engine."""

_NO_LAYER = (
    "check that the registry answers the engine; if the next one hangs too, restart the engine: "
    "it may still be waiting for the old connection"
)
"""dockerd shares a layer that it fetches between all pulls that want it, and that of 20.10 does
not let go of a registry that says nothing when the pull that began is gone (moby's
``distribution/xfer``)."""


def pull(client: Client, reference: str, *, emit: Emit, cancel: Cancel) -> None:
    """Do what `stagekit.protocols.Engine.pull` says."""
    repository, tag = split_reference(reference)
    with client.asking(f"pull {reference}", failure=RegistryError):
        stream = partial(client.api.pull, repository, tag=tag, stream=True, decode=True)
        for entry in _followed(stream, "pull", reference, emit, cancel, hint=_NO_LAYER):
            raise_registry_error(entry, reference)


def push(client: Client, reference: str, *, shared: bool, emit: Emit, cancel: Cancel) -> str:
    """Do what `stagekit.protocols.Engine.push` says."""
    repository, tag = split_reference(reference)
    stated = layer = None
    with client.asking(f"push {reference}", failure=RegistryError):
        stream = partial(client.unhurried.push, repository, tag=tag, stream=True, decode=True)
        hint = registry_hint("")
        for entry in _followed(stream, "push", reference, emit, cancel, hint=hint):
            layer = entry.get("id", layer)
            raise_registry_error(entry, f"{reference}, layer {layer}" if layer else reference)
            stated = (entry.get("aux") or {}).get("Digest") or stated
    if shared and stated:
        return str(stated)
    answered = registry_digest(client, reference)
    if stated and stated != answered:
        raise RegistryError(
            f"took {stated}, and now answers {answered}: somebody else pushed the same tag",
            where=reference,
            hint="inv build again; a build's own tag must be pushed by that build alone",
        )
    return answered


def registry_digest(client: Client, reference: str) -> str:
    """Do what `stagekit.protocols.Engine.registry_digest` says."""
    with client.asking(f"ask for the digest of {reference}", failure=RegistryError):
        answer = client.api.inspect_distribution(reference)
    return str(answer["Descriptor"]["digest"])


def load(client: Client, archive: Path, *, cancel: Cancel) -> None:
    """Do what `stagekit.protocols.Engine.load` says."""
    with client.asking("load an image"), archive.open("rb") as packed:
        stream = partial(client.unhurried.load_image, packed)
        for entry in _heard(stream, "load an image", cancel):
            if message := entry.get("error"):
                raise EngineRefused(f"cannot load an image: {first_line(message)}")


def save(client: Client, image: str, archive: Path, *, cancel: Cancel) -> None:
    """Do what `stagekit.protocols.Engine.save` says."""
    with client.asking("save an image"), archive.open("wb") as packed:
        stream = partial(client.unhurried.get_image, image)
        for chunk in _heard(stream, "save an image", cancel):
            packed.write(chunk)


def _followed(
    stream: Callable[[], Iterable[dict[str, Any]]],
    step: str,
    subject: str,
    emit: Emit,
    cancel: Cancel,
    *,
    hint: str,
) -> Iterator[dict[str, Any]]:
    for entry in _heard(stream, f"{step} {subject}", cancel, hint=hint):
        if entry.get("id") and entry.get("status"):
            text = f"{entry['id']}: {entry['status']} {entry.get('progress', '')}"
            emit(Progress(step, subject, text.strip()))
        yield entry


def _heard(
    stream: Callable[[], Iterable[Entry]], what: str, cancel: Cancel, hint: str | None = None
) -> Iterator[Entry]:
    try:
        yield from watched(stream, silence=_SILENCE, cancel=cancel)
    except LimitExceeded as error:
        raise LimitExceeded(f"cannot {what}: {error}", hint=hint) from None
