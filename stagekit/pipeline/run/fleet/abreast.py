"""Work on the hosts of a fleet side by side, each in a thread; what is written and who is told
stays on the main thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event as Happened
from threading import Lock
from typing import Any, Generic, TypeVar, cast

from msgspec.structs import replace as changed

from stagekit.cancel import Cancel
from stagekit.errors import StagekitError
from stagekit.events import Done, Emit, Event, Failed, Output, Progress, Started
from stagekit.pipeline.abreast import Outcome, abreast
from stagekit.pipeline.run.hooks import Listeners
from stagekit.pipeline.run.platform import Platform

Result = TypeVar("Result")
Said = TypeVar("Said")

_AT_ONCE = 64
_POLL = 0.1


class MainThread:
    """Does things on the main thread, for a thread that waits for them.

    Args:
        post: takes events there.
        cancel: ends the waiting, where the main thread was interrupted.
    """

    def __init__(self, post: Emit, cancel: Cancel) -> None:
        self._post = post
        self._cancel = cancel

    def __call__(self, work: Callable[[], Said]) -> Said:
        """Do ``work`` there; return what it returns, raise what it raises.

        Raises:
            Cancelled: a stop was asked for before it was begun, and it will not be done.
        """
        call = _Call(work)
        self._post(cast("Event", call))
        while not call.ended.wait(_POLL):
            if self._cancel.requested and call.claim():
                self._cancel.check()
        if call.error:
            raise call.error
        return cast("Said", call.result)


class Here(MainThread):
    """Does things at once, for what is on the main thread itself."""

    def __init__(self) -> None:
        """It posts nothing, and never waits."""

    def __call__(self, work: Callable[[], Said]) -> Said:
        return work()


class _ThereToo:
    """Speaks to plugins on the main thread."""

    def __init__(self, plugins: Listeners, main: MainThread) -> None:
        self._plugins = plugins
        self._main = main

    def tell(self, hook: str, **facts: Any) -> None:
        self._main(lambda: self._plugins.tell(hook, **facts))

    def tell_all(self, hook: str, **facts: Any) -> tuple[StagekitError, ...]:
        return self._main(lambda: self._plugins.tell_all(hook, **facts))

    def gathered(self, hook: str, **facts: Any) -> list[Any]:
        return self._main(lambda: self._plugins.gathered(hook, **facts))


class _Call(Generic[Said]):
    def __init__(self, work: Callable[[], Said]) -> None:
        self._work = work
        self._claimed = Lock()
        self.ended = Happened()
        self.result: Said | None = None
        self.error: BaseException | None = None

    def claim(self) -> bool:
        """Take it, to do it or to give it up; False where the other one has."""
        return self._claimed.acquire(blocking=False)

    def do(self) -> None:
        if not self.claim():
            return
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            self.ended.set()


def side_by_side(
    platforms: dict[str, Platform],
    work: Callable[[str, Platform, MainThread], Result],
    *,
    emit: Emit,
    cancel: Cancel,
) -> Outcome[Result]:
    """Do ``work`` for every host; one that fails stops no other.

    Args:
        platforms: what each host's part is done with, by its name.
        work: called in a thread with the host's name and its platform, which tells of that host.
        emit: told of what happens.
        cancel: stops all of it.
    """

    def heard(event: Event | _Call[Any]) -> None:
        if isinstance(event, _Call):
            event.do()
        else:
            emit(event)

    def on_one(name: str, post: Emit, group: Cancel) -> Result:
        on = platforms[name]
        main = MainThread(post, group)
        own = replace(
            on,
            emit=telling_of(name, post),
            cancel=Cancel(on.cancel, group),
            plugins=_ThereToo(on.plugins, main),
        )
        return work(name, own, main)

    return abreast(
        dict.fromkeys(platforms, ()),
        on_one,
        jobs=min(_AT_ONCE, max(1, len(platforms))),
        fail_fast=False,
        emit=heard,
        cancel=cancel,
    )


def telling_of(host: str, emit: Emit) -> Emit:
    """Return a listener that says of each step on which host it is."""

    def tell(event: Event) -> None:
        if isinstance(event, Started | Progress | Done | Failed | Output):
            event = changed(event, subject=f"{host}: {event.subject}")
        emit(event)

    return tell


def names_of(hosts: Sequence[str]) -> str:
    """Write the names of hosts, the first ones of many."""
    shown = 5
    more = f" and {len(hosts) - shown} more" if len(hosts) > shown else ""
    return ", ".join(hosts[:shown]) + more
