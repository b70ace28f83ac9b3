"""A release, packed for a machine that has neither source nor network."""

from __future__ import annotations

from datetime import datetime

from stagekit.records.parts import Link, Part


class Bundle(Part, frozen=True):
    """What a packed release is: ``bundle.toml`` in it.

    Attributes:
        release: which one.
        images: which image each pin means, by its id on the engine that had it under that digest:
            an archive of images keeps ids, not digests. Empty where images were not packed.
    """

    env: str
    release: Link
    created: datetime
    actor: str
    images: dict[str, str] = {}

    @property
    def id(self) -> str:
        return self.release.id
