"""What two releases are asked, and whether they answered alike."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import Cancelled, InputError
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run import questions
from stagekit.pipeline.run.platform import Platform
from stagekit.pipeline.run.questions import Place, Places, ask_command, ask_page, await_answers
from stagekit.records import Compared
from stagekit.testing.fakes import FakeRunner, Heard
from tests.fakes import platform

Pages = dict[str, tuple[int, str, bytes]]
HEADERS = ("content-type", "location")


@pytest.fixture
def on(tmp_path: Path) -> Platform:
    """Something to ask on; whatever was heard is in its ``emit``."""
    return platform(FileLedger(tmp_path), FakeRunner(()))


@contextmanager
def serving(name: str, pages: Pages) -> Iterator[Place]:
    """A release that answers with pages; ``ADDRESS`` in them is its own."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = pages.get(self.path, (404, "text/plain", b"none"))
            said = body.replace(b"ADDRESS", self.headers["Host"].encode())
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("X-Seen", name)
            self.send_header("Location", f"http://{self.headers['Host']}/next")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        port = server.server_address[1]
        yield Place(f"dev/{name}", f"shop-compare-{name}-dev", f"http://127.0.0.1:{port}")
        server.shutdown()


@contextmanager
def both(old: Pages, new: Pages) -> Iterator[Places]:
    with ExitStack() as stack:
        yield (
            stack.enter_context(serving("v1", old)),
            stack.enter_context(serving("v2", new)),
        )


def page(
    old: bytes, new: bytes, on: Platform, *, kind: str = "text/plain", **more: str
) -> Compared:
    """Ask both for a page, of which ``more`` are secrets."""
    with both({"/": (200, kind, old)}, {"/": (200, kind, new)}) as places:
        return ask_page("/", HEADERS, places, tuple(more.values()), on)


def test_the_same_page(on: Platform) -> None:
    """Its own address is no difference, in the page and in where it leads."""
    compared = page(b"see http://ADDRESS/x", b"see http://ADDRESS/x", on)
    assert (compared.differs, compared.difference) == (False, ())
    assert (compared.old.code, compared.old.failure) == (200, "")
    assert compared.old.headers == {
        "content-type": "text/plain",
        "location": "http://ADDRESS/next",
    }
    assert compared.old.digest == compared.new.digest


def test_pages_that_differ(on: Platform) -> None:
    """Status, headers that count and text: a diff with the names of both."""
    old: Pages = {"/a?b=1": (200, "text/plain", b"one\nsame\n")}
    with both(old, {"/a?b=1": (500, "text/html", b"two\nsame\n")}) as places:
        compared = ask_page("/a?b=1", HEADERS, places, (), on)
        assert compared.difference == (
            "--- dev/v1",
            "+++ dev/v2",
            "@@ -1,6 +1,6 @@",
            "-status 200",
            "-content-type: text/plain",
            "+status 500",
            "+content-type: text/html",
            " location: http://ADDRESS/next",
            " ",
            "-one",
            "+two",
            " same",
        )
        assert (compared.kind, compared.subject, compared.differs) == ("url", "/a?b=1", True)
        assert not ask_page("/", HEADERS, places, (), on).differs
        assert ask_page("/", ("x-seen",), places, (), on).differs


def test_json_is_laid_out(on: Platform) -> None:
    """A line for each value; but what differs only in its layout is shown as it came."""
    compared = page(b'{"a": 1, "b": [1, 2]}', b'{"a": 1, "b": [1, 3]}', on)
    assert "-    2" in compared.difference
    assert "+    3" in compared.difference
    same = page(b'{"a": 1}', b'{"a":1}', on)
    assert '-{"a": 1}' in same.difference


def test_what_is_no_text(on: Platform) -> None:
    """Is compared byte for byte, and told by its digest."""
    assert not page(b"\xff\x00", b"\xff\x00", on).differs
    other = page(b"\xff\x00", b"\xff\x01", on)
    assert "2 bytes that are no text, sha256:" in other.difference[-1]


def test_secrets_are_not_shown(on: Platform) -> None:
    """Nor compared away: that they differ is said."""
    compared = page(b"key hunter2", b"key swordfish", on, one="hunter2", other="swordfish")
    assert compared.differs
    assert compared.difference == ("what differs is secret, or where lines end",)
    assert compared.old.digest == compared.new.digest
    assert page(b"a\n", b"a\r\n", on).difference == ("what differs is secret, or where lines end",)


def test_much_is_cut(on: Platform) -> None:
    """Long lines and many: what is recorded stays small, and says how much is left out."""
    compared = page(b"x" * 5000, b"y" * 5000, on)
    assert max(map(len, compared.difference)) < 1100
    many = page(b"a\n" * 3000, b"b\n" * 3000, on)
    assert len(many.difference) == 400
    assert many.more > 3000


def test_no_answer_is_a_difference(on: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where neither answers; it is waited for once, and not for ever."""
    monkeypatch.setattr(questions, "_PATIENCE", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        places = (Place("dev/v1", "one", nowhere), Place("dev/v2", "two", nowhere))
        await_answers(places, "/", on)
        compared = ask_page("/", HEADERS, places, (), on)
    assert (compared.differs, compared.old.code) == (True, None)
    assert compared.difference[0].startswith("neither answers: no answer")
    assert isinstance(on.emit, Heard)
    assert "no answer" in on.emit.text


def test_an_answer_without_end(on: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that trickles is none, however often something comes."""
    monkeypatch.setattr(questions, "_PAGE_LIMIT", 0.5)

    def trickle(server: socket.socket) -> None:
        with closing(server.accept()[0]) as connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            for _ in range(100):
                connection.sendall(b".")
                sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=trickle, args=(server,), daemon=True).start()
        place = Place("dev/v1", "one", f"http://127.0.0.1:{server.getsockname()[1]}")
        nowhere = Place("dev/v2", "two", "http://127.0.0.1:1")
        compared = ask_page("/", HEADERS, (place, nowhere), (), on)
    assert compared.old.failure == "no answer: its end did not come within 0.5 s"


def test_waiting_can_be_stopped(on: Platform) -> None:
    """At once."""
    on.cancel.request()
    with pytest.raises(Cancelled):
        await_answers((Place("a", "b", "http://127.0.0.1:1"),) * 2, "/", on)


PLACES = (
    Place("dev/v1", "shop-compare-1-old-dev", "http://127.0.0.1:1234"),
    Place("dev/v2", "shop-compare-1-new-dev", None),
)


def command(script: str, on: Platform, *secrets: str) -> Compared:
    return ask_command(["sh", "-c", script], PLACES, secrets, on)


def test_a_command_knows_which_it_is_for(on: Platform) -> None:
    """By its environment; its project and address are no difference, its exit code is."""
    told = 'echo "[$STAGEKIT_COMPARE_RELEASE] [$STAGEKIT_COMPARE_URL]"'
    compared = command(told, on)
    assert compared.difference[-2:] == ("-[dev/v1] [http://ADDRESS]", "+[dev/v2] []")
    assert not command('echo "$STAGEKIT_COMPARE_PROJECT-web-1"; exit 3', on).differs
    code = command('test "$STAGEKIT_COMPARE_RELEASE" = dev/v1', on)
    assert code.difference[-2:] == ("-ended with 0", "+ended with 1")
    assert (code.old.code, code.new.code) == (0, 1)


def test_what_a_command_says_to_stderr_is_passed_on(on: Platform) -> None:
    """And not compared; nobody sees a secret in it, nor in the command itself."""
    compared = command("echo warm hunter2 $$ >&2; echo hunter2", on, "hunter2")
    assert not compared.differs
    assert isinstance(on.emit, Heard)
    assert "dev/v2 | warm ***" in on.emit.text
    assert "hunter2" not in on.emit.text + compared.subject


def test_a_program_that_is_not_there(on: Platform) -> None:
    """Says how it is meant."""
    with pytest.raises(InputError, match="no program 'nope'"):
        ask_command(["nope"], PLACES, (), on)


def test_a_command_that_takes_for_ever(on: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is stopped, and that is its answer; or by somebody."""
    monkeypatch.setattr(questions, "_COMMAND_LIMIT", 0.3)
    compared = command("sleep 60", on)
    assert "did not end within 0.3 s" in compared.old.failure
    stopped = Cancel()
    stopped.request()
    with pytest.raises(Cancelled):
        command("sleep 60", platform(FileLedger(Path(os.devnull)), FakeRunner(()), cancel=stopped))
