"""From what a template asks for to the exact image that it gets."""

from __future__ import annotations

from collections.abc import Mapping

from stagekit.engine.reference import split_reference
from stagekit.errors import RegistryError
from stagekit.events import Emit, step
from stagekit.protocols import Engine
from stagekit.records import Build, Pin, PinKind, Release


def pin_images(
    asked: Mapping[str, str],
    build: Build,
    previous: Release | None,
    engine: Engine,
    emit: Emit,
) -> dict[str, Pin]:
    """Pin each service's image.

    Images of the build are pinned by its record. Others keep the pin of the last release while
    the template asks for the same; else the registry is asked, and where it does not answer, the
    engine.

    Args:
        asked: image by service.
        build: the build that is released.
        previous: the environment's last release.
        engine: asked for digests.
        emit: told of each image that is asked for.

    Raises:
        RegistryError: an image is known to neither registry nor engine.
    """
    own = {image.pin: image for image in build.images.values()}
    known = {pin.asked: pin for pin in previous.pins.values()} if previous else {}
    found: dict[str, Pin] = {}
    for text in sorted(set(asked.values())):
        if text in own:
            kind: PinKind = "digest" if own[text].digest else "image id"
            found[text] = Pin(asked=text, pinned=text, kind=kind)
        elif text in known and known[text].kind == "digest":
            found[text] = known[text]  # a release of configuration alone moves no database
        else:
            with step(emit, "pin", text) as under_way:
                found[text] = _pin(text, engine)
                under_way.outcome = found[text].pinned
    return {service: found[text] for service, text in asked.items()}


def _pin(text: str, engine: Engine) -> Pin:
    """Ask the registry which bytes a reference means; else the engine which ones it has."""
    repository, _ = split_reference(text)
    if "@" in text:
        return Pin(asked=text, pinned=text, kind="digest")
    try:
        answered = engine.registry_digest(text)
    except RegistryError as error:
        image = engine.image(text)
        if image is None:
            raise RegistryError(
                f"cannot be pinned: the registry does not tell its digest ({error.what}), "
                "and the engine does not have it",
                where=f"image {text}",
                hint=error.hint,
            ) from error
        for reference in image.digests:
            if reference.partition("@")[0] == repository:
                return Pin(asked=text, pinned=reference, kind="digest")
        return Pin(asked=text, pinned=image.id, kind="image id")
    return Pin(asked=text, pinned=f"{repository}@{answered}", kind="digest")
