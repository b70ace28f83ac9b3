"""Jinja as templates see it: strict, sandboxed, bounded, and confined to the repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stagekit.errors import InputError
from stagekit.inputs.bare import Joined, finalize, joined
from stagekit.inputs.bounds import TookTooLong, limited
from stagekit.inputs.merge import Tree
from stagekit.inputs.near import near
from stagekit.inputs.quoting import as_yaml, dollar, quote, table
from stagekit.inputs.within import within

if TYPE_CHECKING:
    import jinja2

SUFFIX = ".j2"

_SECONDS = 10.0
_MEMORY = 512 * 2**20
_LARGEST = 16 * 2**20
"""Characters of a document: one of ten thousand services has fewer."""

_LONGEST_REASON = 500
"""Characters of what is said of an error: a template can make it as long as it likes."""

_SYNTAX_HINT = "what is not meant for Jinja goes between {% raw %} and {% endraw %}"


@dataclass(frozen=True)
class Additions:
    """What templates may use besides what ships, by name: given by plugins."""

    filters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    tests: Mapping[str, Callable[..., bool]] = field(default_factory=dict)
    globals: Mapping[str, Any] = field(default_factory=dict)


NO_ADDITIONS = Additions()


class Templates:
    """The ``.j2`` files of a repository.

    Args:
        root: its folder; nothing outside is read, by whatever link.
        folder: where includes and imports are looked for first, then in ``root``.
        additions: filters, tests and globals of plugins; those that ship win.

    Attributes:
        read: the files that were read so far.
    """

    def __init__(self, root: Path, folder: Path, additions: Additions = NO_ADDITIONS) -> None:
        self._additions = additions
        self._root = root
        self._folder = folder
        self.read: set[Path] = set()

    def render(self, template: Path, variables: Tree, *, env: str) -> Joined:
        """Render one.

        Args:
            template: the file.
            variables: what it sees.
            env: the environment's name, for hints.

        Raises:
            InputError: it is wrong, asks for what has no value, or goes beyond what a template may
                take of time, memory and text; says template and line, and shows the line.
        """
        import jinja2

        name = self._name_of(template)
        try:
            with limited(seconds=_SECONDS, memory=_MEMORY):
                text = self._text(name, variables)
        except jinja2.TemplateSyntaxError as error:
            # What does not come to an end is told with the file's path for the template's name.
            at = name if not error.name or Path(error.name).is_absolute() else error.name
            raise InputError(
                error.message or "wrong syntax",
                where=self._at(at, error.lineno),
                hint=_SYNTAX_HINT,
                output=self._shown(at, error.lineno),
            ) from error
        except jinja2.TemplateNotFound as error:
            raise InputError(
                f"no template {error.name!r} in {self._relative(self._folder)}/ or the repository",
                where=self._at(*self._place(error, name)),
            ) from error
        except (TookTooLong, MemoryError) as error:
            limit = f"{_SECONDS:g} seconds" if isinstance(error, TookTooLong) else "memory it may"
            raise InputError(
                f"the template takes more than the {limit}",
                where=self._at(*self._place(error, name)),
                hint="does a loop in it end?",
            ) from error
        except Exception as error:  # whatever a template's expression raises is the template's
            at, line = self._place(error, name)
            reason = str(error)[:_LONGEST_REASON] or type(error).__name__
            undefined = isinstance(error, jinja2.UndefinedError)
            raise InputError(
                reason,
                where=self._at(at, line),
                hint=_undefined_hint(reason, variables, env)
                if undefined
                else getattr(error, "hint", None),
                output=self._shown(at, line),
            ) from error
        if text is None:
            raise InputError(
                f"the template expands to more than {_LARGEST // 2**20} MB of text",
                where=self._at(name, None),
                hint="does a loop in it end?",
            )
        return text

    def source(self, name: str) -> tuple[str, Path]:
        """Return a template's text and its path.

        Raises:
            jinja2.TemplateNotFound: there is none, or it lies outside the repository.
        """
        text, path, _ = self.environment.loader.get_source(self.environment, name)  # type: ignore[union-attr]
        return text, Path(str(path))

    @cached_property
    def environment(self) -> jinja2.Environment:
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        class Environment(ImmutableSandboxedEnvironment):
            concat = staticmethod(joined)

            def getattr(self, obj: Any, attribute: str) -> Any:
                """Find a variable before a method of the same name: ``web.items``."""
                if isinstance(obj, dict) and attribute in obj:
                    return obj[attribute]
                return super().getattr(obj, attribute)

        environment = Environment(
            loader=self._loader(),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            finalize=finalize,
            autoescape=False,
        )
        environment.filters.update(self._additions.filters)
        environment.tests.update(self._additions.tests)
        environment.globals.update(self._additions.globals)
        environment.filters.update(yaml=as_yaml, quote=quote, dollar=dollar, env=table)
        return environment

    def _text(self, name: str, variables: Tree) -> Joined | None:
        """Render, up to the largest text that a document may have."""
        parts, length = [], 0
        for part in self.environment.get_template(name).generate(variables):
            length += len(part)
            if length > _LARGEST:
                return None
            parts.append(part)
        return joined(parts)

    def _loader(self) -> jinja2.BaseLoader:
        import jinja2

        root, read = self._root, self.read

        class Loader(jinja2.FileSystemLoader):
            def get_source(self, environment: jinja2.Environment, template: str) -> Any:
                text, path, fresh = super().get_source(environment, template)
                if not within(root, Path(path)):
                    raise jinja2.TemplateNotFound(template)  # a link that leads out of it
                read.add(Path(path))
                return text, path, fresh

        return Loader([self._folder, self._root])

    def _name_of(self, template: Path) -> str:
        return str(template.relative_to(self._folder))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)

    def _place(self, error: BaseException, default: str) -> tuple[str, int | None]:
        """Jinja compiles with the template's own names and lines: the innermost frame counts."""
        found: tuple[str, int | None] = (default, None)
        traceback = error.__traceback__
        while traceback:
            code = traceback.tb_frame.f_code
            path = Path(code.co_filename)
            if path.suffix != ".py" and path.is_relative_to(self._root):
                inside = path.is_relative_to(self._folder)
                name = path.relative_to(self._folder if inside else self._root)
                found = str(name), traceback.tb_lineno
            traceback = traceback.tb_next
        return found

    def _at(self, name: str, line: int | None) -> str:
        inside = (self._folder / name).exists()
        where = self._relative((self._folder if inside else self._root) / name)
        return f"{where}:{line}" if line else where

    def _shown(self, name: str, line: int | None) -> tuple[str, ...]:
        lines = self.source(name)[0].splitlines()
        return (lines[line - 1].strip(),) if line and line <= len(lines) else ()


def _undefined_hint(reason: str, variables: Tree, env: str) -> str:
    words = (word for word in reason.replace("'", " ").split() if word not in variables)
    meant = next(filter(None, (near(word, list(variables)) for word in words)), None)
    set_it = f"set it in environments/{env}/config.toml [vars]"
    return f"{set_it}, or did you mean {meant}?" if meant else set_it
