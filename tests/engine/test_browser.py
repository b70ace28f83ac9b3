"""What a person sees: the example's page in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repository import Repository

pytestmark = [
    pytest.mark.engine,
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="apt-get install chromium"),
]

_FLAGS = (
    "--headless",
    "--no-sandbox",  # root has no other choice
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def page(url: str, profile: Path) -> str:
    """The document as the browser has it once it is loaded."""
    done = subprocess.run(
        ["chromium", *_FLAGS, f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_counter_moves_in_a_browser(
    hits: Repository, free_port: Callable[[], int], tmp_path: Path
) -> None:
    """From source to a page in a browser by one command; each visit counts, config shows."""
    port = free_port()
    config = hits.read("environments/dev/config.toml").replace(":5000", f":{port}")
    hits.write("environments/dev/config.toml", config)
    hits.inv("up", "--env", "dev")

    first, second = (page(f"http://127.0.0.1:{port}/", tmp_path / "profile") for _ in range(2))

    assert "<h1>1 hits</h1>" in first
    assert "<h1>2 hits</h1>" in second
    assert "debug: on" in second
