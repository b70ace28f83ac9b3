"""Whether what came up is what was released. Inspection is the verdict, not an exit code.

``docker compose up --wait`` fails on a one-shot service that has done its work, and passes a
service that crashes over and over; so each container is looked at, for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep
from typing import NamedTuple

from stagekit.containers import Container, Observation
from stagekit.errors import NotProven
from stagekit.inputs.merge import Tree
from stagekit.inputs.seal import replicas
from stagekit.process import Cancel
from stagekit.protocols import Engine, Runner
from stagekit.records import ContainerFailure, ContainerSeen, Pin, Release

_LOG_LINES = 20
_RESTARTED_SETTLE = 10.0
_POLL = 0.2


class _Trouble(NamedTuple):
    """Why a service is not up; ``passing`` where waiting may help."""

    reason: str
    passing: bool
    container: Container | None = None


def settle(
    release: Release,
    document: Tree,
    runner: Runner,
    complaint: tuple[str, ...],
    engine: Engine,
    cancel: Cancel,
) -> tuple[tuple[Container, ...], float]:
    """Watch the release until every service is up and has held for its settle time.

    A container that has restarted lately has to hold for longer: it may be in a loop whose rounds
    are longer than the settle time.

    Args:
        release: what was brought up.
        document: its compose.yaml, parsed.
        runner: looks at it.
        complaint: the runner's last lines, if it was not content.
        engine: gives the logs.
        cancel: stops it.

    Returns:
        Its containers, and for how many seconds they held.

    Raises:
        NotProven: one of them failed, restarted, or did not become healthy in time.
    """
    wanted = replicas(document)
    first = _until_up(release, wanted, runner, complaint, engine, cancel)
    seconds = release.deploy.settle
    if any(item.restarts and item.is_young for item in first.containers):
        seconds = max(seconds, _RESTARTED_SETTLE)
    _wait(seconds, cancel)
    second = runner.observe(release.compose_project)
    troubles = _troubles(second, wanted) | _changes(first, second)
    if troubles:
        raise _not_proven(release, troubles, (), engine)
    return second.containers, seconds


def compare(
    release: Release, containers: Sequence[Container], engine: Engine
) -> tuple[ContainerSeen, ...]:
    """Compare each container's image with the release's pin, digests with digests only.

    Raises:
        NotProven: one runs something else.
    """
    seen = []
    for container in containers:
        digests = _digests(container, engine)
        seen.append(
            ContainerSeen(
                service=container.service,
                name=container.name,
                id=container.id,
                state=container.state,
                health=container.health,
                exit_code=container.exit_code,
                image_id=container.image_id,
                digests=digests,
                proven=_means(release.pins.get(container.service), container, digests),
            )
        )
    wrong = [item for item in seen if not item.proven]
    if wrong:
        raise NotProven(
            f"{wrong[0].name} runs {wrong[0].image_id}, which is not what was released",
            where=f"{release.name}, service {wrong[0].service}",
            hint=f"inv run --env {release.env} brings the release up again",
        )
    return tuple(seen)


def runs(container: Container, pin: Pin, engine: Engine) -> bool:
    """Tell whether a container runs the image that a pin means."""
    return _means(pin, container, _digests(container, engine))


def _means(pin: Pin | None, container: Container, digests: Sequence[str]) -> bool:
    """Compare digests with a digest, and the image's id with an id: kinds are never mixed."""
    return pin is not None and pin.pinned in (*digests, container.image_id)


def _digests(container: Container, engine: Engine) -> tuple[str, ...]:
    image = engine.image(container.image_id)
    return image.digests if image else ()


def _until_up(
    release: Release,
    wanted: dict[str, int],
    runner: Runner,
    complaint: tuple[str, ...],
    engine: Engine,
    cancel: Cancel,
) -> Observation:
    deadline = monotonic() + release.deploy.timeout
    while True:
        cancel.check()
        observed = runner.observe(release.compose_project)
        troubles = _troubles(observed, wanted)
        if not troubles:
            return observed
        if monotonic() > deadline or not all(trouble.passing for trouble in troubles.values()):
            raise _not_proven(release, troubles, complaint, engine)
        sleep(_POLL)


def _troubles(observed: Observation, wanted: dict[str, int]) -> dict[str, _Trouble]:
    troubles = {}
    for service, count in wanted.items():
        containers = observed.of(service)
        found = [trouble for item in containers if (trouble := _trouble(item))]
        if len(containers) != count:
            text = f"{len(containers)} of {count} containers"
            found.append(_Trouble(text, passing=False))  # the runner has started all it will
        if found:
            troubles[service] = min(found, key=lambda trouble: trouble.passing)  # a lasting one
    return troubles


def _trouble(container: Container) -> _Trouble | None:
    if container.state == "exited":
        text = f"exited with {container.exit_code}"
        return None if container.done else _Trouble(text, False, container)
    if container.state != "running":
        detail = f": {container.error}" if container.error else ""
        return _Trouble(f"{container.state}{detail}", container.state == "restarting", container)
    if container.health == "unhealthy":
        text = f"unhealthy: {container.health_output or 'its check fails'}"
        return _Trouble(text, False, container)
    if container.health == "starting":
        return _Trouble("not healthy yet", True, container)
    return None


def _changes(first: Observation, second: Observation) -> dict[str, _Trouble]:
    before = {item.id: (item.restarts, item.started) for item in first.containers}
    return {
        item.service: _Trouble("restarted while it should have settled", False, item)
        for item in second.containers
        if before.get(item.id) != (item.restarts, item.started)
    }


def _wait(seconds: float, cancel: Cancel) -> None:
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        cancel.check()
        sleep(min(_POLL, seconds))


def _not_proven(
    release: Release,
    troubles: dict[str, _Trouble],
    complaint: tuple[str, ...],
    engine: Engine,
) -> NotProven:
    failed = tuple(
        _failure(service, trouble, engine)
        for service, trouble in sorted(troubles.items(), key=lambda item: item[1].passing)
    )
    first = failed[0]
    return NotProven(
        f"{first.name}: {first.reason}",
        where=f"{release.name}, service {first.service}",
        hint=f"inv run.rollback --env {release.env} goes back to the last release that ran well",
        output=first.output or complaint[-_LOG_LINES:],
        failed=failed,
    )


def _failure(service: str, trouble: _Trouble, engine: Engine) -> ContainerFailure:
    container = trouble.container
    return ContainerFailure(
        service=service,
        name=container.name if container else service,
        reason=trouble.reason,
        output=engine.logs(container.id, _LOG_LINES) if container else (),
    )
