"""Whether images that were built are still there."""

from __future__ import annotations

from stagekit.cancel import Cancel
from stagekit.errors import Cancelled, RegistryError, StagekitError
from stagekit.events import Emit, Noted, Warned
from stagekit.protocols import Engine
from stagekit.records import BuiltImage
from stagekit.retry import patiently

GONE = "its image is gone"

_ATTEMPTS = 3


class Presence:
    """Tells whether images are on the engine, or in their registry by their digest; of each image
    it is asked once.

    Args:
        engine: where they are looked for, and through it their registry.
        emit: told of a registry that does not say.
        cancel: ends the waiting for one.
    """

    def __init__(self, engine: Engine, *, emit: Emit, cancel: Cancel) -> None:
        self._engine = engine
        self._emit = emit
        self._cancel = cancel
        self._told: dict[tuple[str, str | None], str | None] = {}

    def lack(self, image: BuiltImage) -> str | None:
        """Return why an image cannot be taken as it is, in a few words; None where it can.

        A registry that is away, or wants a login, has not said that it has no such image.
        """
        key = (image.image_id, image.digest and image.pin)
        if key not in self._told:
            self._told[key] = self._look(image)
        return self._told[key]

    def _look(self, image: BuiltImage) -> str | None:
        try:
            if self._engine.image(image.image_id):
                return None
            return None if image.digest and self._in_registry(image.pin) == image.digest else GONE
        except Cancelled:
            raise
        except StagekitError as error:
            if isinstance(error, RegistryError) and error.missing:
                return GONE
            said = f"nobody can tell whether its image is still there ({error.what})"
            self._emit(Warned(f"{image.pin}: {said}"))
            return said

    def _in_registry(self, pin: str) -> str:
        return patiently(
            lambda: self._engine.registry_digest(pin),
            on_wait=lambda text: self._emit(Noted(f"look for {pin}: {text}")),
            cancel=self._cancel,
            attempts=_ATTEMPTS,
        )
