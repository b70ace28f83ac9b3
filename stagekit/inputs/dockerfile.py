"""What a Dockerfile says about other images. BuildKit reads the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)", re.IGNORECASE)
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*", re.IGNORECASE)
_OTHER = re.compile(r"--(?:from=|mount=\S*?\bfrom=)([^\s,]+)")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})")


def base_images(text: str, args: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images that a Dockerfile takes anything from, as it names them.

    Those of ``FROM``, ``COPY --from`` and ``RUN --mount=from``, with the arguments that stand
    before the first ``FROM`` filled in; not its own stages, ``scratch``, or what only the build
    can know. https://docs.docker.com/reference/dockerfile/#from

    Args:
        text: the Dockerfile.
        args: build arguments, which go before its defaults.
    """
    found: dict[str, None] = {}
    stages: set[str] = {"scratch"}
    values: dict[str, str] = {}
    begun = False
    for name, rest in _instructions(text):
        if name == "ARG" and not begun:
            key, equals, default = rest.strip().partition("=")
            if equals or key in args:
                values[key] = args.get(key, _fill(default.strip("\"'"), values))
        elif name == "FROM" and (said := _FROM.fullmatch(rest)):
            begun = True
            found |= _image(_fill(said.group(1), values), stages)
            stages |= {said.group(2).lower()} if said.group(2) else set()
        elif name in ("COPY", "ADD", "RUN"):
            for other in _OTHER.findall(rest):
                found |= _image(other, stages)
    return tuple(found)


def _image(name: str, stages: set[str]) -> dict[str, None]:
    own = name.lower() in stages or name.isdigit() or "$" in name or not name
    return {} if own else {name: None}


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    escape = _ESCAPE.match(text)
    going_on = escape.group(1) if escape else "\\"
    whole = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        whole += line.rstrip()
        if whole.endswith(going_on):
            whole = whole[:-1] + " "
            continue
        if said := _INSTRUCTION.fullmatch(whole):
            yield said.group(1).upper(), said.group(2)
        whole = ""


def _fill(text: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, rule, word = found.group(1) or found.group(2), found.group(3), found.group(4)
        known = values.get(name)
        if rule == ":+":
            return word if known else ""
        if rule == ":-":
            return known or word
        return found.group() if known is None else known

    return _VARIABLE.sub(value, text)
