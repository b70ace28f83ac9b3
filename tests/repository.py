"""A repository for a test to work in, used as a person would: from a shell."""

from __future__ import annotations

import json
import os
import pty
import secrets
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_OURS = ("STAGEKIT_", "DOCKER_", "COMPOSE_", "BUILDX_", "BUILDKIT_")
_CIS = ("CI", "GO_", "GITHUB_", "GITLAB_", "JENKINS_", "BUILDKITE", "CIRCLE", "TF_BUILD")
_LIMIT = 180

_PROGRAM = """
import sys
from pathlib import Path
from invoke import Collection, Program
from stagekit.cli.app import App
from stagekit.cli.init import init
Program(namespace=Collection(init.bound(App(Path.cwd())))).run(["stagekit", *sys.argv[1:]])
"""

FILES = {
    "tasks.py": "import stagekit\n\nns = stagekit.collection()\n",
    "pyproject.toml": (
        '[tool.stagekit]\nname = "{name}"\n\n[tool.stagekit.images.app]\ncontext = "app"\n'
    ),
    # SIGKILL: busybox as the first process of a container ignores SIGTERM for ten seconds.
    "app/Dockerfile": (
        "FROM busybox:1\nSTOPSIGNAL SIGKILL\nCOPY index.html /www/index.html\n"
        'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n'
    ),
    "app/index.html": "hello\n",
    "templates/compose.yaml.j2": (
        "services:\n"
        "  web:\n"
        "    image: ${{IMAGE_APP}}\n"
        "    environment:\n"
        "      GREETING: {{{{ GREETING | yaml }}}}\n"
    ),
    "environments/base/config.toml": '[stagekit]\nsettle = 0.5\n\n[vars]\nGREETING = "hello"\n',
    "environments/dev/config.toml": '[vars]\nGREETING = "hello, dev"\n',
    "environments/prod/config.toml": '[vars]\nGREETING = "hello, prod"\n',
}


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would steer stagekit or Docker,
    or tell of a CI."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_OURS + _CIS)}


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Repository:
    """A project's folder, the environment its commands run in, and what stands before each."""

    root: Path
    name: str
    environ: dict[str, str] = field(default_factory=dict)
    through: tuple[str, ...] = ()

    @classmethod
    def create(cls, root: Path, environ: Mapping[str, str]) -> Repository:
        """Lay out FILES under a project name that no other test has."""
        repository = cls(root, f"t{secrets.token_hex(4)}", dict(environ))
        for path, text in FILES.items():
            repository.write(path, text.format(name=repository.name))
        return repository

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        return target

    def read(self, path: str) -> str:
        return (self.root / path).read_text("utf-8")

    def inv(self, *arguments: str, stdin: str = "", **environ: str) -> Outcome:
        """Run ``inv`` in the repository, and fail unless it ends with 0."""
        outcome = self.attempt(*arguments, stdin=stdin, **environ)
        assert outcome.code == 0, outcome.text
        return outcome

    def attempt(
        self, *arguments: str, cwd: Path | None = None, stdin: str = "", **environ: str
    ) -> Outcome:
        """Run ``inv`` in the repository, however it ends."""
        done = subprocess.run(
            [*self.through, sys.executable, "-m", "invoke", *arguments],
            cwd=cwd or self.root,
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=_LIMIT,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def stagekit(self, *arguments: str, code: int = 0, **environ: str) -> Outcome:
        """Run the program that needs no tasks.py, and fail unless it ends with ``code``."""
        done = subprocess.run(
            [*self.through, sys.executable, "-c", _PROGRAM, *arguments],
            cwd=self.root,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_LIMIT,
            check=False,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        assert outcome.code == code, outcome.text
        return outcome

    def on_a_terminal(self, typed: str, *arguments: str, **environ: str) -> Outcome:
        """Run ``inv`` for somebody who sits at a terminal and types; all that is shown there is
        its stdout."""
        ours, theirs = pty.openpty()
        os.write(ours, typed.encode())
        with subprocess.Popen(
            [*self.through, sys.executable, "-m", "invoke", *arguments],
            cwd=self.root,
            env={**self.environ, "TERM": "xterm", **environ},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # how Linux says that a terminal's other end is closed
                while chunk := os.read(ours, 65536):
                    shown += chunk
            os.close(ours)
        return Outcome(process.returncode, shown.decode(), "")
