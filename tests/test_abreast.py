"""Work side by side: in the order that is needed, and all of it ended when it returns."""

from __future__ import annotations

import threading
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagekit.cancel import Cancel
from stagekit.errors import BuildFailed, Cancelled
from stagekit.events import Emit, Noted
from stagekit.pipeline.abreast import abreast
from stagekit.testing.fakes import Heard

FAILED = BuildFailed("broken")


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Items, each with some of those before it."""
    names = [f"i{number}" for number in range(draw(st.integers(1, 6)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True))) if at else ()
        for at, name in enumerate(names)
    }


@settings(max_examples=40)
@given(graphs(), st.integers(1, 4), st.data())
def test_each_item_comes_after_what_it_needs(
    graph: dict[str, tuple[str, ...]], jobs: int, data: st.DataObject
) -> None:
    """What fails takes with it exactly what needs it, directly or not."""
    broken = set(data.draw(st.lists(st.sampled_from(list(graph)), unique=True)))
    begun: list[str] = []

    def work(item: str, _emit: Emit, _cancel: Cancel) -> str:
        assert all(needed in ended for needed in graph[item])
        begun.append(item)
        if item in broken:
            raise FAILED
        ended.add(item)
        return item.upper()

    ended: set[str] = set()
    outcome = abreast(graph, work, jobs=jobs, fail_fast=False, emit=Heard(), cancel=Cancel())
    spoilt = set(broken)
    for item, needed in graph.items():
        spoilt |= {item} if spoilt & set(needed) else set()
    assert outcome.done == {item: item.upper() for item in graph if item not in spoilt}
    assert set(outcome.failed) <= broken
    assert sorted(begun) == sorted(set(begun))


def test_items_run_at_the_same_time_and_no_more_than_allowed() -> None:
    """Two meet; a third is not there."""
    meeting, most, now = Barrier(2, timeout=10), 0, 0
    lock = threading.Lock()

    def work(item: str, _emit: Emit, _cancel: Cancel) -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        meeting.wait()
        with lock:
            now -= 1

    items = dict.fromkeys("abcd", ())
    outcome = abreast(items, work, jobs=2, fail_fast=False, emit=Heard(), cancel=Cancel())
    assert set(outcome.done) == set("abcd")
    assert most == 2


def test_events_arrive_on_the_callers_thread_in_order() -> None:
    """A listener need not know of threads."""
    threads: set[threading.Thread] = set()
    texts: list[str] = []

    def listen(event: object) -> None:
        threads.add(threading.current_thread())
        assert isinstance(event, Noted)
        texts.append(event.text)

    def work(item: str, emit: Emit, _cancel: Cancel) -> None:
        for number in range(50):
            emit(Noted(f"{item}{number}"))

    items = dict.fromkeys("ab", ())
    abreast(items, work, jobs=2, fail_fast=False, emit=listen, cancel=Cancel())
    assert threads == {threading.current_thread()}
    for item in "ab":
        assert [text for text in texts if text[0] == item] == [f"{item}{n}" for n in range(50)]


def test_a_stop_reaches_what_runs_and_nothing_else_begins() -> None:
    """Each ends by its own token."""
    cancel, begun = Cancel(), threading.Event()

    def work(item: str, _emit: Emit, own: Cancel) -> None:
        begun.set()
        while True:
            own.check()
            threading.Event().wait(0.01)

    threading.Thread(target=lambda: (begun.wait(), cancel.request())).start()
    items = dict.fromkeys("abc", ())
    outcome = abreast(items, work, jobs=1, fail_fast=False, emit=Heard(), cancel=cancel)
    assert outcome.done == {}
    assert {type(error) for error in outcome.failed.values()} == {Cancelled}
    assert set(outcome.failed) == {"a"}


def test_a_listener_that_raises_ends_all_of_it() -> None:
    """Its error comes out, once no thread is left."""

    def listen(_event: object) -> None:
        raise KeyboardInterrupt

    def work(item: str, emit: Emit, own: Cancel) -> None:
        emit(Noted("x"))
        for _ in range(500):
            own.check()
            threading.Event().wait(0.01)

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        abreast({"a": ()}, work, jobs=2, fail_fast=False, emit=listen, cancel=Cancel())
    assert threading.active_count() == before
