"""What two releases that run side by side are asked: pages, and a command of the user's; and
whether they answer alike."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep
from typing import NamedTuple

from stagekit import digest, process
from stagekit.engine.http import Answer, ask_here
from stagekit.errors import EngineError, InputError
from stagekit.events import Noted, step
from stagekit.pipeline.lines import difference
from stagekit.pipeline.run.platform import Platform
from stagekit.records import Compared, QuestionKind, Reply

_PATIENCE = 30.0
"""Seconds in which the first page must be answered: a service without a health check may be up
before it listens."""

_PAGE_LIMIT, _COMMAND_LIMIT = 30.0, 3_600.0
_POLL = 0.2
_LOOKED_AT = 2_000
_SHOWN, _WIDTH = 400, 1_000


class Place(NamedTuple):
    """Where one of the two releases is asked: its name, Compose project and address."""

    name: str
    project: str
    address: str | None


Places = tuple[Place, Place]


class _Heard(NamedTuple):
    """What one of them answered. ``said`` is compared, ``shown`` is that for people."""

    reply: Reply
    said: object
    shown: str


def await_answers(places: Places, path: str, on: Platform) -> None:
    """Wait until both answer for a page at all, whatever they answer; not for ever."""
    for place in places:
        begun = monotonic()
        with step(on.emit, "await", f"{place.name} {place.address}{path}") as under_way:
            while True:
                on.cancel.check()
                try:
                    _page(place, path)
                except EngineError as error:
                    under_way.outcome = error.what
                    if monotonic() - begun > _PATIENCE:
                        break
                    sleep(_POLL)
                else:
                    under_way.outcome = "it answers"
                    break


def ask_page(
    path: str, headers: Sequence[str], places: Places, secrets: Sequence[str], on: Platform
) -> Compared:
    """Ask both for a page, the older one first.

    Args:
        path: what is asked for, as ``/health?full=1``; what it leads to is not followed.
        headers: the names of those that count.
        places: where both are.
        secrets: values that must not be shown.
        on: is told, and may be stopped.
    """

    def ask(place: Place) -> _Heard:
        begun = monotonic()
        try:
            answer = _page(place, path)
        except EngineError as error:
            return _no_answer(error.what, monotonic() - begun)
        return _heard_page(answer, headers, place, secrets, monotonic() - begun)

    return _asked("url", path, ask, places, secrets, on)


def ask_command(
    argv: Sequence[str], places: Places, secrets: Sequence[str], on: Platform
) -> Compared:
    """Run a command on this machine for each of both, the older one first.

    Its environment says which it is for: ``STAGEKIT_COMPARE_URL``, ``_PROJECT`` and ``_RELEASE``.
    What it prints to stdout and how it ends are compared; stderr is passed on.

    Args:
        argv: its words.
        places: where both are.
        secrets: values that must not be shown.
        on: is told, and may be stopped.
    """
    subject = process.hide(" ".join(argv), secrets)

    def ask(place: Place) -> _Heard:
        begun = monotonic()

        def on_line(line: str) -> None:
            on.emit(Noted(f"{place.name} | {process.hide(line, secrets)}"))

        try:
            result = process.run(
                (program_of(argv, on.environ), *argv[1:]),
                env={**on.environ, **_told(place)},
                limit=_COMMAND_LIMIT,
                cancel=on.cancel,
                on_line=on_line,
            )
        except EngineError as error:
            return _no_answer(process.hide(error.what, secrets), monotonic() - begun)
        output = _neutral(result.stdout, place)
        masked = process.hide(output, secrets)
        reply = _reply(result.code, len(result.stdout.encode()), masked, monotonic() - begun)
        return _Heard(reply, (result.code, output), f"ended with {result.code}\n{masked}")

    return _asked("command", subject, ask, places, secrets, on)


def program_of(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the path of the program that a command names.

    Raises:
        InputError: this machine does not have it.
    """
    found = shutil.which(argv[0], path=environ.get("PATH"))
    if found is None:
        raise InputError(
            f"no program {argv[0]!r} on this machine",
            where="--",
            hint="the command is run here, not in a container; a shell's is sh -c 'COMMAND'",
        )
    return found


def _asked(
    kind: QuestionKind,
    subject: str,
    ask: Callable[[Place], _Heard],
    places: Places,
    secrets: Sequence[str],
    on: Platform,
) -> Compared:
    heard = []
    for place in places:
        with step(on.emit, "ask", f"{place.name} {subject}") as under_way:
            heard.append(ask(place))
            reply = heard[-1].reply
            under_way.outcome = reply.failure or f"{reply.code}, {reply.size} bytes"
    old, new = heard
    differs = bool(old.reply.failure or new.reply.failure) or old.said != new.said
    lines = _shown_difference(old, new, places) if differs else []
    return Compared(
        kind=kind,
        subject=subject,
        old=old.reply,
        new=new.reply,
        differs=differs,
        difference=tuple(line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…" for line in lines)[
            :_SHOWN
        ],
        more=max(0, len(lines) - _SHOWN),
    )


def _page(place: Place, path: str) -> Answer:
    return ask_here(f"{place.address}{path}", limit=_PAGE_LIMIT)


def _told(place: Place) -> dict[str, str]:
    return {
        "STAGEKIT_COMPARE_URL": place.address or "",
        "STAGEKIT_COMPARE_PROJECT": place.project,
        "STAGEKIT_COMPARE_RELEASE": place.name,
    }


def _heard_page(
    answer: Answer, headers: Sequence[str], place: Place, secrets: Sequence[str], seconds: float
) -> _Heard:
    counted = {
        name: _neutral(answer.headers[name], place) for name in headers if name in answer.headers
    }
    shown = {name: process.hide(value, secrets) for name, value in counted.items()}
    said: object
    try:
        text = answer.data.decode("utf-8")
    except UnicodeDecodeError:
        said = answer.data
        masked = f"{len(answer.data)} bytes that are no text, {digest.of_bytes(answer.data)}\n"
    else:
        said = _neutral(text, place)
        masked = process.hide(_neutral(text, place), secrets)
    head = "".join(f"{name}: {value}\n" for name, value in shown.items())
    return _Heard(
        _reply(answer.status, len(answer.data), masked, seconds, shown),
        (answer.status, counted, said),
        f"status {answer.status}\n{head}\n{masked}",
    )


def _reply(
    code: int, size: int, masked: str, seconds: float, headers: dict[str, str] | None = None
) -> Reply:
    return Reply(
        seconds=round(seconds, 3),
        code=code,
        headers=headers or {},
        size=size,
        digest=digest.of_bytes(masked.encode("utf-8", "replace")),
    )


def _no_answer(what: str, seconds: float) -> _Heard:
    return _Heard(Reply(seconds=round(seconds, 3), failure=what), what, f"{what}\n")


def _neutral(text: str, place: Place) -> str:
    """Replace what differs only because it is another of the two: its address and its project."""
    text = text.replace(place.project, "PROJECT")
    if not place.address:
        return text
    return re.sub(rf"{re.escape(place.address.partition('//')[2])}(?!\d)", "ADDRESS", text)


def _shown_difference(old: _Heard, new: _Heard, places: Places) -> list[str]:
    texts = _laid_out(old.shown, new.shown)
    names = [place.name for place in places]
    found = list(difference(*texts, *names, at_most=_LOOKED_AT))
    if found:
        return found
    if old.shown == new.shown and old.reply.failure:
        return [f"neither answers: {old.reply.failure}"]
    return ["what differs is secret, or where lines end"]


def _laid_out(old: str, new: str) -> tuple[str, str]:
    """Lay out two pages of JSON with a line for each value, where they still differ so."""
    laid = []
    for text in (old, new):
        head, _, body = text.partition("\n\n")
        try:
            value = json.loads(body)
        except ValueError:
            return old, new
        laid.append(f"{head}\n\n{json.dumps(value, indent=2, ensure_ascii=False)}\n")
    return (laid[0], laid[1]) if laid[0] != laid[1] else (old, new)
