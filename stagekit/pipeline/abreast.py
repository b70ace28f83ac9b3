"""Work side by side: one thread an item, each after those it needs, everything said and recorded
on the main thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Generic, TypeVar

from stagekit.cancel import Cancel
from stagekit.errors import BuildFailed, Cancelled
from stagekit.events import Emit, Event

Result = TypeVar("Result")


@dataclass
class Outcome(Generic[Result]):
    """How the items ended: what those that went well returned, what stopped the others, in the
    order in which they ended. An item that another one's failure stopped is in neither."""

    done: dict[str, Result] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)


def abreast(
    items: Mapping[str, Sequence[str]],
    work: Callable[[str, Emit, Cancel], Result],
    *,
    jobs: int,
    fail_fast: bool,
    emit: Emit,
    cancel: Cancel,
) -> Outcome[Result]:
    """Do ``work`` for every item.

    Args:
        items: each with those of the items that have to be done before it.
        work: called in a thread, in a copy of this one's context, with the item, a listener and a
            token of its own; what it emits reaches ``emit`` on this thread.
        jobs: how many items at a time.
        fail_fast: let one that fails stop the others, instead of only those that need it.
        emit: told of what happens.
        cancel: stops all of it.

    Returns:
        How each item ended. All threads have, also where this raises.
    """
    outcome: Outcome[Result] = Outcome()
    events: SimpleQueue[Event | Future[Result]] = SimpleQueue()
    group = Cancel(cancel)
    waiting = dict(items)
    running: dict[Future[Result], str] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            while True:
                if not group.requested:
                    for item in [name for name in waiting if _ready(waiting[name], outcome)]:
                        del waiting[item]
                        run = copy_context().run  # one context cannot be entered twice at once
                        future = pool.submit(run, work, item, events.put, group)
                        running[future] = item
                        future.add_done_callback(events.put)  # behind all that it emitted
                if not running:
                    return outcome
                if isinstance(heard := events.get(), Future):
                    _note(outcome, running.pop(heard), heard)
                else:
                    emit(heard)
                if outcome.failed and fail_fast:
                    group.request()
        finally:
            group.request()


def failure_of_all(outcome: Outcome[Result], total: int, things: str) -> Exception:
    """Return the one error of an outcome in which items failed, or one that tells of all.

    Args:
        outcome: how they ended.
        total: how many there were.
        things: what they are called.
    """
    errors = list(outcome.failed.items())
    if len(errors) == 1 or all(isinstance(error, Cancelled) for _, error in errors):
        return errors[0][1]
    lines: list[str] = []
    for name, error in errors:
        lines += [f"{name}: {error}", *(f"  {line}" for line in getattr(error, "output", ()))]
    return BuildFailed(
        f"{len(errors)} of {total} {things} failed: {', '.join(outcome.failed)}",
        output=tuple(lines),
    )


def _ready(needed: Sequence[str], outcome: Outcome[Result]) -> bool:
    return all(name in outcome.done for name in needed)


def _note(outcome: Outcome[Result], item: str, future: Future[Result]) -> None:
    error = future.exception()
    if error is None:
        outcome.done[item] = future.result()
    elif isinstance(error, Exception) and not (isinstance(error, Cancelled) and outcome.failed):
        outcome.failed[item] = error
