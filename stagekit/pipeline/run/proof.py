"""Whether what came up is what was released. Inspection is the verdict, not an exit code.

``docker compose up --wait`` fails on a one-shot service that has done its work, and passes a
service that crashes over and over; so each container is looked at, for a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import monotonic, sleep
from typing import NamedTuple

from stagekit.cancel import Cancel
from stagekit.containers import Container, Observation
from stagekit.errors import NotProven
from stagekit.protocols import Engine, Runner
from stagekit.records import ContainerFailure, ContainerSeen, Pin, Release
from stagekit.wording import counted

_LOG_LINES = 20
_RESTARTED_SETTLE = 10.0
_POLL = 0.2
_NOTHING = Observation(containers=())


class _Trouble(NamedTuple):
    """Why a service is not up; ``passing`` where waiting may help."""

    reason: str
    passing: bool
    container: Container | None = None


class Settled(NamedTuple):
    """The containers that came up, and for how many seconds they were watched."""

    containers: tuple[Container, ...]
    seconds: float


def settle(
    release: Release,
    wanted: Mapping[str, int],
    runner: Runner,
    engine: Engine,
    cancel: Cancel,
    *,
    complaint: tuple[str, ...] = (),
    before: Observation = _NOTHING,
) -> Settled:
    """Watch the release until every service is up and has held for its settle time.

    What ran before and was not touched has held already. A container that has restarted lately has
    to hold for longer: it may be in a loop whose rounds are longer than the settle time. One that
    the engine put in the place of another, whose node went, has to come up and hold like any other.

    Args:
        release: what was brought up.
        wanted: how many containers each service should have.
        runner: looks at it.
        engine: gives the logs.
        cancel: stops it.
        complaint: the runner's last lines, if it was not content.
        before: what ran before it was brought up.

    Raises:
        NotProven: one of them failed, restarted, or did not become healthy in time.
    """
    first = _until_up(release, wanted, runner, complaint, engine, cancel)
    seconds = _time_to_hold(release, before, first)
    if not seconds:
        return Settled(first.containers, seconds)
    _wait(seconds, cancel)
    settled = Settled(first.containers, seconds)
    return settled._replace(containers=held(release, wanted, runner, engine, settled, cancel))


def held(
    release: Release,
    wanted: Mapping[str, int],
    runner: Runner,
    engine: Engine,
    settled: Settled,
    cancel: Cancel,
) -> tuple[Container, ...]:
    """Look once more, and return the containers as they are now, when those that moved from a node
    which went in the meantime have settled as well.

    Raises:
        NotProven: one of them is not up any more, or was restarted since.
    """
    now = runner.observe(release.compose_project)
    if _moved(settled.containers, now):
        return settle(release, wanted, runner, engine, cancel).containers
    if troubles := _troubles(now, wanted) | _changes(settled.containers, now):
        raise _not_proven(release, troubles, (), engine)
    return now.containers


def _time_to_hold(release: Release, before: Observation, now: Observation) -> float:
    if any(item.restarts and item.is_young for item in now.containers):
        return max(release.deploy.settle, _RESTARTED_SETTLE)
    known = _starts(before.containers)
    untouched = all(known.get(item.id) == _start(item) for item in now.containers)
    return 0.0 if untouched else release.deploy.settle


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
                definition=container.definition,
                settings=container.settings,
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
    wanted: Mapping[str, int],
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
        if complaint and not troubles:
            raise _not_brought_up(release, complaint)
        if not troubles:
            return observed
        lasting = complaint or not all(trouble.passing for trouble in troubles.values())
        if lasting or monotonic() > deadline:
            raise _not_proven(release, troubles, complaint, engine)
        sleep(_POLL)


def _troubles(observed: Observation, wanted: Mapping[str, int]) -> dict[str, _Trouble]:
    troubles = {}
    for service, count in {**wanted, **observed.numbers}.items():
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
        detail = f": {container.error}" if container.error else ""
        text = f"exited with {container.exit_code}{detail}"
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


def _changes(before: Sequence[Container], now: Observation) -> dict[str, _Trouble]:
    known = _starts(before)
    return {
        item.service: _Trouble("restarted while it should have settled", False, item)
        for item in now.containers
        if known.get(item.id) != _start(item)
    }


def _moved(before: Sequence[Container], now: Observation) -> bool:
    """Tell whether a node went: what it had starts anew elsewhere, which is not the release's
    failure."""
    known = _starts(before)
    return any(item.moved_from for item in now.containers if item.id not in known)


def _starts(containers: Sequence[Container]) -> dict[str, tuple[int, str]]:
    return {item.id: _start(item) for item in containers}


def _start(container: Container) -> tuple[int, str]:
    return container.restarts, container.started


def proven(seen: Sequence[ContainerSeen]) -> str:
    """Say how many containers were found to run what was released."""
    run = "runs" if len(seen) == 1 else "run"
    return f"{counted(len(seen), 'container')} {run} what was released"


def _wait(seconds: float, cancel: Cancel) -> None:
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        cancel.check()
        sleep(min(_POLL, seconds))


def _not_brought_up(release: Release, complaint: tuple[str, ...]) -> NotProven:
    """What is up may be what was up before: where the runner was not content, nobody is."""
    return NotProven(
        f"it was not brought up whole: {complaint[-1]}",
        where=release.name,
        hint=_way_back(release),
        output=complaint[-_LOG_LINES:],
    )


def _not_proven(
    release: Release,
    troubles: dict[str, _Trouble],
    complaint: tuple[str, ...],
    engine: Engine,
) -> NotProven:
    failed = tuple(
        _failure(service, trouble, engine, complaint)
        for service, trouble in sorted(troubles.items(), key=lambda item: item[1].passing)
    )
    first = failed[0]
    return NotProven(
        f"{first.name}: {first.reason}",
        where=f"{release.name}, service {first.service}",
        hint=_way_back(release),
        output=tuple(_last_words(failed)) or complaint[-_LOG_LINES:],
        failed=failed,
    )


def _way_back(release: Release) -> str:
    return f"inv run.rollback --env {release.env} goes back to the last release that ran well"


def _last_words(failed: Sequence[ContainerFailure]) -> Iterator[str]:
    """Yield the last lines of every container that failed, under its name where it is not alone."""
    for item in failed:
        if len(failed) > 1:
            yield f"{item.name}: {item.reason}"
        yield from item.output


def _failure(
    service: str, trouble: _Trouble, engine: Engine, complaint: Sequence[str]
) -> ContainerFailure:
    container, reason = trouble.container, trouble.reason
    if complaint and not container:
        reason = f"{reason}: {complaint[-1]}"
    return ContainerFailure(
        service=service,
        name=container.name if container else service,
        reason=reason,
        output=engine.logs(container.id, _LOG_LINES) if container else (),
        exit_code=container.exit_code if container else None,
        health_output=container.health_output if container else "",
    )
