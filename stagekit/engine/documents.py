"""Compose files in memory: handed to Compose, and what it says of them under their own names."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from stagekit.errors import InputError, ReleaseFailed
from stagekit.process import Result
from stagekit.records import Part

_VARIABLE_LIMIT = 127 * 2**10
"""Bytes: Linux takes 128 KiB, with the name."""

_STDIN = Path("-")
_UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_CRASH = re.compile(r"^(?:fatal error|panic): .*", re.MULTILINE)
_WARNING = re.compile(r'level=warning msg="((?:[^"\\]|\\.)*)"')


class Document(Part, frozen=True):
    """A Compose file in memory, and the path of what it was made from, for errors."""

    text: str
    where: str


def passable(variables: Mapping[str, str], documents: Sequence[Document]) -> dict[str, str]:
    """Leave out what is too long for a process's environment; nobody may ask for it then."""
    long = [name for name, value in variables.items() if len(value.encode()) > _VARIABLE_LIMIT]
    for name in long:
        asking = re.compile(rf"\$\{{?{name}\b")
        for document in documents:
            if asking.search(document.text):
                raise InputError(
                    f"{name} is too long for ${{{name}}}: over {_VARIABLE_LIMIT >> 10} KiB",
                    where=document.where,
                    hint=f"write {{{{ {name} | yaml }}}} in a template that ends with .j2",
                )
    return {name: value for name, value in variables.items() if name not in long}


@contextmanager
def as_files(documents: Sequence[Document]) -> Iterator[tuple[tuple[Path, ...], bytes]]:
    """Give what Compose reads them from: stdin for one alone, else files that only we can read."""
    if len(documents) == 1:
        yield (_STDIN,), documents[0].text.encode()
        return
    with tempfile.TemporaryDirectory(prefix="stagekit-") as folder:
        files = tuple(Path(folder) / f"{number}.yaml" for number in range(len(documents)))
        for path, document in zip(files, documents, strict=True):
            path.write_text(document.text, "utf-8", newline="")
        yield files, b""


def refuse_unset(name: str, where: str) -> NoReturn:
    """Raise InputError for a variable that Compose would replace by nothing."""
    raise InputError(
        f"${{{name}}} has no value, in a file that the template takes in",
        where=where,
        hint=f"set {name} in environments/<env>/config.toml [vars]",
    )


def judged(
    result: Result,
    where: str,
    names: Mapping[str, Document],
    *,
    warn: Callable[[str], None],
    unset: Callable[[str, str], None] = refuse_unset,
) -> str:
    """Return what ``config`` printed, or say what it complains of, files under their own names."""
    for message in _WARNING.findall(result.stderr):
        if found := _UNSET.search(message):
            unset(found.group(1), where)
            continue
        warn("Compose: " + _named(message.replace(r"\"", '"'), names))
    if not result.ok:
        crash = _CRASH.search(result.stderr)
        reason = [crash[0]] if crash else [_named(line, names) for line in result.tail(5)]
        reason = reason or [f"it ended with {result.code}"]
        raise ReleaseFailed(
            f"Compose refuses the document: {reason[-1]}",
            where=where,
            hint="its format: https://docs.docker.com/reference/compose-file/",
            output=tuple(reason[:-1]),
        )
    return result.stdout


def _named(text: str, names: Mapping[str, Document]) -> str:
    for path, document in names.items():
        if path != str(_STDIN):
            text = text.replace(path, document.where)
    return text
