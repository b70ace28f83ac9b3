"""What every `stagekit.protocols.Runner` keeps."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from secrets import token_hex

import pytest

from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked, Invocation, LogsAsked
from stagekit.protocols import Runner
from stagekit.records import Deploy, Release, ReleaseCommand
from stagekit.testing.contracts.capability import Capable, needs
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import Heard
from stagekit.testing.records import a_release

_NOWHERE = PurePath("/nowhere")
_LIMIT = 60.0
_CODE = 3

_DOCUMENT = """\
name: {project}
services:
  web:
    image: {image}
    command: ["sh", "-c", "echo started; exec sleep 600"]
    stop_signal: SIGKILL
    environment: {{GREETING: "{greeting}"}}
"""


class RunnerContract(Capable):
    """Inherit it, and give the fixtures ``runner`` and ``image``.

    Attributes:
        runs_commands: whether what it brings up runs. False for a stand-in, which has no logs, and
            nothing to run a command in; a release's command ends there as it was told, which the
            fixture tells it: with the exit code 3 and the line ``moved``.
        restarts_in_place: whether a container that is restarted stays the same one. False where
            another one takes its place.
    """

    runs_commands = True
    restarts_in_place = True

    @pytest.fixture
    def runner(self) -> Runner:
        """The runner that is looked at."""
        raise NotImplementedError("give a fixture `runner` that returns a Runner")

    @pytest.fixture
    def image(self) -> str:
        """An image that its engine has, with a shell and ``sleep``."""
        raise NotImplementedError("give a fixture `image` that names an image with a shell")

    @pytest.fixture
    def release(self, runner: Runner) -> Iterator[Release]:
        """A release of one service, ``web``; what was brought up of it is taken down."""
        release = a_release(
            id="v1",
            project=f"contract{token_hex(4)}",
            deploy=Deploy(timeout=_LIMIT, settle=0.0),
        )
        yield release
        runner.down(release.compose_project, emit=Heard(), cancel=Cancel())

    def test_what_is_brought_up_is_seen_and_taken_down(
        self, runner: Runner, release: Release, image: str
    ) -> None:
        """The services of the document, under the project's name, and nothing after `down`."""
        project = release.compose_project
        assert runner.observe(project).containers == ()
        assert _up(runner, release, image) == ()
        [seen] = runner.observe(project).containers
        assert (seen.service, seen.state) == ("web", "running")
        runner.down(project, emit=Heard(), cancel=Cancel())
        assert runner.observe(project).containers == ()

    def test_the_engine_as_its_releases_see_it(self, runner: Runner) -> None:
        """Has the locks and the containers; by default that is the engine itself."""
        engine = FakeEngine()
        assert runner.engine_for(engine).url == engine.url

    def test_only_what_changed_is_replaced(
        self, runner: Runner, release: Release, image: str
    ) -> None:
        """And definitions tell beforehand whether it will be."""
        _up(runner, release, image)
        [first] = runner.observe(release.compose_project).containers
        assert _definition(runner, release, image) == first.definition
        _up(runner, release, image)
        assert runner.observe(release.compose_project).containers[0].id == first.id
        assert _definition(runner, release, image, greeting="bye") != first.definition
        _up(runner, release, image, greeting="bye")
        [other] = runner.observe(release.compose_project).containers
        assert other.id != first.id
        assert other.definition == _definition(runner, release, image, greeting="bye")

    def test_other_numbers_of_containers(
        self, runner: Runner, release: Release, image: str
    ) -> None:
        """As many as are asked for, by service."""
        _up(runner, release, image, web=2)
        assert len(runner.observe(release.compose_project).of("web")) == 2  # noqa: PLR2004

    def test_what_does_not_come_up_is_told_and_not_raised(
        self, runner: Runner, release: Release, image: str
    ) -> None:
        """The verdict is the caller's, who looks at what came up."""
        assert _up(runner, release, f"{image}-that-is-not-there") != ()

    def test_a_command_of_the_release(self, runner: Runner, release: Release, image: str) -> None:
        """Its exit code and its last lines; its container is gone after it, and is no service's."""
        command = ReleaseCommand(service="web", command=("sh", "-c", f"echo moved; exit {_CODE}"))
        code, lines = runner.once(
            release,
            _document(release, image),
            _NOWHERE,
            command,
            dependencies=False,
            secrets={},
            source=None,
            emit=Heard(),
            cancel=Cancel(),
        )
        assert code == _CODE
        assert "moved" in "\n".join(lines)
        assert runner.observe(release.compose_project).containers == ()

    def test_restarted_it_is_started_anew(
        self, runner: Runner, release: Release, image: str
    ) -> None:
        """Of the same image and definition; the same container, or another in its place."""
        _up(runner, release, image)
        [before] = runner.observe(release.compose_project).containers
        said = runner.restart(release.compose_project, ["web"], emit=Heard(), cancel=Cancel())
        [after] = runner.observe(release.compose_project).containers
        assert said == ()
        assert after.started != before.started
        assert (after.image_id, after.definition) == (before.image_id, before.definition)
        assert (after.id == before.id) is self.restarts_in_place

    @needs("runs_commands")
    def test_logs_and_commands_are_programs_to_run(
        self, runner: Runner, release: Release, image: str, tmp_path: Path
    ) -> None:
        """In what runs, and beside it, with the arguments as they were typed."""
        _up(runner, release, image)
        project, empty = release.compose_project, tmp_path / "empty"
        empty.mkdir()
        assert "started" in _wait_for_text(runner.logs(project, LogsAsked(), empty))
        command = ("sh", "-c", 'echo "$GREETING" "$1"', "-", "a  b")
        asked = CommandAsked(service="web", command=command)
        assert _ran(runner.inside(project, asked, empty)).stdout == "hello a  b\n"
        document = tmp_path / "compose.yaml"
        document.write_bytes(_document(release, image))
        beside = runner.beside(release, document, _NOWHERE, asked, secrets={}, source=None)
        assert _ran(beside).stdout.endswith("hello a  b\n")
        assert len(runner.observe(project).containers) == 1


def _document(release: Release, image: str, greeting: str = "hello") -> bytes:
    return _DOCUMENT.format(
        project=release.compose_project, image=image, greeting=greeting
    ).encode()


def _up(
    runner: Runner, release: Release, image: str, greeting: str = "hello", **scale: int
) -> tuple[str, ...]:
    return runner.up(
        release,
        _document(release, image, greeting),
        _NOWHERE,
        scale=scale,
        secrets={},
        source=None,
        emit=Heard(),
        cancel=Cancel(),
    )


def _definition(runner: Runner, release: Release, image: str, greeting: str = "hello") -> str:
    found = runner.definitions(
        release,
        _document(release, image, greeting),
        _NOWHERE,
        secrets={},
        source=None,
        cancel=Cancel(),
    )
    return found["web"]


def _ran(program: Invocation) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        program.argv,
        env=program.env,
        cwd=program.folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def _wait_for_text(program: Invocation) -> str:
    """Return what a container printed: its first line may come after it is seen to run."""
    deadline = time.monotonic() + _LIMIT
    while not (text := _ran(program).stdout) and time.monotonic() < deadline:
        time.sleep(0.1)
    return text
