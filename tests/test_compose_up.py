"""What `up` makes of Compose's complaints, with a program in Compose's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.builtin import compose
from stagekit.builtin.compose import ComposeRunner
from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.events import ignore
from stagekit.testing.engine import FakeEngine
from stagekit.testing.records import a_release

FILTER = "unable to remove jump to DOCKER-ISOLATION-STAGE-1 rule: (iptables failed: Bad rule)"


def up(folder: Path, complaint: str, times: int) -> tuple[tuple[str, ...], int]:
    """Let Compose fail so often; return what is said, and how often it was called."""
    program, called = folder / "docker-compose", folder / "called"
    program.write_text(
        f"#!/bin/sh\necho >> {called}\n"
        f'if [ $(wc -l < {called}) -le {times} ]; then echo "{complaint}" >&2; exit 1; fi\n'
    )
    program.chmod(0o755)
    said = ComposeRunner(Compose(program, {}), FakeEngine()).up(
        a_release(id="v1"),
        b"services: {}\n",
        folder,
        scale={},
        secrets={},
        source=None,
        emit=ignore,
        cancel=Cancel(),
    )
    return said, called.read_text().count("\n")


@pytest.mark.parametrize(
    ("complaint", "times", "said", "called"),
    [
        (FILTER, 0, (), 1),
        (FILTER, 2, (), 3),
        (FILTER, 9, (FILTER,), 3),
        ("no such image", 1, ("no such image",), 1),
    ],
)
def test_what_another_program_disturbed_is_tried_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    complaint: str,
    times: int,
    said: tuple[str, ...],
    called: int,
) -> None:
    """A few times, and nothing else is."""
    monkeypatch.setattr(compose, "_DISTURBANCE", 0.01)
    assert up(tmp_path, complaint, times) == (said, called)
