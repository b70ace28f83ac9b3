"""A repository for a test to work in, used as a person would: from a shell."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

    def inv(self, *arguments: str, **environ: str) -> Outcome:
        """Run ``inv`` in the repository, and fail unless it ends with 0."""
        outcome = self.attempt(*arguments, **environ)
        assert outcome.code == 0, outcome.text
        return outcome

    def attempt(self, *arguments: str, cwd: Path | None = None, **environ: str) -> Outcome:
        """Run ``inv`` in the repository, however it ends."""
        done = subprocess.run(
            [*self.through, sys.executable, "-m", "invoke", *arguments],
            cwd=cwd or self.root,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)
