"""Secrets as a person gives them: piped in, typed unseen, or edited."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Mapping

from stagekit import toml
from stagekit.cli.editor import edit
from stagekit.errors import InputError

_BASE64 = "base64 -w0 FILE | inv secrets.set …, and let the container decode it"


def typed_value(name: str, *, exact: bool) -> str:
    """Return a value from stdin, or from a prompt that shows nothing.

    Args:
        name: what is asked for.
        exact: keep the line break that ``echo`` puts at the end.

    Raises:
        InputError: it is not UTF-8.
    """
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"{name}: ")
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{name} is not UTF-8", where="stdin", hint=_BASE64) from None
    return text if exact else text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")


def edited_values(
    values: Mapping[str, str],
    env: str,
    environ: Mapping[str, str],
    *,
    again: Callable[[InputError], bool],
) -> dict[str, str]:
    """Return what a person made of ``values`` in an editor.

    Args:
        values: the secrets, in clear.
        env: whose they are.
        environ: names the editor.
        again: told what is wrong with the edited text, says whether it is edited once more.

    Raises:
        InputError: it is not TOML of texts that secrets can have; says the line.
    """
    import tomli_w

    from stagekit.inputs.age import VARIABLE

    head = f"# The secrets of environments/{env}, in clear: NAME = 'value'. What goes, goes.\n"
    shown = "".join(
        tomli_w.dumps({name: value}, multiline_strings="\n" in value and "\r" not in value)
        for name, value in sorted(values.items())
    )
    quiet = {name: value for name, value in environ.items() if name != VARIABLE}
    name = f"{env}.toml"

    def read(text: str) -> dict[str, str]:
        return _values_in(text, name)

    return edit(head + shown, name=name, environ=quiet, check=read, again=again)


def _values_in(text: str, where: str) -> dict[str, str]:
    from stagekit.inputs.secrets import check_secret_name, check_value

    try:
        edited = toml.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML, nothing changed: {error}", where=where) from None
    for name, value in edited.items():
        if not isinstance(value, str):
            what = f"{name} is a {type(value).__name__}, nothing changed"
            raise InputError(what, where=where, hint="write it in quotes")
        check_secret_name(name, where)
        check_value(name, value)
    return edited
