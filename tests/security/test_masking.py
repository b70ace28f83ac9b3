"""A secret is hidden in whatever a program says of it, in whichever form and however it comes."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit import process
from stagekit.attached import lines
from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.engine.projects import Given, Projects
from stagekit.errors import InputError, LimitExceeded, RunFailed
from stagekit.events import Failed, Noted, Output, Started, Warned, reworded
from stagekit.inputs import age
from stagekit.process import hide

SECRET = 'p"ä ss/w+rd\\?'  # noqa: S105  # of a test
KEY = "-----BEGIN KEY-----\nMIIE+/aaaa\nbbbb/+cccc\n-----END KEY-----\n"
IN_PIECES = """
import os, sys
for piece in sys.stdin.buffer.read().split(b"|"):
    os.write(2, piece); os.write(1, piece)
"""


def run(text: str, **more: Any) -> process.Result:
    argv = (sys.executable, "-c", IN_PIECES)
    settings: dict[str, Any] = {"env": {}, "limit": 20.0, "cancel": Cancel(), **more}
    return process.run(argv, stdin=text.encode(), **settings)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET),
        f"https://ann:{quote(SECRET, safe='')}@host/",
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"{SECRET}\n".encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        *(
            f"Authorization: Basic {base64.b64encode(f'{user}:{SECRET}'.encode()).decode()}"
            for user in ("a", "an", "ann", "anna")
        ),
    ],
)
def test_the_forms_of_a_secret(text: str) -> None:
    """As it is, as JSON and addresses have it, and in Base64 behind whatever."""
    told = hide(f"x {text} y", [SECRET])
    assert "***" in told
    assert told.startswith(("x ***", "x https://ann:***", 'x "***', "x Authorization: Basic "))
    assert told.endswith(" y")
    left = told.removeprefix("x Authorization: Basic ").replace("***", "")
    assert len(left) < 24  # of a name before it, and of what Base64 shares with its neighbours


@given(st.text(st.characters(codec="utf-8"), min_size=6, max_size=40), st.binary(max_size=4))
def test_base64_of_any_secret(secret: str, before: bytes) -> None:
    """At most what its first and last digits share with others is left."""
    if len(secret.strip()) < 6:
        return
    written = base64.b64encode(before + secret.encode() + b"x").decode()
    told = hide(written, [secret])
    assert "***" in told
    assert len(told.replace("***", "")) <= len(before) * 2 + 6


@pytest.mark.parametrize("secret", ["a", "ab", "yes"])
def test_a_short_secret_has_no_other_forms(secret: str) -> None:
    """Two digits of Base64 are everywhere."""
    assert hide("YQ YW eWVz", [secret]) == "YQ YW eWVz"


def test_a_secret_that_comes_in_pieces() -> None:
    """Programs flush where they like: in the middle of it, and of a letter."""
    heard: list[str] = []
    half = SECRET.encode().index("ä".encode()) + 1
    data = SECRET.encode()
    text = (data[:half] + b"|" + data[half:]).decode("utf-8", "surrogateescape")
    argv = (sys.executable, "-c", IN_PIECES)
    done = process.run(
        argv,
        env={},
        limit=20.0,
        cancel=Cancel(),
        stdin=b"login with " + text.encode("utf-8", "surrogateescape") + b"\nmore",
        mask=[SECRET],
        on_line=heard.append,
    )
    assert done.stdout == done.stderr == "login with ***\nmore"
    assert heard == ["login with ***", "more"]


@pytest.mark.parametrize("limit", [20.0, 0.5])
def test_a_secret_of_several_lines_in_pieces(limit: float) -> None:
    """Line by line as it comes, and whole at the end; also where it was cut off."""
    heard: list[str] = []
    text = KEY.replace("aaaa", "aa|aa").replace("\n", "|\n", 1)
    code = IN_PIECES + ("import time; time.sleep(60)" if limit < 1 else "")
    argv = (sys.executable, "-c", code)
    told: tuple[str, ...]
    try:
        done = process.run(
            argv,
            env={},
            limit=limit,
            cancel=Cancel(),
            stdin=text.encode(),
            mask=[KEY],
            on_line=heard.append,
        )
        told = (done.stdout, done.stderr)
    except LimitExceeded as error:
        told = error.output
    said = "\n".join([*told, *heard])
    assert not any(line in said for line in KEY.splitlines())


def test_what_a_container_prints() -> None:
    """`run.logs` passes whole lines on, however they come."""
    argv = (sys.executable, "-c", "import os; os.write(1, b'a hunt'); os.write(1, b'er2 b\\n')")
    shown = lines(argv, env={}, cancel=Cancel(), mask=["hunter2"])
    assert list(shown) == ["a *** b"]


def test_what_is_hidden_of_an_event() -> None:
    """All that a program may have had a part in; which step it is of stays."""
    told = [
        reworded(event, lambda text: hide(text, ["web1"]))
        for event in (
            *(Output("up", "web1", "a web1"), Warned("web1"), Noted("x web1")),
            *(Started("up", "web1"), Failed("up", "web1", "no web1", 1.0)),
        )
    ]
    assert told == [
        *(Output("up", "web1", "a ***"), Warned("***"), Noted("x ***")),
        *(Started("up", "web1"), Failed("up", "web1", "no ***", 1.0)),
    ]


@pytest.mark.parametrize("shape", ["{}", "# created: today\n{}\n", " {}", "age: {}"])
@pytest.mark.parametrize("small", [False, True])
def test_a_key_in_the_place_of_a_recipient(shape: str, small: bool) -> None:
    """Somebody pastes the wrong line, or the whole file: it is not repeated."""
    key = str(age.new_identity())
    text = shape.format(key.lower() if small else key)
    with pytest.raises(InputError, match="a secret key") as caught:
        age.check_recipient(text, "recipients")
    assert key[20:40].lower() not in f"{caught.value} {caught.value.hint}".lower()


def composed(tmp_path: Path, script: str) -> Projects:
    """Compose projects by a Compose that does what ``script`` says."""
    program = tmp_path / "docker-compose"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Projects(Compose(program, {"PATH": os.environ["PATH"]}))


def definitions(tmp_path: Path, script: str, secret: str) -> dict[str, str]:
    return composed(tmp_path, script).definitions(
        b"",
        name="shop-prod",
        folder=tmp_path,
        given=Given(secrets={"TOKEN": secret}),
        cancel=Cancel(),
    )


def test_compose_that_does_not_end_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last words are in the error, without what its environment had."""
    monkeypatch.setattr("stagekit.engine.projects.CONFIG_LIMIT", 0.5)
    with pytest.raises(LimitExceeded) as caught:
        definitions(tmp_path, 'echo "it is $TOKEN" >&2; sleep 60', "hunter2")
    assert caught.value.output == ("it is ***",)


def test_compose_that_fails_tells_no_secret(tmp_path: Path) -> None:
    """Nor where it ends by itself."""
    with pytest.raises(RunFailed) as caught:
        definitions(tmp_path, 'echo "it is $TOKEN" >&2; exit 1', "hunter2")
    assert caught.value.output == ("it is ***",)


def test_a_short_secret_is_hidden_in_no_digest(tmp_path: Path) -> None:
    """What is compared is what Compose said."""
    assert definitions(tmp_path, "echo web 1a1b1c", "1") == {"web": "1a1b1c"}
