"""Who is told of what, by a real message to a real listener."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stagekit.builtin.notify import Notify
from stagekit.errors import InputError, StagekitError
from stagekit.inputs.extending import NotifySettings
from stagekit.inputs.project import load_project
from stagekit.records import CI, Failure, Run, Stored
from stagekit.testing.records import a_build, a_release, a_run, sha

FAILED = replace(
    a_run(7, outcome="failed"),
    failure=Failure(
        subject="prod/v1", step="settle", message="web: exited with 3", output=("no database",)
    ),
    ci=CI(name="GoCD", url="https://ci.test/jobs/7"),
)


class Listener:
    """Listens on loopback, and keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.status = 200
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.append(json.loads(body))
                self.send_response(listener.status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    thread = threading.Thread(target=listener.server.serve_forever, daemon=True)
    thread.start()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


def notify(address: str, **settings: Any) -> Notify:
    return Notify(NotifySettings(**settings), "shop", {"STAGEKIT_NOTIFY": address})


def stored(run: Run) -> Stored[Run]:
    return Stored(record=run, digest=sha("run"))


def test_a_run_that_failed_is_told_with_why(listener: Listener) -> None:
    """What, by whom, where it ran, and the last lines."""
    notify(listener.address).stagekit_ran(stored(FAILED))
    [message] = listener.heard
    assert message["title"] == "shop: prod/v1 failed (run 7, run)"
    assert message["message"].splitlines() == [
        "by ann@laptop, 3 s",
        "https://ci.test/jobs/7",
        "prod/v1, settle: web: exited with 3",
        "| no database",
    ]
    assert message["type"] == "failure"


def test_only_what_is_wanted_is_told(listener: Listener) -> None:
    """Events and environments are chosen; by default a build that went well is no news."""
    build = Stored(record=a_build(), digest=sha("build"))
    release = Stored(record=a_release(id="v1"), digest=sha("release"))
    quiet = notify(listener.address)
    quiet.stagekit_built(build)
    quiet.stagekit_released(release)
    notify(listener.address, environments=("dev",)).stagekit_ran(stored(FAILED))
    assert listener.heard == []
    everything = notify(listener.address, on=("build", "build failed", "release", "run"))
    everything.stagekit_built(build)
    everything.stagekit_build_failed(build)
    everything.stagekit_released(release)
    everything.stagekit_ran(stored(a_run()))
    everything.stagekit_ran(stored(FAILED))
    assert [message["type"] for message in listener.heard] == [
        *("success", "failure", "success", "success")
    ]


def test_addresses_are_named_by_variables(listener: Listener) -> None:
    """A token stands in no file; one that is not there is said by its name."""
    settings = NotifySettings(urls=("${CHAT}",))
    Notify(settings, "shop", {"CHAT": listener.address}).stagekit_ran(stored(a_run()))
    assert len(listener.heard) == 1
    with pytest.raises(InputError, match="CHAT has no value"):
        Notify(settings, "shop", {}).stagekit_ran(stored(a_run()))


def test_nobody_to_tell_is_no_error() -> None:
    """Nor is anything imported for it."""
    notify("").stagekit_ran(stored(a_run()))


def test_an_address_that_is_none_is_not_shown() -> None:
    """It may hold a token."""
    with pytest.raises(InputError, match="address 1 is none") as caught:
        notify("nosuch://s3cret-token").stagekit_ran(stored(a_run()))
    assert "s3cret" not in str(caught.value)


def test_who_does_not_listen_is_said(listener: Listener) -> None:
    """The stage went well all the same: whoever calls makes a warning of it."""
    listener.status = 500
    with pytest.raises(StagekitError, match="not everybody could be told"):
        notify(listener.address).stagekit_ran(stored(a_run()))


def test_settings(tmp_path: Path) -> None:
    """An event that there is not is refused."""
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.stagekit.notify]\nurls = ["${CHAT}"]\non = ["run failed"]\n')
    assert load_project(tmp_path, {}).notify == NotifySettings(
        urls=("${CHAT}",), on=("run failed",)
    )
    path.write_text('[tool.stagekit.notify]\non = ["runs"]\n')
    with pytest.raises(InputError, match="runs"):
        load_project(tmp_path, {})
