"""Where things stand in a YAML text, and edits of it that leave every other byte as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

from stagekit.errors import InputError
from stagekit.inputs.interpolation import check_depth

Node = yaml.Node
MERGE = "<<"
_ALIAS = re.compile(r"\s*:\s*\*[^\s,\]}]+")


@dataclass(frozen=True)
class Edit:
    """Puts ``text`` in the place of what stands from ``start`` to ``end``, in characters."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Entry:
    """A key of a map, and what it has."""

    key: yaml.ScalarNode
    value: Node


def parsed(text: str, where: str) -> Node | None:
    """Return the one document of a text, None where it is empty.

    Raises:
        InputError: it is not YAML, or more than one document; says the line.
    """
    check_depth(text, where)
    try:
        # Python's own loader: its marks count characters, whatever the line ends are.
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"not YAML: {error.problem}", where=f"{where}{line}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"not YAML: {error}", where=where) from error


def entries(node: Node | None) -> list[tuple[str, Entry]]:
    """Return a map's own keys, without those that it merges."""
    if not isinstance(node, yaml.MappingNode):
        return []
    return [
        (key.value, Entry(key, value))
        for key, value in node.value
        if isinstance(key, yaml.ScalarNode) and key.value != MERGE
    ]


def own(node: Node | None, *path: str) -> Entry | None:
    """Return what stands under a path of keys, each the map's own."""
    found: Entry | None = None
    for name in path:
        found = next((entry for key, entry in entries(node) if key == name), None)
        if found is None:
            return None
        node = found.value
    return found


def holders(node: Node | None) -> Iterator[yaml.MappingNode]:
    """Yield a map and, after it, those that it merges: the first that has a key counts."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        at = waiting.pop(0)
        if not isinstance(at, yaml.MappingNode) or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        for key, value in at.value:
            if isinstance(key, yaml.ScalarNode) and key.value == MERGE:
                waiting += value.value if isinstance(value, yaml.SequenceNode) else [value]


def holder(node: Node | None, name: str) -> tuple[yaml.MappingNode, Entry] | None:
    """Return the map that gives ``node`` a key, itself or one that it merges, and the entry."""
    for at in holders(node):
        if entry := own(at, name):
            return at, entry
    return None


def items(node: Node | None) -> list[Node]:
    """Return a list's items, or the one thing that stands in its place."""
    if node is None:
        return []
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def scalars(node: Node | None) -> Iterator[yaml.ScalarNode]:
    """Yield every value below a node once: of keys, nothing."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if at is None or id(at) in seen:
            continue
        seen.add(id(at))
        if isinstance(at, yaml.ScalarNode):
            yield at
        elif isinstance(at, yaml.MappingNode):
            waiting += [value for _, value in at.value]
        elif isinstance(at, yaml.SequenceNode):
            waiting += at.value


def value_of(node: Node) -> object:
    """Return what a node is, its aliases written out."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except yaml.YAMLError:  # a tag of Compose's own, such as !reset
        return None
    finally:
        loader.dispose()


def line_of(node: Node) -> int:
    """Return the line of a node, from 1."""
    return int(node.start_mark.line) + 1


def span(node: yaml.ScalarNode) -> tuple[int, int]:
    """Return where a value stands, with its quotes."""
    return node.start_mark.index, node.end_mark.index


def replaced(node: yaml.ScalarNode, text: str) -> Edit:
    """Write ``text`` in the place of a value."""
    return Edit(*span(node), text)


def entry_replaced(text: str, entry: Entry, new: str) -> Edit:
    """Write ``new`` in the place of a key and all that it has."""
    return Edit(entry.key.start_mark.index, _end_of_entry(text, entry), new)


def entry_removed(text: str, parent: yaml.MappingNode, entry: Entry) -> Edit:
    """Take a key and all that it has out of a map, its lines whole where they are its own."""
    flow = bool(parent.flow_style)
    return _removed(text, entry.key.start_mark.index, _end_of_entry(text, entry), flow=flow)


def item_removed(text: str, parent: yaml.SequenceNode, item: Node) -> Edit | None:
    """Take an item out of a list; None for one that is written elsewhere, as an alias is."""
    start = item.start_mark.index
    if not parent.start_mark.index <= start < parent.end_mark.index:
        return None
    if not parent.flow_style:
        start = text.rfind("-", 0, start)
    return _removed(text, start, _end(text, item), flow=bool(parent.flow_style))


def keys_added(text: str, node: yaml.MappingNode, lines: Iterable[tuple[str, str]]) -> Edit | None:
    """Put keys before a map's first one: name and value as YAML, the value on one line.

    Returns:
        None where the map is empty and there is no place to see.
    """
    if not node.value:
        return None
    start = node.value[0][0].start_mark.index
    pairs = [f"{key_text(key)}: {value}" for key, value in lines]
    if node.flow_style:
        return Edit(start, start, "".join(f"{pair}, " for pair in pairs))
    return _before(text, start, pairs)


def items_added(text: str, node: yaml.SequenceNode, items: Iterable[str]) -> Edit | None:
    """Put items, each as YAML on one line, before a list's first one."""
    if not node.value:
        return None
    start = node.value[0].start_mark.index
    if node.flow_style:
        return Edit(start, start, "".join(f"{item}, " for item in items))
    return _before(text, text.rfind("-", 0, start), [f"- {item}" for item in items])


def key_text(name: str) -> str:
    """Write a key so that YAML reads it as that text."""
    plain = name.replace("_", "").replace("-", "").replace(".", "")
    safe = plain.isalnum() and plain.isascii() and name[0].isalpha()
    ambiguous = name.lower() in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    return name if safe and not ambiguous else json.dumps(name)


def block(text: str, at: int, head: str, lines: Iterable[str]) -> str:
    """Write a key with lines below it, as it would stand at ``at``."""
    inner = _newline(text) + " " * (_column(text, at) + 2)
    return head + "".join(inner + line for line in lines)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits. Of two that overlap, the one that takes more away counts."""
    parts, at = [], 0
    # What is put in somewhere goes before what is taken away from there on.
    for edit in sorted(
        set(edits), key=lambda item: (item.start, item.end > item.start, -item.end, item.text)
    ):
        if edit.start < at:
            continue
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join(parts) + text[at:]


def changed_lines(text: str, edits: Iterable[Edit]) -> int:
    """Count the lines that an edited text has otherwise, more, or not any more."""
    changed: set[int] = set()
    added = 0
    for edit in set(edits):
        first, last = (
            text.count("\n", 0, at) for at in (edit.start, max(edit.start, edit.end - 1))
        )
        more = edit.text.count("\n")
        if edit.end == edit.start and more:
            added += more
        else:
            changed |= set(range(first, last + 1))
            added += max(0, more - (last - first))
    return len(changed) + added


def _before(text: str, start: int, lines: list[str]) -> Edit:
    indent = _newline(text) + " " * _column(text, start)
    return Edit(start, start, "".join(line + indent for line in lines))


def _column(text: str, at: int) -> int:
    return at - (text.rfind("\n", 0, at) + 1)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _end_of_entry(text: str, entry: Entry) -> int:
    """Return where a key's value ends; an alias has the marks of what it stands for."""
    found = _ALIAS.match(text, entry.key.end_mark.index)
    return found.end() if found else max(_end(text, entry.value), int(entry.key.end_mark.index) + 1)


def _end(text: str, node: Node) -> int:
    """Return where a node's last line ends: PyYAML has a block end where the next thing begins."""
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if isinstance(node, yaml.ScalarNode):
        return start + len(text[start:end].rstrip()) if node.style in ("|", ">") else end
    if not block:
        return end
    lines = text[start:end].splitlines(keepends=True)
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return start + len("".join(lines).rstrip())


def _removed(text: str, start: int, end: int, *, flow: bool) -> Edit:
    if flow:
        rest = len(text[end:]) - len(text[end:].lstrip(" ,"))
        if rest and "," in text[end : end + rest]:
            return Edit(start, end + rest, "")
        before = text[:start].rstrip(" ,")
        return Edit(len(before), end, "")
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end + 1
    if text[line_start:start].strip():  # it shares its line with what stands before it
        return Edit(start, end, "")
    return Edit(line_start, line_end, "")
