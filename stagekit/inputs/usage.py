"""Where templates use which variable: read from their text, not by rendering it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from stagekit.inputs.includes import files_as_written
from stagekit.inputs.interpolation import START
from stagekit.inputs.jinja import NO_ADDITIONS, SUFFIX, Additions, Templates
from stagekit.inputs.merge import Key, Merged, Tree, dotted
from stagekit.inputs.near import near
from stagekit.inputs.quoting import plain_text
from stagekit.inputs.reads import Read, text_of
from stagekit.records import Part

_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


class Use(Part, frozen=True):
    """One place where a template asks for a variable, or for all that is below a table."""

    key: Key
    where: str


class Unused(Part, frozen=True):
    """A variable that no template asks for, and the one that may have been meant."""

    name: str
    origin: str
    meant: str | None


def uses(
    templates: Iterable[Path],
    root: Path,
    *,
    variables: Tree | None = None,
    additions: Additions = NO_ADDITIONS,
    read: Iterable[Read] = (),
) -> list[Use]:
    """Find every use of a variable in Compose files and templates, and in what they take in.

    Args:
        templates: the files a release is rendered from.
        root: the project's folder.
        variables: what the paths of what is taken in may ask for.
        additions: what plugins give templates to use.
        read: what was read as the templates were rendered, where they were: which files those are
            cannot always be told from their text.
    """
    found: list[Use] = []
    files = _Files(root, variables or {})
    for source in files.of([*templates], read):
        found += _compose_uses(source)
        if source.jinja:
            found += _jinja_uses(source, Templates(root, source.path.parent, additions))
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
    path: Path
    text: str
    where: str
    jinja: bool


@dataclass
class _Files:
    """The files of a release, each once."""

    root: Path
    variables: Tree
    seen: set[Path] = field(default_factory=set)

    def of(self, templates: Sequence[Path], read: Iterable[Read]) -> Iterator[_Source]:
        """Yield templates, what their text says that they take in, and what else was read."""
        for template in templates:
            yield from self._taken(Read(template, _by(template)))
        for template in templates:
            yield from self._below(template)
        for item in read:
            yield from self._taken(item)

    def _below(self, template: Path) -> Iterator[_Source]:
        text = text_of(template)
        if _by(template) == "jinja":
            yield from self._jinja_includes(template)
            text = _JINJA.sub(lambda found: "x" if found[0].startswith("{{") else "", text)
        known = {
            name: plain_text(value)
            for name, value in self.variables.items()
            if not isinstance(value, dict | list)
        }
        for item in files_as_written(text, self.root, variables=known, where=str(template)):
            yield from self._taken(item)

    def _jinja_includes(self, template: Path) -> Iterator[_Source]:
        import jinja2
        from jinja2.meta import find_referenced_templates

        templates = Templates(self.root, template.parent)
        waiting, known = [template.name], {template.name}
        while waiting:
            name = waiting.pop()
            try:
                text, path = templates.source(name)
                parsed = templates.environment.parse(text)
            except jinja2.TemplateError:
                continue  # rendering says what is wrong with it
            waiting += {*filter(None, find_referenced_templates(parsed))} - known
            known |= {*waiting}
            yield from self._taken(Read(path, "jinja"))

    def _taken(self, item: Read) -> Iterator[_Source]:
        path = item.path
        if item.by != "content" and path not in self.seen and path.is_file():
            self.seen.add(path)
            where = str(path.relative_to(self.root)) if path.is_relative_to(self.root) else path
            yield _Source(path, text_of(path), str(where), item.by == "jinja")


def _by(template: Path) -> Literal["jinja", "compose"]:
    return "jinja" if template.suffix == SUFFIX else "compose"


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
