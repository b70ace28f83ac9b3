"""What a Dockerfile says about other images. BuildKit reads the rest."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from stagekit.inputs.instructions import Instruction, filled, instructions

_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\w+|\{[^}]*\}*)")


_LONGEST = 4096
"""Characters of an argument that matter: no image's name is as long."""


class Bases(NamedTuple):
    """Images that a Dockerfile takes anything from, as it names them; and the names in ``FROM``
    that only the build can fill in."""

    images: tuple[str, ...]
    open: tuple[str, ...]


def read_bases(dockerfile: bytes, args: Mapping[str, str]) -> Bases:
    """Read which images a Dockerfile takes anything from.

    Those of ``FROM``, ``COPY --from`` and ``RUN --mount=from``, with the arguments that stand
    before the first ``FROM`` filled in; not its own stages and ``scratch``.
    https://docs.docker.com/reference/dockerfile/#from

    Args:
        dockerfile: its content.
        args: build arguments, which go before its defaults.
    """
    images: dict[str, None] = {}
    unfilled: dict[str, None] = {}
    stages: set[str] = {"scratch"}
    values: dict[str, str] = {}
    begun = False
    for instruction in instructions(dockerfile.decode("utf-8-sig", "replace")):
        if instruction.name == "ARG" and not begun:
            _declare(instruction, args, values)
        elif instruction.name == "FROM" and (said := _FROM.fullmatch(instruction.rest)):
            begun = True
            name = filled(said.group(1), values, instruction.escape)
            if "$" not in name:
                images |= _image(name, stages)
            elif not _may_be_stage(name, stages):
                unfilled[name] = None
            stages |= {said.group(2).lower()} if said.group(2) else set()
        else:
            for name in _others(instruction):
                images |= _image(name, stages)
    return Bases(tuple(images), tuple(unfilled))


def _declare(instruction: Instruction, args: Mapping[str, str], values: dict[str, str]) -> None:
    """Take up the arguments of an ARG that have a value; each may use those before it."""
    for word in instruction.words:
        name, equals, default = word.partition("=")
        if equals or name in args:
            value = args.get(name, filled(default, values, instruction.escape))
            values[name] = value[:_LONGEST]


def _others(instruction: Instruction) -> Iterator[str]:
    """Yield the images that an instruction takes files from or mounts."""
    for flag, value in instruction.flags:
        if instruction.name in ("COPY", "ADD") and flag == "from":
            yield value
        if instruction.name == "RUN" and flag == "mount":
            fields = (field.strip().partition("=") for field in value.split(","))
            yield from (name for key, _, name in fields if key.lower() == "from")


def _image(name: str, stages: Collection[str]) -> dict[str, None]:
    own = name.lower() in stages or name.isdigit() or "$" in name or not name
    return {} if own else {name: None}


def _may_be_stage(name: str, stages: Collection[str]) -> bool:
    """Tell whether a name could be one of the file's own stages (``FROM base-${TARGETARCH}``)."""
    parts = _VARIABLE.split(name.lower())
    return any(_fits(stage, parts) for stage in stages)


def _fits(stage: str, parts: Sequence[str]) -> bool:
    """Tell whether a text has parts in their order, the first and the last at its ends, whatever
    stands between them; looked for once each, as a pattern would not."""
    first, *others = parts
    if not others:
        return stage == first
    *between, last = others
    at = len(first) if stage.startswith(first) else -1
    for part in between:
        found = stage.find(part, at) if at >= 0 else -1
        at = found + len(part) if found >= 0 else -1
    return at >= 0 and stage[at:].endswith(last)
