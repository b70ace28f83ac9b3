"""Tables of a TOML file as typed settings; what is wrong with one is said with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from stagekit import toml
from stagekit.errors import InputError
from stagekit.inputs.near import known_names
from stagekit.inputs.positions import lines_of
from stagekit.records import Part

Settings = TypeVar("Settings", bound=Part)

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.+)`")
_OTHER_KIND = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<found>[^`]+)`")
_KINDS = {
    "object": "a table",
    "array": "an array",
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
}
"""As TOML calls what msgspec names by JSON."""

_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


class TomlFile:
    """A file of settings; empty where there is none.

    Args:
        path: where it is.

    Raises:
        InputError: it cannot be read, or is not TOML.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""
        try:
            self._text = path.read_text("utf-8")
            self._document = toml.loads(self._text)
        except FileNotFoundError:
            self._document = {}
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(str(error), where=str(path)) from error

    def table(self, *names: str) -> Mapping[str, Any]:
        """Return one of its tables, empty where it has none.

        Raises:
            InputError: something else has that name.
        """
        value: Any = self._document
        for name in names:
            value = value.get(name, {})
            if not isinstance(value, dict):
                raise InputError(
                    f"{name} is not a table", where=self._path.name, hint=f"write [{name}]"
                )
        return value  # type: ignore[no-any-return]  # what TOML has is any

    def typed(self, value: object, kind: type[Settings], *names: str) -> Settings:
        """Return a table as a value of ``kind``.

        Args:
            value: what stands in it.
            kind: what it should be.
            names: the table's, from the top.

        Raises:
            InputError: a setting is unknown or of the wrong type; says which, on which line, and
                which may have been meant.
        """
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise self._refusal(str(error), kind, names) from error

    def _refusal(self, said: str, kind: type[Part], names: Sequence[str]) -> InputError:
        place = _PLACE.search(said)
        inner = place["path"].partition("[")[0].split(".") if place and place["path"] else []
        what, hint = said.partition(" - at `")[0], None
        if unknown := _UNKNOWN.fullmatch(what):
            what = f"unknown setting `{unknown['name']}`"
            known = [field.name for field in msgspec.structs.fields(kind)]
            hint = known_names(unknown["name"], known) if not inner else None
        elif inner:
            what = f"{inner[-1]}: {_in_toml(what)}"
        line = self._line((*names, *inner), unknown["name"] if unknown else None)
        at = f"{self._path.name}{f':{line}' if line else ''}"
        return InputError(what, where=f"{at} [{'.'.join(names)}]", hint=hint)

    def _line(self, above: Sequence[str], name: str | None) -> int | None:
        """Return the first line of what stands below a name, or there has this one."""
        return min(
            (
                line
                for key, line in lines_of(self._text).items()
                if key[: len(above)] == tuple(above) and (name is None or name in key)
            ),
            default=None,
        )


def _in_toml(said: str) -> str:
    if not (other := _OTHER_KIND.fullmatch(said)):
        return said
    wanted, found = (
        " or ".join(_KINDS.get(kind, kind) for kind in kinds.split(" | ") if kind != "null")
        for kinds in other.group("wanted", "found")
    )
    return f"it should be {wanted}, and is {found or 'nothing'}"
