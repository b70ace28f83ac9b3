"""Where what runs is not what the last run left there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from stagekit.containers import Container
from stagekit.pipeline.run import proof
from stagekit.protocols import Engine
from stagekit.records import ContainerSeen, Part, Release, Run, Standing

Kind = Literal[
    "missing",
    "extra",
    "count",
    "image",
    "definition",
    "replaced",
    "settings",
    "behind",
    "elsewhere",
    "mixed",
    "left",
]


class Drift(Part, frozen=True):
    """One thing that is not as the last run left it.

    Attributes:
        kind: missing (nothing of a service runs), extra (a service that is none of the release's),
            count, image (not the one released), definition (made from another Compose file),
            replaced (a container like the one that was proven, but another), settings (changed by
            ``docker update`` or ``docker network``), behind (a newer release was not run),
            elsewhere (another ledger's run is in force), mixed (a host of a fleet runs another
            release than the last run was of), left (a host that the release does not have runs
            something).
        text: which, and how.
        service: whose; None where it is the environment's.
    """

    kind: Kind
    text: str
    service: str | None = None


def services_drift(
    wanted: Mapping[str, int],
    containers: Sequence[Container],
    release: Release,
    run: Run,
    engine: Engine,
) -> Iterator[Drift]:
    """Yield what is different service by service.

    Args:
        wanted: how many containers each should have.
        containers: those that there are, of all services.
        release: the one in force.
        run: the one that brought it up; without containers where it did not run well.
        engine: knows their images.
    """
    for service, count in wanted.items():
        there = [item for item in containers if item.service == service]
        if len(there) != count:
            kind: Kind = "count" if there else "missing"
            yield Drift(kind=kind, text=f"{len(there)} of {count} containers", service=service)
        for item in there:
            pin = release.pins.get(service)
            if pin and not proof.runs(item, pin, engine):
                yield Drift(kind="image", text=_other_image(item, engine), service=service)
            if run.containers:
                yield from _since(item, run)
    for item in containers:
        if item.service not in wanted:
            text = f"{item.name} runs, and {release.name} has no such service"
            yield Drift(kind="extra", text=text, service=item.service)


def environment_drift(
    release: Release, run: Run, newest: str | None, standing: Standing | None
) -> Iterator[Drift]:
    """Yield what is different of the environment as a whole.

    Args:
        release: the one in force, by the ledger.
        run: the one that brought it up.
        newest: the newest release that was not cancelled.
        standing: what the engine says is in force.
    """
    if newest and newest != release.id:
        yield Drift(kind="behind", text=f"{release.env}/{newest} is newer, and does not run")
    ours = (run.n, run.release.digest)
    if standing and standing.when > run.finished:
        theirs = (standing.run, standing.release_digest)
        if theirs != ours:
            yield Drift(
                kind="elsewhere",
                text=f"run {standing.run} of {release.env}/{standing.release} by "
                f"{standing.actor} is in force, says the engine; this ledger does not have it",
            )


def _since(container: Container, run: Run) -> Iterator[Drift]:
    """Yield what became of a container since it was proven."""
    service, name = container.service, container.name
    left = {item.id: item for item in run.containers if item.service == service}
    if seen := left.get(container.id):
        for setting in _changed(seen, container):
            yield Drift(kind="settings", text=f"{name}: {setting}", service=service)
        return
    known = {item.definition for item in left.values()}
    if known and container.definition not in known:
        text = f"{name} was made from another Compose file since run {run.n}"
        yield Drift(kind="definition", text=text, service=service)
    elif not container.kept_up:
        text = f"{name} is another container than run {run.n} left"
        yield Drift(kind="replaced", text=text, service=service)


def _changed(seen: ContainerSeen, container: Container) -> Iterator[str]:
    if not seen.settings:  # recorded by a version that did not look
        return
    for name in sorted({*seen.settings, *container.settings}):
        before, now = seen.settings.get(name, "none"), container.settings.get(name, "none")
        if before != now:
            yield f"{name} {before or 'none'} → {now or 'none'}"


def _other_image(container: Container, engine: Engine) -> str:
    image = engine.image(container.image_id)
    runs = image.digests[0] if image and image.digests else container.image_id
    return f"{container.name} runs {runs}"
