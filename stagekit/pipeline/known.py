"""Images that exist already: what need not be built again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from stagekit.errors import StagekitError
from stagekit.inputs.fingerprint import ImageInputs, decode_inputs
from stagekit.inputs.project import Check, Project
from stagekit.pipeline.presence import Presence
from stagekit.pipeline.tags import further_tags
from stagekit.protocols import Ledger
from stagekit.records import CI, Build, BuiltImage, CheckPassed, Part, Source, Stored

_LOOK_BACK = 20
"""How many of the newest builds are searched: a branch that was left is often come back to."""


class KnownImage(Part, frozen=True):
    """An image with the wanted inputs that is still there, and the build that made it.

    ``traceable`` is whether that build could tell from which commit.
    """

    build: str
    image: BuiltImage
    traceable: bool = True


def current_build(
    project: Project,
    inputs: Mapping[str, ImageInputs],
    *,
    ledger: Ledger,
    presence: Presence,
    ci: CI | None,
    source: Callable[[], Source],
) -> Stored[Build] | None:
    """Return the newest build if it is what the project makes now, and still there.

    Args:
        project: what would be built.
        inputs: what its images are made from now.
        ledger: where builds are.
        presence: tells whether they are still there.
        ci: the CI job this runs in.
        source: asks git; called only where its answer can matter.
    """
    newest = next(iter(ledger.builds()), None)
    stored = _readable(ledger, newest) if newest else None
    if stored is None or not stored.record.succeeded or set(stored.record.images) != set(inputs):
        return None
    build = stored.record
    if not has_passed_all(build, project) or not _has_all_names(build, project, ci, source):
        return None
    if build.source.dirty and not source().dirty:  # the same, and now it can be told from what
        return None
    same = all(
        image.fingerprint == inputs[name].fingerprint for name, image in build.images.items()
    )
    return stored if same and not any(map(presence.lack, build.images.values())) else None


def known_images(
    inputs: Mapping[str, ImageInputs], *, ledger: Ledger, presence: Presence
) -> tuple[dict[str, KnownImage], dict[str, str]]:
    """Find, among the newest builds, images that were made from the same inputs; of those of one
    name rather one that can be traced to its commit.

    Returns:
        The images by name; and why those which were made once cannot be taken.
    """
    wanted = {name: item.fingerprint for name, item in inputs.items()}
    found: dict[str, KnownImage] = {}
    lacking: dict[str, str] = {}
    for build in islice(_succeeded(ledger), _LOOK_BACK):
        for name, image in build.images.items():
            best = found.get(name)
            if image.fingerprint is None or image.fingerprint != wanted.get(name):
                continue
            if best and (best.traceable or not _is_traceable(image, build, ledger)):
                continue
            if lack := presence.lack(image):
                lacking.setdefault(name, lack)
                continue
            traceable = _is_traceable(image, build, ledger)
            maker = image.made_by or build.id
            found[name] = KnownImage(build=maker, image=image, traceable=traceable)
        if len(found) == len(wanted) and all(known.traceable for known in found.values()):
            break
    return found, lacking


def inputs_before(ledger: Ledger) -> dict[str, ImageInputs]:
    """Return what the newest build that succeeded made each image from, where that is at hand."""
    for id in ledger.builds():
        try:
            if ledger.build(id).record.succeeded:
                return decode_inputs(ledger.build_inputs(id))
        except StagekitError:
            continue  # a damaged record is no reason not to build
    return {}


def is_of_commit(source: Source) -> bool:
    """Tell whether a source is that of its commit, with nothing changed since."""
    return source.commit is not None and not source.dirty


def _is_traceable(image: BuiltImage, build: Build, ledger: Ledger) -> bool:
    if image.made_by is None:
        return is_of_commit(build.source)
    maker = _readable(ledger, image.made_by)
    return maker is not None and is_of_commit(maker.record.source)


def has_passed_all(build: Build, project: Project) -> bool:
    """Tell whether a build passed every check that its project has now."""
    passed = {_said(check) for check in build.checks}
    return all(_said(check) in passed for check in project.checks)


def _said(check: Check | CheckPassed) -> tuple[object, ...]:
    return (check.name, check.image, check.run, check.entrypoint)


def _has_all_names(
    build: Build, project: Project, ci: CI | None, source: Callable[[], Source]
) -> bool:
    templates = any("{" in tag for tag in project.tags)
    tags = further_tags(project, source() if templates else build.source, ci, build.id)
    return all(
        (image.repository, *image.copies) == project.repositories(name)
        and image.pushed == bool(project.registries)
        and set(tags) <= set(image.tags)
        for name, image in build.images.items()
    )


def _succeeded(ledger: Ledger) -> Iterator[Build]:
    for id in ledger.builds():
        stored = _readable(ledger, id)
        if stored and stored.record.succeeded:
            yield stored.record


def _readable(ledger: Ledger, id: str) -> Stored[Build] | None:
    try:
        return ledger.build(id)
    except StagekitError:
        return None
