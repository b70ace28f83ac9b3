"""Asking for a page: from this machine, or from within a container."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stagekit.errors import EngineError
from stagekit.protocols import Engine
from stagekit.records import Part

if TYPE_CHECKING:
    from email.message import Message
    from http.client import HTTPResponse
    from urllib.error import HTTPError

_AT_MOST = 2**20
"""Bytes of an answer that are looked at."""

_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
_STATUS = re.compile(r"HTTP/[0-9.]+ ([0-9]{3})")
_HEADER = re.compile(r"\s*[\w-]+: |\s*HTTP/")

# Whichever of these the container has. Headers go where the body goes, in front of it: the status
# is in its first line. -S makes wget print headers, on stderr. Some of BusyBox's wget crash on -T.
_SCRIPT = """
within=$(command -v timeout) && within="$within $2"
if command -v curl >/dev/null 2>&1; then exec curl -sS -i -m "$2" "$1"
elif command -v wget >/dev/null 2>&1; then exec $within wget -S -q -O - "$1" 2>&1
elif command -v python3 >/dev/null 2>&1; then exec python3 -c '
import sys, urllib.request, urllib.error
try: answer = urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2]))
except urllib.error.HTTPError as error: answer = error
print("HTTP/1.1", answer.status, "\\n"); print(answer.read(1048576).decode("utf-8", "replace"))
' "$1" "$2"
else exit 127; fi
"""


class Answer(Part, frozen=True):
    """What a page answered: its HTTP status and the first megabyte of its text.

    ``headers`` have their names in lower case, ``data`` is that megabyte as it came; both only
    where it was asked from this machine.
    """

    status: int
    body: str
    headers: dict[str, str] = {}
    data: bytes = b""


def ask_here(url: str, *, limit: float) -> Answer:
    """Ask for a page from this machine, once; what leads elsewhere is not followed.

    Raises:
        EngineError: there was no answer within ``limit`` seconds.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_arguments: object) -> None:
            return None

    near = _LOOPBACK.fullmatch(urlsplit(url).hostname or "")
    opener = build_opener(Stay, *([ProxyHandler({})] if near else []))
    try:
        with opener.open(url, timeout=limit) as answer:
            return _answer(answer.status, answer.headers, _read(answer, limit))
    except HTTPError as error:
        with error:
            return _answer(error.code, error.headers, _read(error, limit))
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise EngineError(f"no answer: {reason}") from error


def _read(answer: HTTPResponse | HTTPError, limit: float) -> bytes:
    """Read the first megabyte. The socket's own limit is for each piece: an answer that trickles
    without end must have one too."""
    deadline = monotonic() + limit
    data = b""
    while len(data) < _AT_MOST and (piece := answer.read1(_AT_MOST - len(data))):
        data += piece
        if monotonic() > deadline:
            raise TimeoutError(f"its end did not come within {limit:g} s")
    return data


def _answer(status: int, headers: Message, data: bytes) -> Answer:
    named = {name.lower(): ", ".join(headers.get_all(name, ())) for name in headers}
    return Answer(status, _text(data), named, data)


def ask_in(container: str, url: str, engine: Engine, *, limit: float) -> Answer:
    """Ask for a page within a running container, with the first of curl, wget and python3 that it
    has.

    Where it leads elsewhere, the first answer's status counts.

    Raises:
        EngineError: it has none of them, or there was no answer.
    """
    argv = ("sh", "-c", _SCRIPT, "ask", url, str(round(limit)))
    code, said = engine.execute(container, argv, limit=2 * limit)
    text = _text(said[:_AT_MOST])
    if code == 127:  # noqa: PLR2004  # the shell's own for a command that is not there
        raise EngineError("the container has none of sh, curl, wget and python3")
    status = _STATUS.search(text)
    if not status:
        raise EngineError(f"no answer: {text.strip() or f'ended with {code}'}")
    return Answer(int(status[1]), _without_headers(text[status.end() :]))


def _without_headers(text: str) -> str:
    """Return what follows the headers: curl ends them with an empty line, wget indents them."""
    lines = text.splitlines(keepends=True)[1:]
    while lines and _HEADER.match(lines[0]):
        lines.pop(0)
    return "".join(lines).lstrip("\r\n")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
