"""What a module's text says of each name at its top.

A name stands for the statements that bind it, and for those that change what it has
(``X["a"] = 1``, ``X.append(1)``, ``@X.register``, ``global X``): for as much of the text as has to
be the same for the name to mean the same.
"""

from __future__ import annotations
import __future__

import ast
import warnings
from collections.abc import Container, Iterable, Iterator
from functools import cached_property
from importlib.util import decode_source
from pathlib import Path
from types import CodeType
from typing import NamedTuple

Chain = tuple[str, ...]
"""A name, and the attributes that are asked of it: ``a.b.c``."""

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_SCOPES = (*_DEFINITIONS, ast.Lambda)
_TASK_MAKERS = ("stagekit", "invoke")
_FILENAME = "read-by-stagekit"
# Python told of what is doubtful in a module when it loaded it.
warnings.filterwarnings("ignore", module=_FILENAME)


class Import(NamedTuple):
    """What a name is imported from; without ``name`` it stands for the module itself."""

    module: str
    level: int
    name: str

    def __str__(self) -> str:
        return f"import {'.' * self.level}{self.module} {self.name}"


class Statement:
    """One statement at the top of a module.

    Attributes:
        text: its lines.
        defines: it is a function's or a class's definition.
        is_literal: it gives a name a value that its text alone tells.
    """

    def __init__(self, node: ast.stmt, lines: list[str], module: Module) -> None:
        first = _first_line(node)
        self.text = "\n".join(lines[first - 1 : node.end_lineno])
        self.defines = isinstance(node, _DEFINITIONS)
        self.is_literal = _is_literal(node)
        self._lines = range(first, (node.end_lineno or first) + 1)
        self._node = node
        self._module = module

    @cached_property
    def imports(self) -> dict[str, Import]:
        """What is imported within it."""
        return dict(_imports(ast.walk(self._node)))

    @cached_property
    def set_globally(self) -> frozenset[str]:
        """The names of its module that functions within it set."""
        nodes = ast.walk(self._node) if "global " in self.text else ()
        return frozenset(
            name for node in nodes if isinstance(node, ast.Global) for name in node.names
        )

    @cached_property
    def names(self) -> frozenset[Chain]:
        """The names that it looks up at the top of its module, or imports.

        Not those that a decorator is given which makes a task: what a task needs is no part of its
        code.
        """
        return self._looked_up(_chains(self._node, self._module.task_makers))

    @cached_property
    def given(self) -> frozenset[Chain]:
        """Those of them that nothing but decorators is given."""
        return self.names - self._looked_up(_chains(self._node, None))

    def _looked_up(self, chains: Iterable[Chain]) -> frozenset[Chain]:
        known = self._every_name
        return frozenset(chain for chain in chains if chain[0] in known)

    @cached_property
    def _every_name(self) -> frozenset[str]:
        codes = self._module.compiled([self._node])
        return frozenset({name for code in codes for name in code.co_names} | {*self.imports})

    def has(self, code: CodeType) -> bool:
        """Tell whether a function's code was compiled from it."""
        if code.co_firstlineno not in self._lines:
            return False
        # A method of what is imported is called in another way than one of anything else.
        return code in self._module.compiled([*self._module.import_nodes, self._node])


class Module:
    """A module's text, statement by statement.

    Attributes:
        path: its file.
        imports: name → what it is imported from; ``*`` for all names of a module.
        import_nodes: the statements that do so.
        task_makers: names under which something is imported that makes tasks of functions.
    """

    def __init__(self, path: Path, source: bytes) -> None:
        self.path = path
        self.imports: dict[str, list[Import]] = {}
        self.import_nodes: list[ast.stmt] = []
        self.task_makers: set[str] = set()
        self._of_name: dict[str, list[Statement]] = {}
        self._statements: list[Statement] = []
        self._flags = 0
        try:
            text = decode_source(source)
            body = ast.parse(text, _FILENAME).body
        except (SyntaxError, ValueError, RecursionError):  # it was never loaded, nor can it be
            return
        lines = text.split("\n")
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                self._flags |= _flags(node)
            else:
                self._add(node, lines)

    def _add(self, node: ast.stmt, lines: list[str]) -> None:
        within = [*_without_scopes(node)]
        self.import_nodes += [part for part in within if isinstance(part, _IMPORTS)]
        for name, wanted in _imports(within):
            self.imports.setdefault(name, []).append(wanted)
            if wanted.module.partition(".")[0] in _TASK_MAKERS and not wanted.level:
                self.task_makers.add(name)
        statement = Statement(node, lines, self)
        self._statements.append(statement)
        touched = (*_touched(within, self.imports), *sorted(statement.set_globally))
        for name in dict.fromkeys(touched):
            self._of_name.setdefault(name, []).append(statement)

    @property
    def names(self) -> list[str]:
        """Return all that it has names for."""
        return [*dict.fromkeys((*self._of_name, *self.imports))]

    def statements(self, name: str) -> list[Statement]:
        """Return those that bind a name or change what it has, imports apart."""
        return self._of_name.get(name, [])

    def statement_of(self, code: CodeType) -> Statement | None:
        """Return the one that a function's code was compiled from; None where the text is not what
        was loaded."""
        return next((one for one in self._statements if one.has(code)), None)

    def compiled(self, nodes: list[ast.stmt]) -> list[CodeType]:
        """Return what statements are compiled to, functions within them included."""
        try:
            tree = ast.Module(nodes, [])
            return [*nested(compile(tree, _FILENAME, "exec", self._flags, dont_inherit=True))]
        except (SyntaxError, ValueError, RecursionError):  # it was never loaded, nor can it be
            return []


def nested(code: CodeType) -> Iterator[CodeType]:
    """Yield code, and that of all functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, _DEFINITIONS) else []
    return min((item.lineno for item in decorators), default=node.lineno)


def _flags(node: ast.ImportFrom) -> int:
    features = (getattr(__future__, alias.name, None) for alias in node.names)
    return sum(feature.compiler_flag for feature in features if feature)


def _without_scopes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and its parts that belong to the same scope."""
    waiting = [node]
    for part in waiting:  # which grows meanwhile
        yield part
        if not isinstance(part, _SCOPES):
            waiting += ast.iter_child_nodes(part)


def _imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, Import]]:
    """Yield the names that are imported, and what each stands for."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                wanted = Import(node.module or "", node.level, alias.name)
                yield alias.asname or alias.name, wanted
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield alias.asname or top, Import(alias.name if alias.asname else top, 0, "")


def _touched(nodes: Iterable[ast.AST], imported: Container[str]) -> Iterator[str]:
    """Yield the names that a statement binds, or whose value it changes, imports apart."""
    for node in nodes:
        if isinstance(node, _DEFINITIONS):
            yield node.name
            changed = (name for item in node.decorator_list if (name := _changed_by(item)))
            yield from (name for name in changed if name not in imported)
        elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            if not isinstance(node.ctx, ast.Load) and (name := _root(node)):
                yield name
        elif isinstance(node, ast.Expr) and (name := _changed_by(node.value)):
            yield name


def _is_literal(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    parts = ast.walk(node.value) if node.value else ()
    return not any(isinstance(part, ast.Name | ast.Call) for part in parts)


def _changed_by(call: ast.expr) -> str | None:
    """Return the name whose value a call may change: that of which it calls a method."""
    called = _called(call)
    return _root(called) if isinstance(called, ast.Attribute) else None


def _root(node: ast.expr) -> str | None:
    """Return the name that an expression such as ``a.b["c"]`` begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _chains(node: ast.AST, makers: Container[str] | None) -> Iterator[Chain]:
    """Yield the names in a statement, each with the attributes that are asked of it.

    Args:
        node: the statement.
        makers: decorators of which the arguments are left out; None for all of them.
    """
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if chain := _chain(part):
            yield chain
        elif isinstance(part, _DEFINITIONS):
            for item in part.decorator_list:
                called = _called(item)
                alone = makers is None or _root(called) in makers
                waiting.append(called if alone else item)
            waiting += (
                item for item in ast.iter_child_nodes(part) if item not in part.decorator_list
            )
        else:
            waiting += ast.iter_child_nodes(part)


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _chain(node: ast.AST) -> Chain:
    attributes = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else ()
