"""What happened, as frozen values. Stages emit them; the console and plugins listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace


class Started(Struct, frozen=True):
    """A step begins. ``step`` is a verb (``build``, ``push``), ``subject`` what it works on."""

    step: str
    subject: str


class Progress(Struct, frozen=True):
    """A step says how far it is."""

    step: str
    subject: str
    text: str


class Done(Struct, frozen=True):
    """A step ended well, after ``seconds``."""

    step: str
    subject: str
    outcome: str
    seconds: float


class Failed(Struct, frozen=True):
    """A step ended badly, after ``seconds``. What stopped it follows as an error."""

    step: str
    subject: str
    reason: str
    seconds: float


class Output(Struct, frozen=True):
    """A program that a step runs printed a line."""

    step: str
    subject: str
    line: str


class Warned(Struct, frozen=True):
    """Something a person should know, which stops nothing."""

    text: str


class Noted(Struct, frozen=True):
    """A plain remark on what was decided."""

    text: str


Event = Started | Progress | Done | Failed | Output | Warned | Noted
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener for callers who want none."""


def reworded(event: Event, change: Callable[[str], str]) -> Event:
    """Return an event with every text changed that a program may have a part in: what is left is
    which step it is of, and of what."""
    names = [name for name in event.__struct_fields__ if name not in ("step", "subject")]
    texts = {name: getattr(event, name) for name in names}
    changed = {name: change(text) for name, text in texts.items() if isinstance(text, str)}
    return replace(event, **changed)


class Step:
    """A step under way; set ``outcome`` to say in a few words how it ended."""

    def __init__(self, emit: Emit, name: str, subject: str) -> None:
        self._emit = emit
        self._name = name
        self._subject = subject
        self.outcome = ""

    def progress(self, text: str) -> None:
        self._emit(Progress(self._name, self._subject, text))


@contextmanager
def step(emit: Emit, name: str, subject: str) -> Iterator[Step]:
    """Emit ``Started``, then ``Done`` with the time taken, or ``Failed`` where the body raised."""
    emit(Started(name, subject))
    begun = monotonic()
    under_way = Step(emit, name, subject)
    try:
        yield under_way
    except BaseException as error:
        emit(Failed(name, subject, str(error), monotonic() - begun))
        raise
    emit(Done(name, subject, under_way.outcome, monotonic() - begun))
