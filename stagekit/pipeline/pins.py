"""From what a template asks for to the exact image that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from stagekit.digest import is_digest
from stagekit.engine.reference import familiar, split_reference
from stagekit.errors import InputError, RegistryError, ReleaseFailed
from stagekit.events import Emit, step
from stagekit.inputs.settings import Policy
from stagekit.protocols import Engine
from stagekit.records import Build, Pin


def pin_images(
    asked: Mapping[str, str],
    build: Build,
    known: Mapping[str, Pin],
    engine: Engine,
    emit: Emit,
) -> dict[str, Pin]:
    """Pin each service's image.

    Images of the build, by whatever tag, are pinned by its record. Others keep the pin that is
    known for their text, that of the last release; else the registry is asked, and where it does
    not answer, the engine.

    Args:
        asked: image by service.
        build: the build that is released.
        known: pins by the text that asks for them.
        engine: asked for digests.
        emit: told of each image that is asked for.

    Raises:
        RegistryError: an image is known to neither registry nor engine.
        InputError: what follows an ``@`` is no digest.
    """
    own = _by_repository(build)
    ids = {image.image_id: image.pin for image in build.images.values()}
    found: dict[str, Pin] = {}
    for text in sorted(set(asked.values())):
        repository, version = split_reference(text)
        built = ids.get(text) or own.get(familiar(repository))
        if "@" in text and not is_digest(version or ""):
            raise InputError(f"{version} is no digest", where=f"image {text}")
        if built and ("@" not in text or text == built):
            kind: Literal["digest", "image id"] = "digest" if "@" in built else "image id"
            found[text] = Pin(asked=text, pinned=built, kind=kind)
        elif text in known and known[text].kind == "digest":
            found[text] = known[text]  # a release of configuration alone moves no database
        else:
            with step(emit, "pin", text) as under_way:
                found[text] = _pin(text, engine)
                under_way.outcome = found[text].pinned
    return {service: found[text] for service, text in asked.items()}


def _by_repository(build: Build) -> dict[str, str]:
    """Return the pins of a build's images by each repository that has them."""
    images = build.images.values()
    pushed = {split_reference(pin)[0]: pin for image in images for pin in image.pins if "@" in pin}
    first = {image.repository: image.pin for image in images}
    return {familiar(name): pin for name, pin in {**pushed, **first}.items()}


def by_text(pins: Mapping[str, Pin]) -> dict[str, Pin]:
    """Return a release's pins by the text that asked for them, not by service."""
    return {pin.asked: pin for pin in pins.values()}


def check_pins(pins: Mapping[str, Pin], policy: Policy, env: str) -> None:
    """Raise ReleaseFailed where images must be known by digest and one is not."""
    loose = sorted(service for service, pin in pins.items() if pin.kind == "image id")
    if loose and (policy.pin == "require" or policy.protected):
        said = 'pin = "require"' if policy.pin == "require" else "protected"
        raise ReleaseFailed(
            f"no registry has the image of {', '.join(loose)}, and {env} wants every image by "
            f"its digest ({said})",
            where=", ".join(sorted({pins[service].asked for service in loose})),
            hint="set registry in pyproject.toml [tool.stagekit], inv build, and release again",
        )


def _pin(text: str, engine: Engine) -> Pin:
    """Ask the registry which bytes a reference means; else the engine which ones it has."""
    name, version = split_reference(text)
    repository = familiar(name)
    if "@" in text:
        return Pin(asked=text, pinned=f"{repository}@{version}", kind="digest")
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
