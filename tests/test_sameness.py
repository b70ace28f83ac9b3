"""The same inputs are the same release: on another machine, in another place, at another time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.releasing import write

PROJECT = {
    "pyproject.toml": '[tool.stagekit]\nname = "shop"\n',
    "environments/base/config.toml": '[vars]\nWHO = "é"\nPORT = 8080\n',
    "environments/prod/config.toml": "[vars]\nPORT = 80\n",
    "environments/prod/compose.yaml": "services: {web: {hostname: '${WHO}'}}\n",
    "environments/prod/files/conf.d/b.conf": "b\n",
    "environments/prod/files/conf.d/a.conf": "a\n",
    "environments/prod/files/web.env": "FROM_FILE=1\n",
    "parts/more.yaml": (
        "services:\n  more:\n    image: more:1\n    volumes: ['./more.conf:/more.conf']\n"
        "    env_file: more.env\n"
    ),
    "parts/more.env": "HERE=${HOME:-nowhere} ${PWD:-nowhere} ${USER:-nobody}\n",
    "parts/more.conf": "more\n",
    "templates/compose.yaml.j2": (
        "include: [parts/more.yaml]\n"
        "services:\n  web:\n    image: ${IMAGE_WEB}\n    ports: ['${PORT}:80']\n"
        "    environment: {WHO: {{ WHO | yaml }}, HOME: '${HOME:-nowhere}', TZ: '${TZ:-none}'}\n"
        "    env_file: ./environments/prod/files/web.env\n"
        "    volumes: ['./environments/prod/files/conf.d:/conf.d', 'data:/data']\n"
        "    configs: [page]\n"
        "configs: {page: {file: ./parts/more.conf}}\nvolumes: {data: {}}\n"
    ),
}
RELEASE = """
import json, os, sys
from pathlib import Path
from stagekit.engine.compose import find_compose
from tests.releasing import plan_of
root = Path(sys.argv[1])
plan = plan_of(root, compose=find_compose({"PATH": sys.argv[2]}, {}))
print(json.dumps([plan.release.content_digest, {k: v.decode() for k, v in plan.files.items()}]))
"""


def released(root: Path, cwd: Path, umask: int, **environ: str) -> tuple[str, dict[str, str]]:
    """The content digest and the files of a release made by a process of its own."""
    old = os.umask(umask)
    try:
        write(root, PROJECT)
    finally:
        os.umask(old)
    done = subprocess.run(
        [sys.executable, "-c", RELEASE, str(root), os.environ["PATH"]],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1]), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    digest, files = json.loads(done.stdout)
    return digest, files


def test_the_same_inputs_have_the_same_content_digest_anywhere(tmp_path: Path) -> None:
    """Another folder, working directory, user, umask, locale, time zone and shell."""
    one = tmp_path / "a project"
    two = tmp_path / "elsewhere/much/deeper/another-name"
    (tmp_path / "home").mkdir()
    digest, files = released(
        one, tmp_path, 0o022, HOME="/root", USER="root", LANG="C.UTF-8", TZ="UTC", HOSTNAME="here"
    )
    other, same = released(
        two,
        tmp_path / "home",
        0o077,
        HOME=str(tmp_path / "home"),
        USER="ana",
        LANG="tr_TR.UTF-8",
        LC_ALL="C",
        TZ="Pacific/Auckland",
        HOSTNAME="there",
        COMPOSE_PROFILES="debug",
        COMPOSE_FILE="/nowhere",
        COMPOSE_PROJECT_NAME="other",
        WHO="the shell",
        PYTHONHASHSEED="7",
    )
    assert files["compose.yaml"].splitlines() == same["compose.yaml"].splitlines()
    assert files == same
    assert digest == other
    assert str(tmp_path) not in str(files)
    assert sum(name.startswith("files/") for name in files) == 3
    assert "nowhere nowhere nobody" in files["compose.yaml"]
