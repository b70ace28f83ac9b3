"""A run's plan: shown, written to a file, and read from one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.wording import counted

if TYPE_CHECKING:
    from stagekit.cli.console import Line, Tone
    from stagekit.records import Action, HostPlanned, Planned, Prospect, Stored

_TONES: dict[str, Tone] = {
    "create": "added",
    "recreate": "changed",
    "restart": "changed",
    "start": "changed",
    "keep": "",
    "remove": "removed",
}


def show_plan(app: App, plan: Planned, out: str, json: bool) -> None:
    """Print a plan, and write it to the file ``out`` where one is named.

    Raises:
        LedgerError: it cannot be written there.
    """
    from stagekit import durable
    from stagekit.envelope import encode, plain

    if out:
        durable.write_file(Path(out), encode(plan))
        app.console.note(f"next: inv run --plan-file {out}   does that, or says what changed since")
    if json:
        app.console.data({**plain(plan), "changes": plan.changes})
        return
    app.console.lines(_lines(plan))


def read_plan(path: str) -> Stored[Planned]:
    """Read a plan that was written to a file.

    Raises:
        InputError: there is none.
        LedgerError: it is no plan, or was changed.
    """
    from stagekit.envelope import decode
    from stagekit.errors import InputError
    from stagekit.ledger.names import bounded
    from stagekit.records import Planned

    try:
        data = bounded(Path(path))
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(
            f"cannot read the plan: {reason}",
            where=path,
            hint="inv run --env ENV --plan-out FILE writes one",
        ) from error
    return decode(Planned, data, where=path)


def _lines(plan: Planned) -> Iterator[Line]:
    if plan.engine:
        yield f"{plan.name} on {plan.engine.url}", "title"
        yield from _on_engine(plan)
    else:
        yield f"{plan.name} on {counted(len(plan.hosts), 'host')}", "title"
        for number, batch in enumerate(plan.batches, 1):
            yield f"  batch {number}  {', '.join(batch)}", ""
    for names, host in _alike(plan.hosts):
        yield ", ".join(names), "place"
        yield from _on_engine(host)


def _alike(hosts: Sequence[HostPlanned]) -> Iterator[tuple[list[str], HostPlanned]]:
    """Yield what would be done on hosts, once for all on which it is the same."""
    found: list[tuple[list[str], HostPlanned]] = []
    for host in hosts:
        for names, like in found:
            if (like.pull, like.actions) == (host.pull, host.actions):
                names.append(host.name)
                break
        else:
            found.append(([host.name], host))
    yield from found


def _on_engine(plan: Prospect) -> Iterator[Line]:
    for image in plan.pull:
        yield f"  pull      {image}", "added"
    for action in plan.actions:
        yield f"  {action.kind:<8}  {_subject(action)}", _TONES[action.kind]
        for reason in action.reasons:
            yield f"            - {reason}", ""
    if not plan.changes:
        yield "  nothing changes", ""


def _subject(action: Action) -> str:
    if action.what != "service":
        return f"{action.what} {action.name}"
    if not action.count:
        return action.name
    return f"{action.name}  ({counted(action.count, 'container')})"
