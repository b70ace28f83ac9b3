"""Images that came in a bundle: an archive of images keeps no digests, so that the engine does not
know which pin they are. Their ids do: an image's id is the digest of its configuration, which names
each layer by its content."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import msgspec

from stagekit.images import ImageFacts
from stagekit.inputs.document import parse_sealed
from stagekit.pipeline.verify import Verified

if TYPE_CHECKING:
    from stagekit.protocols import Engine


class Bundled:
    """An engine that knows what the pins of bundled images mean; what else it is asked goes to the
    engine itself.

    Args:
        engine: the real one.
        images: the id of each pin's image.
    """

    def __init__(self, engine: Engine, images: Mapping[str, str]) -> None:
        self._engine = engine
        self._images = images

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def image(self, reference: str) -> ImageFacts | None:
        """Return the image on the engine, with the pins that mean it among its digests."""
        found = self._engine.image(reference)
        if found is None and (id := self._images.get(reference)):
            found = self._engine.image(id)
        if found is None:
            return None
        pins = [pin for pin, id in self._images.items() if id == found.id]
        return msgspec.structs.replace(found, digests=tuple({*found.digests, *pins}))

    def place(
        self, files: Mapping[str, bytes], *, executable: Collection[str], image: str
    ) -> PurePosixPath:
        return self._engine.place(files, executable=executable, image=self.name_of(image))

    def name_of(self, pin: str) -> str:
        """Return by which name the engine has a pin's image: the pin itself where it has that."""
        return pin if self._engine.image(pin) or pin not in self._images else self._images[pin]

    def named(self, release: Verified) -> Verified:
        """Return a release whose document has each bundled image by the id that its pin means:
        the one difference from what was sealed."""
        text = release.text
        for pin in {pin.pinned for pin in release.release.record.pins.values()}:
            text = text.replace(pin.encode(), self.name_of(pin).encode())
        if text == release.text:
            return release
        document = parse_sealed(text, where=release.release.record.name)
        return msgspec.structs.replace(release, text=text, document=document)


def knowing(engine: Engine, images: Mapping[str, str]) -> Engine:
    """Return an engine that knows the pins of bundled images; without any, the engine itself."""
    return cast("Engine", Bundled(engine, images)) if images else engine


def without_bundles(engine: Engine) -> Engine:
    """Return the engine itself, for what names no images."""
    return engine._engine if isinstance(engine, Bundled) else engine


def as_named_here(release: Verified, engine: Engine) -> Verified:
    """Return a release as it is run on an engine that may have its images from a bundle."""
    return engine.named(release) if isinstance(engine, Bundled) else release
