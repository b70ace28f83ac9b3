"""Compose files that lead back to themselves, expand without end, or are too much of something."""

from __future__ import annotations

SERVICE = "services: {web: {image: x}}\n"


def laughs(levels: int, *, merge: bool = False) -> str:
    """Anchors of ten aliases each: ten to the power of ``levels`` of what the first one holds."""
    lines = ["x-a0: &a0 {k: v}" if merge else "x-a0: &a0 lol"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(
            f"x-a{level}: &a{level}\n  <<: [{aliases}]\n  k{level}: v"
            if merge
            else f"x-a{level}: &a{level} [{aliases}]"
        )
    return "\n".join(lines) + "\n" + SERVICE


def chain(length: int) -> str:
    """Services that each extend the one before."""
    lines = "".join(
        f"  s{number}: {{image: x, extends: {{service: s{number - 1}}}}}\n"
        for number in range(1, length)
    )
    return f"services:\n  s0: {{image: x}}\n{lines}"


def nested(depth: int) -> str:
    """A map in a map in a map …, by indentation."""
    return SERVICE + "x-deep:\n" + "".join(" " * level + "a:\n" for level in range(1, depth))


BOMBS: dict[str, dict[str, str]] = {
    "extends itself": {"compose.yaml": "services: {web: {image: x, extends: {service: web}}}\n"},
    "extends in a circle": {
        "compose.yaml": "services:\n  a: {image: x, extends: {service: b}}\n"
        "  b: {image: x, extends: {service: a}}\n"
    },
    "extends a file that extends this one": {
        "compose.yaml": "services: {web: {image: x, extends: {file: other.yaml, service: web}}}\n",
        "other.yaml": "services: {web: {image: x, extends: {file: compose.yaml, service: web}}}\n",
    },
    "includes itself": {"compose.yaml": "include: [compose.yaml]\n" + SERVICE},
    "includes in a circle": {
        "compose.yaml": "include: [other.yaml]\n" + SERVICE,
        "other.yaml": "include: [more.yaml]\nservices: {b: {image: x}}\n",
        "more.yaml": "include: [other.yaml]\nservices: {c: {image: x}}\n",
    },
    "resets a map that holds itself": {
        "compose.yaml": "services: &a\n  web: {image: x, labels: !reset {}}\n  b: *a\n"
    },
    "resets a list that holds itself": {
        "compose.yaml": "x-a: &a\n  - *a\n  - !reset x\n" + SERVICE
    },
    "a map that holds itself": {"compose.yaml": "x-a: &a {b: *a}\n" + SERVICE},
    "a service that holds itself": {
        "compose.yaml": "services:\n  web: &w\n    image: x\n    x-w: *w\n"
    },
    "merges itself": {"compose.yaml": "x-a: &a\n  <<: *a\n" + SERVICE},
    "a billion laughs": {"compose.yaml": laughs(10)},
    "a billion merges": {"compose.yaml": laughs(10, merge=True)},
    "variables in variables": {
        "compose.yaml": "services: {web: {image: x, command: ['"
        + "${A:-" * 3000
        + "}" * 3000
        + "']}}\n"
    },
    "nested in brackets": {"compose.yaml": SERVICE + "x-deep: " + "[" * 100_000 + "]" * 100_000},
    "nested by indentation": {"compose.yaml": nested(3_000)},
    "nested in dashes": {"compose.yaml": SERVICE + "x-deep:\n" + "- " * 100_000 + "a\n"},
    "depends in a circle": {
        "compose.yaml": "services:\n  a: {image: x, depends_on: [b]}\n"
        "  b: {image: x, depends_on: [a]}\n"
    },
    "an env_file without end": {
        "compose.yaml": "services: {web: {image: x, env_file: /dev/zero}}\n"
    },
    "includes what has no end": {"compose.yaml": "include: [/dev/zero]\n" + SERVICE},
}
