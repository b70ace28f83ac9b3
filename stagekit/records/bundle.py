"""A release, packed for a machine that has neither source nor network."""

from __future__ import annotations

from datetime import datetime

from stagekit.records.parts import Link, Part


class Bundle(Part, frozen=True):
    """What a packed release is: ``bundle.toml`` in it.

    ``images`` says which image each pin means, by its id on the engine that had it under that
    digest; empty where images were not packed. An archive of images keeps ids, not digests.
    """

    env: str
    release: Link
    created: datetime
    actor: str
    images: dict[str, str] = {}

    @property
    def id(self) -> str:
        return self.release.id
