"""Where templates use which variable: read from their text, not by rendering it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stagekit.inputs.includes import taken_in
from stagekit.inputs.interpolation import START
from stagekit.inputs.jinja import NO_ADDITIONS, SUFFIX, Additions, Templates
from stagekit.inputs.merge import Key, Merged, Tree, dotted
from stagekit.inputs.near import near
from stagekit.records import Part

_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)


class Use(Part, frozen=True):
    """One place where a template asks for a variable, or for all that is below a table."""

    key: Key
    where: str


class Unused(Part, frozen=True):
    """A variable that no template asks for, and the one that may have been meant."""

    name: str
    origin: str
    meant: str | None


def uses(templates: Iterable[Path], root: Path, additions: Additions = NO_ADDITIONS) -> list[Use]:
    """Find every use of a variable in Compose files and templates, and in what they take in.

    Args:
        templates: the files a release is rendered from.
        root: the project's folder.
        additions: what plugins give templates to use.
    """
    found: list[Use] = []
    seen: set[Path] = set()
    for template in templates:
        for source in _with_includes(template, root, seen):
            found += _compose_uses(source)
            if source.jinja:
                found += _jinja_uses(source, Templates(root, template.parent, additions))
    return found


def uses_of(key: Key, found: Sequence[Use], values: Tree) -> list[str]:
    """Return where a variable is used, by its own name or by that of a table it is in."""
    return [use.where for use in found if _covers(_known(use.key, values), key)]


def unused(variables: Merged, found: Sequence[Use]) -> list[Unused]:
    """Return the variables that nothing asks for, with a near name that something does ask for."""
    asked = {_known(use.key, variables.values) for use in found}
    names = sorted({dotted(use.key) for use in found})
    return [
        Unused(dotted(key), origin, near(dotted(key), names))
        for key, origin in sorted(variables.origins.items())
        if not any(_covers(use, key) for use in asked)
    ]


def _covers(use: Key, key: Key) -> bool:
    return bool(use) and key[: len(use)] == use


def _known(key: Key, values: Tree) -> Key:
    """Leave out of a key what is no variable: ``web.items`` asks for all of ``web``."""
    at: Any = values
    for depth, name in enumerate(key):
        if not isinstance(at, dict) or name not in at:
            return key[:depth]
        at = at[name]
    return key


class _Source(Part, frozen=True):
    text: str
    where: str
    jinja: bool


def _with_includes(template: Path, root: Path, seen: set[Path]) -> Iterator[_Source]:
    """Yield a template's text, and those of all that it includes, by Jinja or by Compose."""
    if template in seen or not template.is_file():
        return
    seen.add(template)
    text = template.read_text("utf-8", "replace")
    yield _Source(text, _relative(template, root), template.suffix == SUFFIX)
    if template.suffix == SUFFIX:
        yield from _jinja_includes(template, root, seen)
    else:
        for path in taken_in(text, root):
            yield from _with_includes(path, root, seen)


def _jinja_includes(template: Path, root: Path, seen: set[Path]) -> Iterator[_Source]:
    import jinja2
    from jinja2.meta import find_referenced_templates

    templates = Templates(root, template.parent)
    waiting = [template.name]
    while waiting:
        try:
            text, path = templates.source(waiting.pop())
            if path != template and path in seen:
                continue
            seen.add(path)
            parsed = templates.environment.parse(text)
        except jinja2.TemplateError:
            continue  # rendering says what is wrong with it
        waiting += filter(None, find_referenced_templates(parsed))
        if path != template:
            yield _Source(text, _relative(path, root), jinja=True)


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _compose_uses(source: _Source) -> Iterator[Use]:
    for number, line in enumerate(_COMMENT.sub("", source.text).splitlines(), 1):
        for match in START.finditer(line):
            if name := match["plain"] or match["braced"]:
                yield Use((name,), f"{source.where}:{number}")


def _jinja_uses(source: _Source, templates: Templates) -> Iterator[Use]:
    import jinja2
    from jinja2.meta import find_undeclared_variables

    try:
        parsed = templates.environment.parse(source.text)
    except jinja2.TemplateError:
        return
    free = find_undeclared_variables(parsed)
    below: set[int] = set()
    for node in parsed.find_all((jinja2.nodes.Getattr, jinja2.nodes.Getitem, jinja2.nodes.Name)):
        if id(node) in below:
            continue
        key = _key_of(node, below)
        if key and key[0] in free:
            yield Use(key, f"{source.where}:{node.lineno}")


def _key_of(node: object, below: set[int]) -> Key:
    """Return the key that ``web.port`` or ``web["port"]`` asks for; what is asked for by a name
    that is itself computed is the table."""
    from jinja2 import nodes

    below.add(id(node))
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        above = _key_of(node.node, below)
        return (*above, node.attr) if above else ()
    if isinstance(node, nodes.Getitem):
        above = _key_of(node.node, below)
        name = node.arg.value if isinstance(node.arg, nodes.Const) else None
        return (*above, name) if above and isinstance(name, str) else above
    return ()
