"""The pages of the reference, each from what it is about."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import msgspec

import stagekit
from docs.generator.docstrings import arguments, described, line, markdown, raised, table
from docs.generator.examples import example
from docs.generator.structs import IN_EVERY_RECORD, fields, section, within
from docs.generator.tasks import tasks
from stagekit import errors, records, stages, testing
from stagekit.inputs import extending, images, project, settings
from stagekit.plugins import spec
from stagekit.testing import contracts

FOLDER = Path(__file__).parents[1] / "reference"
_WIDE = 90
"""Letters that a line of a page shows."""

_OF_ENVIRONMENTS = """\
`extends` is an environment, or a list of them, whose layers are below this one's; `unset` is a
list of variables that they have and this one does not; `[vars]` has the variables: text,
numbers, true and false, lists and tables of these.
"""
_OF_HOOKS = f"""\
This is version {spec.VERSION} of them. [Plugins](../plugins.md) says where plugins are found,
and what becomes of one that fails.
"""

WRITTEN = "<!-- Written by `inv docs` from the code: change it there. -->\n\n"


def pages() -> Mapping[str, str]:
    """Return every page of the reference, by its file's name."""
    made = {
        "tasks.md": tasks(),
        "settings.md": project_settings(),
        "hooks.md": hooks(),
        "records.md": record_fields(),
        "errors.md": error_classes(),
        "api.md": public_names(),
    }
    return {name: WRITTEN + text.rstrip() + "\n" for name, text in made.items()}


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the pages that are not what the code says, or that nobody writes any more."""
    there = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    made = pages()
    return sorted(name for name in {*made, *there} if made.get(name) != there.get(name))


def write(folder: Path = FOLDER) -> None:
    """Write every page."""
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")


def project_settings() -> str:
    """Say of each setting what it is."""
    return "\n".join(
        [
            "# Settings\n",
            "What is unknown, or of another type, is an error that names it.\n",
            "## pyproject.toml\n",
            "### `[tool.stagekit]`\n",
            fields(project.ProjectSettings),
            "### `[tool.stagekit.images.NAME]`\n",
            described(images.ImageSettings) + "\n",
            fields(images.ImageSettings),
            *(
                section(kind, title=title, level=3)
                for title, kind in (
                    ("`[tool.stagekit.images.NAME.secrets]`, by id", images.SecretSettings),
                    ("`[tool.stagekit.images.NAME.cache]`", images.CacheSettings),
                    ("`[tool.stagekit.checks.NAME]`", project.CheckSettings),
                    ("`[tool.stagekit.plugins]`", extending.PluginSettings),
                    ("`[tool.stagekit.ledger]`", extending.LedgerSettings),
                    ("`[tool.stagekit.notify]`", extending.NotifySettings),
                    ("`[tool.stagekit.sbom]`", extending.SbomSettings),
                    ("`[tool.stagekit.sign]`", extending.SignSettings),
                )
            ),
            "## environments/ENV/config.toml\n",
            _OF_ENVIRONMENTS,
            "### `[stagekit]`: how a release is made\n",
            fields(settings.Policy),
            "### `[stagekit]`: how a release is run\n",
            fields(records.Deploy),
            section(records.ReleaseCommand, level=3, title="`[stagekit.release_command]`"),
            section(records.HttpCheck, level=3, title="`[[stagekit.checks]]`"),
            "### `[stagekit.hooks]`\n",
            "A list of words by moment: "
            + ", ".join(f"`{moment}`" for moment in records.HOOK_MOMENTS)
            + ".\n",
        ]
    )


def hooks() -> str:
    """Say of each hook what it is for."""
    parts = ["# Hooks\n", markdown(inspect.getdoc(spec) or "") + "\n", _OF_HOOKS]
    for name, hook in inspect.getmembers(spec.Hooks, inspect.isfunction):
        first = getattr(hook, f"{spec.PROJECT}_spec")["firstresult"]
        asked = "the first answer that is not None counts" if first else "all are asked"
        since = f"since version {spec.SINCE.get(name, 1)}"
        parts += [f"## {name}\n", _signature(name, hook), f"{described(hook)} ({asked}; {since})\n"]
    return "\n".join(parts)


def record_fields() -> str:
    """Say of each record what it holds."""
    from stagekit import envelope

    kinds: tuple[type[msgspec.Struct], ...] = (
        *(records.Build, records.Release, records.Run, records.Cancellation, records.Pruning),
        *(records.BuildPruning, records.Comparison, records.Planned, records.Bundle),
    )
    structs: dict[type[msgspec.Struct], None] = {}
    for kind in kinds:
        structs |= dict.fromkeys(within(kind))
    ordered = [*kinds, *(struct for struct in structs if struct not in kinds)]
    words = markdown(inspect.getdoc(envelope) or "").removeprefix("The file format of records.\n\n")
    return "\n".join(
        [
            "# Records\n",
            words + "\n",
            *(
                f"{section(struct, shared=IN_EVERY_RECORD)}\n{example(struct)}"
                for struct in ordered
            ),
        ]
    )


def error_classes() -> str:
    """Say of each error when it is raised, and what it ends with."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.StagekitError)
    ]
    rows = [
        [
            f"`{kind.__name__}`",
            f"{kind.exit_code}",
            f"`{kind.__mro__[1].__name__}`",
            line(described(kind)),
        ]
        for kind in sorted(kinds, key=lambda kind: (kind.exit_code, kind.__name__))
    ]
    text = inspect.getdoc(errors) or ""
    return "\n".join(
        [
            "# Errors and exit codes\n",
            "What goes wrong is told as what happened, where, and what to type next, on stderr.\n",
            f"```text\n{text}\n```\n",
            table(["error", "exit code", "is a", ""], rows),
            "## StagekitError\n",
            described(errors.StagekitError) + "\n",
            _told(["field", ""], arguments(errors.StagekitError).items()),
        ]
    )


def public_names() -> str:
    """Say of each public name what it is for."""
    parts = ["# What Python code may use\n", "## stagekit\n"]
    for name in stagekit.__all__:
        parts += list(_name(f"stagekit.{name}", getattr(stagekit, name)))
    for module, within_it in (
        (stages, "stagekit.stages"),
        (testing, "stagekit.testing"),
        (contracts, "stagekit.testing.contracts"),
    ):
        parts += [f"## {within_it}\n", markdown(inspect.getdoc(module) or "") + "\n"]
        for name in module.__all__:
            parts += list(_name(f"{within_it}.{name}", getattr(module, name)))
    return "\n".join(parts)


def _name(name: str, value: object) -> Iterator[str]:
    if isinstance(value, ModuleType):
        yield f"### {name}\n"
        yield f"Below, as {value.__name__}.\n"
    elif inspect.isfunction(value) or inspect.isclass(value):
        yield f"### {name}\n"
        if inspect.isfunction(value):
            yield _signature(name.rpartition(".")[2], value)
        yield f"{described(value)}\n"
        if taken := arguments(value):
            yield _told(["argument", ""], taken.items())
        if errors_raised := raised(value):
            yield _told(["raises", ""], errors_raised)
    elif not isinstance(value, str):
        yield f"### {name}\n"
        yield "Marks a function as a [hook](hooks.md): `@stagekit.hookimpl`.\n"
    else:
        yield f"### {name}\n"
        yield "The version, as text.\n"


def _told(head: Sequence[str], told: Iterable[tuple[str, str]]) -> str:
    return table(head, ([f"`{name}`", text] for name, text in told))


def _signature(name: str, of: Callable[..., object]) -> str:
    signature = inspect.signature(of)
    taken = [item for item in signature.parameters.values() if item.name != "self"]
    text = _unquoted(signature.replace(parameters=taken))
    if len(name) + len(text) > _WIDE:
        starred = any(item.kind is item.KEYWORD_ONLY for item in taken)
        by_keyword_only = starred and all(item.kind is item.KEYWORD_ONLY for item in taken)
        lines = [*(["*"] if by_keyword_only else []), *map(_unquoted, taken)]
        returned = text.rpartition(" -> ")[2]
        text = "(\n" + "".join(f"    {line},\n" for line in lines) + f") -> {returned}"
    return f"```text\n{name}{text}\n```\n"


def _unquoted(of: object) -> str:
    return str(of).replace("'", "")
