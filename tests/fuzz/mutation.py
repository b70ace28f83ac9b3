"""Changes what is usual, the same way for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

_LENGTHS = (1, 1, 2, 4, 16, 64)
_PIECES = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b" ", b"\x1b[2J"),
    *(b"-1", b"0", b"1e999", b"nan", b"inf", b"9" * 30, b"9" * 5000, b"1979-05-27", b"0x1f"),
    *(b"[", b"]", b"{", b"}", b"[[", b'"', b"'", b'"""', b"=", b":", b"- ", b"#", b",", b"."),
    *(b"&a ", b"*a", b"<<: ", b"!!python/object:x ", b"!reset ", b"|\n", b"? ", b"${", b"$", b"%"),
    *(b"{{", b"}}", b"{%", b"%}", b"..", b"/", b"~", b"\\", b"//", b"../../x", b"/dev/zero", b"-"),
    *(b"a." * 300, b"[" * 300, b"x/" * 2500, b"y" * 300, b"${A:-" * 50, b"**/" * 20, b"\\u0000"),
)


def mutations(seeds: Sequence[bytes], count: int, random: Random) -> Iterator[bytes]:
    """Yield what `seeds` become by a few changes each."""
    for number in range(count):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(random.choice((1, 1, 2, 3, 6))):
            _change(data, seeds, random)
        yield bytes(data)


def _change(data: bytearray, seeds: Sequence[bytes], random: Random) -> None:
    at = random.randrange(len(data) + 1)
    end = at + random.choice(_LENGTHS)
    match random.randrange(6):
        case 0:
            del data[at:end]
        case 1:
            data[at:at] = random.choice(_PIECES)
        case 2:
            data[at:end] = random.choice(_PIECES)
        case 3:
            data[at:at] = data[at : at + random.choice((8, 40, 200))]
        case 4:
            other = random.choice(seeds)
            start = random.randrange(len(other) + 1)
            data[at:at] = other[start : start + random.choice((8, 40, 200))]
        case _:
            data[at:end] = random.randbytes(random.choice(_LENGTHS))
