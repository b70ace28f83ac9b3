"""Whether what came up is what was released. Inspection is the verdict, not an exit code.

``docker compose up --wait`` fails on a one-shot service that has done its work, and passes a
service that crashes over and over; so each container is looked at, for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep

from stagekit.errors import RunFailed
from stagekit.inputs.merge import Tree
from stagekit.inputs.seal import replicas
from stagekit.process import Cancel
from stagekit.protocols import Container, Engine, Observation, Runner
from stagekit.records import ContainerFailure, ContainerSeen, Pin, Release

_LOG_LINES = 20
_POLL = 0.2
_RESTARTED = "restarted while it should have settled"


class NotProven(RunFailed):
    """A run that failed, with what is known of each container that did."""

    failed: tuple[ContainerFailure, ...] = ()


def settle(
    release: Release,
    document: Tree,
    runner: Runner,
    complaint: tuple[str, ...],
    engine: Engine,
    cancel: Cancel,
) -> tuple[Container, ...]:
    """Watch the release until every service is up and has held for its settle time.

    Args:
        release: what was brought up.
        document: its compose.yaml, parsed.
        runner: looks at it.
        complaint: the runner's last lines, if it was not content.
        engine: gives the logs.
        cancel: stops it.

    Returns:
        Its containers.

    Raises:
        NotProven: one of them failed, restarted, or did not become healthy in time.
    """
    wanted = replicas(document)
    first = _until_up(release, wanted, runner, complaint, engine, cancel)
    _wait(release.deploy.settle, cancel)
    second = runner.observe(release)
    reasons = _troubles(second, wanted) | _changes(first, second)
    if reasons:
        raise _not_proven(release, second, reasons, (), engine)
    return second.containers


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
        pin = release.pins.get(container.service)
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
                proven=pin is not None and pin.pinned in (*digests, container.image_id),
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
    return pin.pinned in (*_digests(container, engine), container.image_id)


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
        observed = runner.observe(release)
        reasons = _troubles(observed, wanted)
        if not reasons:
            return observed
        # The runner has waited already: what it complains of will not mend itself.
        final = bool(complaint) or monotonic() > deadline
        if final or any(not waiting for _, waiting in reasons.values()):
            raise _not_proven(release, observed, reasons, complaint, engine)
        sleep(_POLL)


Reasons = dict[str, tuple[str, bool]]
"""Why a service is not up, and whether waiting may help."""


def _troubles(observed: Observation, wanted: dict[str, int]) -> Reasons:
    reasons: Reasons = {}
    for service, count in wanted.items():
        containers = observed.of(service)
        if troubles := [trouble for item in containers if (trouble := _trouble(item))]:
            reasons[service] = min(troubles, key=lambda trouble: trouble[1])  # the final one
        if len(containers) != count:
            text = f"{len(containers)} of {count} containers"
            reasons.setdefault(service, (text, len(containers) < count))
    return reasons


def _trouble(container: Container) -> tuple[str, bool] | None:
    if container.state == "exited":
        return None if container.done else (f"exited with {container.exit_code}", False)
    if container.state != "running":
        detail = f": {container.error}" if container.error else ""
        return f"{container.state}{detail}", container.state in ("created", "restarting")
    if container.health == "unhealthy":
        return f"unhealthy: {container.health_output or 'its check fails'}", False
    if container.health == "starting":
        return "not healthy yet", True
    return None


def _changes(first: Observation, second: Observation) -> Reasons:
    before = {item.id: item for item in first.containers}
    reasons: Reasons = {}
    for container in second.containers:
        known = before.get(container.id)
        if known is None or (known.restarts, known.started) != (
            container.restarts,
            container.started,
        ):
            reasons[container.service] = (_RESTARTED, False)
    return reasons


def _wait(seconds: float, cancel: Cancel) -> None:
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        cancel.check()
        sleep(min(_POLL, seconds))


def _not_proven(
    release: Release,
    observed: Observation,
    reasons: Reasons,
    complaint: tuple[str, ...],
    engine: Engine,
) -> NotProven:
    failed = tuple(
        ContainerFailure(
            service=service,
            name=container.name if container else service,
            reason=reason,
            output=engine.logs(container.id, _LOG_LINES) if container else (),
        )
        for service, (reason, _) in sorted(reasons.items(), key=lambda item: item[1][1])
        for container in [_culprit(observed.of(service), reason)]
    )
    first = failed[0]
    error = NotProven(
        f"{first.name}: {first.reason}",
        where=f"{release.name}, service {first.service}",
        hint=f"inv run.rollback --env {release.env} goes back to the last release that ran well",
        output=first.output or complaint[-_LOG_LINES:],
    )
    error.failed = failed
    return error


def _culprit(containers: Sequence[Container], reason: str) -> Container | None:
    """Return the container that shows a reason; none where there are too few of them."""
    for container in containers:
        if (trouble := _trouble(container)) and trouble[0] == reason:
            return container
    if reason == _RESTARTED:
        return max(containers, key=lambda container: container.restarts, default=None)
    return None
