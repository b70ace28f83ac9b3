"""How a difference between two releases is shown to people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from stagekit.cli.console import Console, Tone

if TYPE_CHECKING:
    from stagekit.pipeline.compare import (
        Difference,
        ImageChange,
        VariableChange,
    )

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "same": "="}
_TONES: dict[str, Tone] = {"+": "added", "-": "removed", "~": "changed", "@": "place"}
_SAME_LIMIT = 5

Line = tuple[str, Tone]


def show_difference(console: Console, difference: Difference) -> None:
    """Print what differs: commits, images, variables, secrets, settings, files, hosts, the
    document."""
    for note in difference.notes:
        console.note(note)
    if not difference.differs:
        console.result(f"{difference.old} and {difference.new} are the same")
    for line, tone in _lines(difference):
        console.result(line, tone)


def toned(diff: Iterable[str]) -> Iterator[Line]:
    """Yield the lines of a unified diff, each in its tone."""
    for line in diff:
        yield line, "title" if line.startswith(("---", "+++")) else _TONES.get(line[:1], "")


def _lines(difference: Difference) -> Iterator[Line]:
    yield from _commits(difference)
    yield from _titled("images", [line for item in difference.images for line in _image(item)])
    variables = [line for item in difference.variables for line in _variable(item)]
    yield from _titled("variables", variables)
    yield from _titled("secrets", _secrets(difference) if difference.differs else [])
    settings = [f"~ {item.name}: {item.old} → {item.new}" for item in difference.settings]
    yield from _titled("settings", settings)
    files = [f"{_SIGNS[item.kind]} {item.path}" for item in difference.files]
    yield from _titled("files", files)
    hosts = [
        f"~ {item.host}: {item.service + ' ' if item.service else ''}{item.text}"
        for item in difference.hosts
    ]
    yield from _titled("hosts", hosts)
    if difference.document:
        yield "document", "title"
    yield from toned(difference.document)


def _titled(title: str, lines: list[str]) -> Iterator[Line]:
    """Yield lines below what they are of, each in the tone of its sign."""
    if lines:
        yield title, "title"
    for line in lines:
        yield f"  {line}", _TONES.get(line[0], "")


def _commits(difference: Difference) -> Iterator[Line]:
    old, new, commits = difference.old_build, difference.new_build, difference.commits
    if old == new:
        return
    yield f"build {old.id} → {new.id}", "title"
    for commit in commits.gained:
        yield f"  + {commit}", "added"
    for commit in commits.lost:
        yield f"  - {commit}", "removed"
    if commits.old == commits.new and commits.new:
        yield f"  = both are made from commit {commits.new[:9]}", ""
    elif not commits.gained and not commits.lost:
        yield "  the commits between the two are not known here", ""


def _image(change: ImageChange) -> Iterator[str]:
    if change.old and change.new:
        yield f"~ {change.service}: {change.old.pinned}"
        yield f"~ {' ' * len(change.service)}→ {change.new.pinned}"
    elif pin := change.new or change.old:
        yield f"{_SIGNS[change.kind]} {change.service}: {pin.pinned}"


def _variable(change: VariableChange) -> Iterator[str]:
    old, new, sign = change.old, change.new, _SIGNS[change.kind]
    if old and new and change.kind == "same":
        value = _written(new.value)
        yield f"{sign} {change.name}: {value}  (from {new.origin}, was from {old.origin})"
    elif old and new:
        yield f"- {change.name}: {_written(old.value)}  ({old.origin})"
        yield f"+ {change.name}: {_written(new.value)}  ({new.origin})"
    elif one := new or old:
        yield f"{sign} {change.name}: {_written(one.value)}  ({one.origin})"


def _secrets(difference: Difference) -> list[str]:
    changed = [item for item in difference.secrets if item.kind != "same"]
    same = [item.name for item in difference.secrets if item.kind == "same"]
    lines = [f"{_SIGNS[item.kind]} {item.name}: {item.kind}" for item in changed]
    if same and len(same) <= _SAME_LIMIT:
        lines.append(f"= the same: {', '.join(same)}")
    elif same:
        lines.append(f"= the same: {len(same)} others")
    return lines


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
