"""A project in a folder of its own, used as a person would: from a shell."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_OURS = ("STAGEKIT_", "DOCKER_", "COMPOSE_", "BUILDX_", "BUILDKIT_")
_CIS = ("CI", "GO_", "GITHUB_", "GITLAB_", "JENKINS_", "BUILDKITE", "CIRCLE", "TF_BUILD")
_LIMIT = 180

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
"""What a project begins with, by path: one image, ``app``, a template and the environments ``dev``
and ``prod``. ``{name}`` becomes the project's name."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would steer stagekit or Docker, or tell of a
    CI."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_OURS + _CIS)}


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed with ``--json``."""
        return json.loads(self.stdout)

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.stdout + self.stderr


@dataclass
class TemporaryProject:
    """A project's folder, and the environment that its commands run in.

    Attributes:
        root: the folder.
        name: the project's; no other one has it, so that nothing is shared on an engine.
        environ: the whole environment of every command, such as ``DOCKER_HOST``.
        through: what stands before each command, such as ``nice``.
    """

    root: Path
    name: str
    environ: dict[str, str] = field(default_factory=dict)
    through: tuple[str, ...] = ()

    @classmethod
    def create(cls, root: Path, environ: Mapping[str, str] | None = None) -> Self:
        """Lay out ``FILES`` in a folder.

        Args:
            root: the folder; made where it is not there.
            environ: the environment of its commands; by default `clean_environment`.
        """
        given = clean_environment() if environ is None else dict(environ)
        project = cls(root, f"t{secrets.token_hex(4)}", given)
        for path, text in FILES.items():
            project.write(path, text.format(name=project.name))
        return project

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project, with the folders above it; return where it is."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        return target

    def read(self, path: str) -> str:
        """Return a file of the project."""
        return (self.root / path).read_text("utf-8")

    def inv(self, *arguments: str, stdin: str = "", **environ: str) -> Outcome:
        """Run ``inv`` in the project, and fail unless it ends with 0.

        Args:
            arguments: what is typed after ``inv``.
            stdin: what it reads.
            environ: on top of the project's.

        Raises:
            AssertionError: it ended otherwise; with all that it printed.
        """
        outcome = self.attempt(*arguments, cwd=None, stdin=stdin, **environ)
        assert outcome.code == 0, outcome.text
        return outcome

    def attempt(
        self, *arguments: str, cwd: Path | None = None, stdin: str = "", **environ: str
    ) -> Outcome:
        """Run ``inv`` in the project, or in ``cwd``, however it ends; else as `inv`."""
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
