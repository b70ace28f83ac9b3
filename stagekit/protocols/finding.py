"""What ``inv doctor`` says of one part."""

from __future__ import annotations

from stagekit.records import Part


class Finding(Part, frozen=True):
    """One part of the whole. ``needed`` without ``found`` means that a stage cannot work;
    ``hint`` is what to type then."""

    name: str
    found: bool
    needed: bool
    where: str = "-"
    version: str = "-"
    hint: str | None = None
