"""Pages that have to answer before a run is well: ``[[stagekit.checks]]``."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep

from stagekit.containers import Container
from stagekit.engine.http import Answer, ask_here, ask_in
from stagekit.errors import EngineError, RunFailed
from stagekit.pipeline.run.platform import Platform
from stagekit.records import HttpCheck, Release

_POLL = 0.5
_ANSWER_LIMIT = 10.0
_SHOWN = 300


def ask(check: HttpCheck, containers: Sequence[Container], release: Release, on: Platform) -> str:
    """Ask for a page until it answers as it should, and return how it did.

    Args:
        check: what is asked, and from where.
        containers: those that run.
        release: theirs.
        on: engine and token.

    Raises:
        RunFailed: it did not until its deadline; with what it answered last.
    """
    asker = None if check.asked_from == "here" else _container(check, containers, release)
    begun = monotonic()
    while True:
        on.cancel.check()
        wrong = _asked(check, asker, on)
        seconds = monotonic() - begun
        if not wrong:
            return f"{check.status} {_from(check)}, after {seconds:.1f} s"
        if seconds > check.deadline:
            raise RunFailed(
                f"{check.url} does not answer as it should, asked {_from(check)}: {wrong}",
                where=release.name,
                hint=f"inv run.logs --env {release.env}; the check stands in [[stagekit.checks]]",
            )
        sleep(_POLL)


def _asked(check: HttpCheck, asker: Container | None, on: Platform) -> str | None:
    """Ask once; return what is wrong with the answer."""
    try:
        answer = (
            ask_in(asker.id, check.url, on.engine, limit=_ANSWER_LIMIT)
            if asker
            else ask_here(check.url, limit=_ANSWER_LIMIT)
        )
    except EngineError as error:
        return error.what
    return _judged(check, answer)


def _judged(check: HttpCheck, answer: Answer) -> str | None:
    text = " ".join(answer.body.split())[:_SHOWN]
    if answer.status != check.status:
        return f"{answer.status} instead of {check.status}: {text}"
    if check.body not in answer.body:
        return f"{check.body!r} is not in its answer: {text}"
    return None


def _container(check: HttpCheck, containers: Sequence[Container], release: Release) -> Container:
    running = (item for item in containers if item.state == "running")
    found = next((item for item in running if item.service == check.asked_from), None)
    if found is None:
        services = sorted({item.service for item in containers if item.state == "running"})
        raise RunFailed(
            f"{check.url} cannot be asked for from {check.asked_from}: no container of it runs",
            where=release.name,
            hint=f'from = "here", or one of {", ".join(services)}, in [[stagekit.checks]]',
        )
    return found


def _from(check: HttpCheck) -> str:
    return "from here" if check.asked_from == "here" else f"in a container of {check.asked_from}"
