"""The code that a function runs, as far as its project has it.

One rule: the text by which the project's modules define the function, that of the names which this
text looks up, and so on; as it was when it was loaded. A name stands for the statements that define
it, for its value too where that is plain (text, numbers, paths, lists and tables of them), and for
the import alone where it comes from elsewhere. Not part of it: what is installed, and what is
reached in other ways than by its name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType, MethodType

from stagekit import digest
from stagekit.inputs.definitions import Chain, Import, Module, Statement, nested
from stagekit.inputs.loaded import is_task, keep_of, value_of
from stagekit.inputs.modules import Modules
from stagekit.inputs.plain import plain

_ITSELF = "its code"

_Named = tuple[Module, Chain]


def code_of(function: Callable[..., object], root: Path) -> dict[str, str]:
    """Return the digests of a function's code: ``its code``, and ``code of <name>``, ``value of
    <name>`` or ``import of <name>`` for each name that it comes to.

    Args:
        function: whatever can be called.
        root: the project's folder.
    """
    walk = _Walk(function, root)
    return {
        key: digest.of_bytes("\n".join(texts).encode("utf-8", "replace"))
        for key, texts in walk.texts.items()
    }


class _Walk:
    """From a function to the text of all names that it comes to."""

    def __init__(self, function: Callable[..., object], root: Path) -> None:
        self.texts: dict[str, list[str]] = {_ITSELF: []}
        self._begun: list[Statement] = []
        self._waiting: list[_Named] = []
        functions = [*_functions(function)]
        own = next(iter(_functions(inspect.unwrap(function))), None)
        self._file = own.__code__.co_filename if own else ""
        keep_of(own)
        self._modules = Modules(root, self._file)
        for part in functions:
            self._begin(part)
        seen: set[tuple[Path, Chain]] = set()
        for module, chain in self._waiting:  # which grows meanwhile
            if (module.path, chain) not in seen:
                seen.add((module.path, chain))
                self._look_up(module, chain)

    def _begin(self, function: FunctionType) -> None:
        code, texts = function.__code__, self.texts[_ITSELF]
        path = Path(code.co_filename)
        module = self._modules.at(path)
        statement = module.statement_of(code) if module else None
        if module and statement:
            self._begun.append(statement)
            texts.append(statement.text)
            self._waiting += self._named(module, statement)
        elif module or not path.is_file():  # edited since, or typed in, or made by exec
            names = sorted({name for part in nested(code) for name in part.co_names})
            values = function.__globals__
            texts.append(_compiled(code))
            texts += _values((name, values[name]) for name in names if name in values)
            self._waiting += [(module, (name,)) for name in names if module]
        texts += _values(_enclosed(function))

    def _look_up(self, module: Module, chain: Chain) -> None:
        if not chain:  # the module as a whole
            self._waiting += [(module, (name,)) for name in module.names]
            return
        name, *rest = chain
        statements = [one for one in module.statements(name) if one not in self._begun]
        texts = [statement.text for statement in statements]
        for statement in statements:
            self._waiting += self._named(module, statement)
        imports = module.imports.get(name, ())
        for wanted in imports:
            led = self._led(module, wanted, rest)
            self._waiting += led
            texts += () if led else (str(wanted),)
        if not statements and not imports:
            self._waiting += self._not_bound(module, name, rest)
        if not imports and not all(statement.is_literal for statement in statements):
            value = value_of(module.path, name)
            texts += () if value is None else (f"{name} = {value}",)
        if texts:
            self.texts[f"{_kind(statements)} of {self._title(module, name)}"] = texts

    def _named(self, module: Module, statement: Statement) -> Iterator[_Named]:
        """Yield what a statement looks up, but for the tasks that a decorator of it is given: these
        are what a task needs."""
        for chain in sorted(statement.names):
            name, *rest = chain
            if chain in statement.given and is_task(module.path, chain):
                continue
            if wanted := statement.imports.get(name):
                yield from self._led(module, wanted, rest)
            else:
                yield module, (name, *rest)

    def _led(self, module: Module, wanted: Import, rest: Iterable[str]) -> list[_Named]:
        """Return what an import leads to: nothing where that is no module of the project's."""
        found = self._modules.find(wanted, module)
        return [(found[0], (*found[1], *rest))] if found else []

    def _not_bound(self, module: Module, name: str, rest: Iterable[str]) -> Iterator[_Named]:
        """Yield what a name may be that its module does not bind: a module of that package, or what
        came with an ``import *``."""
        if below := self._modules.below(module, name):
            yield below, tuple(rest)
        for wanted in module.imports.get("*", ()):
            for source, _ in self._led(module, wanted, ()):
                yield source, (name, *rest)

    def _title(self, module: Module, name: str) -> str:
        own = str(module.path) == self._file
        return name if own else f"{self._modules.name_of(module)}.{name}"


def _kind(statements: list[Statement]) -> str:
    if any(statement.defines for statement in statements):
        return "code"
    return "value" if statements else "import"


def _functions(thing: object) -> Iterator[FunctionType]:
    """Yield the functions that something callable is made of: what a decorator wraps in it, by
    ``__wrapped__`` or by having it at hand. Nothing is asked of an object: its class may answer by
    doing something."""
    waiting = [thing, inspect.getattr_static(type(thing), "__call__", None)]
    seen: set[int] = set()
    for part in waiting:  # which grows meanwhile
        if id(part) in seen:
            continue
        seen.add(id(part))
        if type(part) is FunctionType:
            yield part
            waiting += [value for _, value in _enclosed(part)]
        elif type(part) is MethodType:
            waiting.append(part.__func__)
        elif type(part) is functools.partial:
            waiting.append(part.func)
        elif issubclass(type(part), type):
            waiting += type.__dict__["__dict__"].__get__(part).values()
        waiting.append(inspect.getattr_static(part, "__wrapped__", None))


def _enclosed(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield the names of an outer function that a function uses, with their values."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # none yet
            yield name, cell.cell_contents


def _values(named: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in named:
        if (text := plain(value)) is not None:
            yield f"{name} = {text}"


def _compiled(code: CodeType) -> str:
    """Return what code does, where its text is not to be had."""
    parts = (
        (part.co_code, part.co_names, [plain(constant) for constant in part.co_consts])
        for part in nested(code)
    )
    return repr([*parts])
