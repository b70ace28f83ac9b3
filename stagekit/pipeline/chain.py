"""What is wrong with a release, link by link: the build it names, its images, the release it was
promoted from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stagekit.inputs.merge import Tree
from stagekit.ledger.sealed import Problem
from stagekit.records import Build, Link, Pin, Release, Stored

_RECORD = "release.toml"
_DOCUMENT = "compose.yaml"


def build_problems(release: Release, build: Stored[Build] | None) -> tuple[Problem, ...]:
    """Compare the build the release names with the ledger's, where that is at hand."""
    if build is None or build.digest == release.build.digest:
        return ()
    return (Problem(f"build {release.build.id}", "is not the one this release was made from"),)


def image_problems(
    release: Release, document: Tree, build: Stored[Build] | None
) -> tuple[Problem, ...]:
    """Compare the images that would run with the record's pins, and those with the build's."""
    return (
        *_document_problems(release, document),
        *(_pin_problems(release, build.record) if build else ()),
    )


def promotion_problems(
    release: Release, build: Link, pins: Mapping[str, Pin] = {}
) -> tuple[Problem, ...]:
    """Compare a promoted release with the one that it says it came from.

    Args:
        release: the promoted one.
        build: the other's.
        pins: the other's, as far as they are known.
    """
    source = f"{release.promoted_from}, which it was promoted from,"
    if build != release.build:
        return (Problem(source, f"was made from build {build.id} ({build.digest})"),)
    known = {pin.asked: pin.pinned for pin in pins.values()}
    return tuple(
        Problem(source, f"runs {known[pin.asked]} for {pin.asked}, and this one {pin.pinned}")
        for _, pin in sorted(release.pins.items())
        if known.get(pin.asked, pin.pinned) != pin.pinned
    )


def _document_problems(release: Release, document: Tree) -> Iterator[Problem]:
    run = {name: service.get("image") for name, service in document["services"].items()}
    pinned = {name: pin.pinned for name, pin in release.pins.items()}
    for name in sorted({*run, *pinned}):
        if run.get(name) != pinned.get(name):
            what = f"runs {run.get(name)} as {name}, but the record pins {pinned.get(name)}"
            yield Problem(_DOCUMENT, what)


def _pin_problems(release: Release, build: Build) -> Iterator[Problem]:
    """An image that nobody was asked for is the build's own, or was given by its digest."""
    made = {pin for image in build.images.values() for pin in image.pins}
    repositories = {pin.partition("@")[0] for pin in made if "@" in pin}
    for service, pin in sorted(release.pins.items()):
        ours = pin.kind == "image id" or pin.pinned.partition("@")[0] in repositories
        if pin.asked == pin.pinned and ours and pin.pinned not in made:
            what = f"pins {pin.pinned} for {service}, which build {build.id} did not make"
            yield Problem(_RECORD, what)
