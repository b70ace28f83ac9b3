"""What travels is what BuildKit itself would send: for a corpus of .dockerignore files, and for
any."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagekit.engine.context import Ignoring, ignore_patterns
from stagekit.images import ImageSpec
from tests.conftest import Machine

pytestmark = pytest.mark.engine

_TREE = (
    *("a", "b.log", "keep.log", ".env", ".git/config", "node_modules/x/y.js", "src/app.py"),
    *("src/app.pyc", "src/deep/b.log", "src/deep/er/c.log", "docs/read me.md", "docs/api/x.md"),
    *("data/[x].txt", "data/x.txt", "tmp/a/b/c", "Foo/bar", "foo/bar", "x", "ä/ö.txt", "a b/c"),
)
_CORPUS = [
    "",
    "# only a comment\n\n",
    "*.log\n",
    "**/*.log\n",
    "*.log\n!keep.log\n",
    "**/*.log\n!src/**/b.log\n",
    "*\n!src\n",
    "*\n!src/app.py\n",
    "**\n!docs/api\n",
    "*\n!*/**\n",
    "src/*\n!src/deep\n",
    "src\n!src/deep/er\n",
    "node_modules\n.git\n.env\n",
    "**/node_modules/\n/tmp/\n",
    "/a\n./b.log\n",
    "docs/read me.md\n",
    "a b\n",
    "data/[x].txt\n",
    "data/[[]x].txt\n",
    "?\n",
    "s?c/**/c.log\n",
    "**/deep\n!**/deep/er/c.log\n",
    "foo\n!foo/bar\n",
    "  spaced.log  \n\t*.log\t\n",
    "../outside\n**/..\n",
    "src/../a\n",
    "tmp/**\n!tmp/a/b\n",
    "tmp/**/b\n",
    "ä\n",
    "!a\n",
    "*\n!a\na\n",
    "Dockerfile\n.dockerignore\n",
    "**/\n!x\n",
    "\ufeff*.log\n",
    ".\n",
    "/\n",
    "src/**/**/*.log\n",
    "*/*/*\n",
]
_PARTS = st.sampled_from(["*", "**", "a", "src", "deep", "*.log", "tmp", "b", "?", "foo", "d*"])
_PATTERNS = st.lists(_PARTS, min_size=1, max_size=3).map("/".join)
_LINES = st.tuples(st.sampled_from(["", "", "!"]), _PATTERNS).map("".join)


def sent(buildx: Path, machine: Machine, context: Path) -> set[str]:
    """Return the files that BuildKit copies out of a context."""
    with tempfile.TemporaryDirectory(prefix="sk-") as folder:
        there = Path(folder) / "there"
        argv = [
            *(buildx / "cli-plugins/docker-buildx", "build", "--quiet", "--file", "-"),
            *("--output", f"type=local,dest={there}", context),
        ]
        subprocess.run(
            argv,
            env={**machine.environ, "TMPDIR": folder},  # buildx leaves what it got on stdin
            input=b"FROM scratch\nCOPY . /\n",
            capture_output=True,
            check=True,
            timeout=60,
        )
        return files(there)


def travelling(context: Path) -> set[str]:
    """Return the files that stagekit takes for part of the context."""
    spec = ImageSpec(
        name="x",
        context=context,
        dockerfile=context / "elsewhere.Dockerfile",
        repositories=("x",),
        tags=(),
    )
    walk = Ignoring(ignore_patterns(spec)).walk(context)
    return {path for path, entry in walk if entry.is_file(follow_symlinks=False)}


def files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    for name in _TREE:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_a_corpus_is_read_as_buildkit_reads_it(
    buildx: Path, machine: Machine, context: Path
) -> None:
    """File by file, for each .dockerignore of it."""
    different = {}
    for text in _CORPUS:
        (context / ".dockerignore").write_text(text, "utf-8")
        ours, theirs = travelling(context), sent(buildx, machine, context)
        if ours != theirs:
            different[text] = (sorted(ours - theirs), sorted(theirs - ours))
    assert different == {}


def test_any_patterns_are_read_as_buildkit_reads_them(
    buildx: Path, machine: Machine, context: Path
) -> None:
    """Also those that nobody would write."""

    @settings(max_examples=30)
    @given(st.lists(_LINES, min_size=1, max_size=4))
    def check(lines: list[str]) -> None:
        (context / ".dockerignore").write_text("\n".join(lines), "utf-8")
        assert travelling(context) == sent(buildx, machine, context)

    check()
    shutil.rmtree(context)
