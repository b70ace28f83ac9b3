"""This repository's tasks: stagekit's own, `demo` and `bench` made as those are; the
others are plain.

Your tasks.py starts with these two lines:

    import stagekit
    ns = stagekit.collection()
"""

import shlex
import sys

from invoke import Context, Exit, task

import stagekit
from benchmarks.task import bench
from examples.demo import demo


@task(
    auto_shortflags=False,
    help={
        "install-engine": "consent to install docker.io, git and openssl where they are missing",
        "pytest": "arguments for pytest, for example --pytest='-k merge -x'",
    },
)
def test(c: Context, install_engine: bool = False, pytest: str = "") -> None:
    """Run the test suite against a real engine: one that answers, or a private one."""
    if install_engine:
        c.run(f"{sys.executable} -m tests.needs", in_stream=False)
    # Three at a time: engine tests wait a lot. Each worker has an engine of its own.
    c.run(f"{sys.executable} -m pytest -n 3 --dist loadfile {pytest}", in_stream=False)


@task(auto_shortflags=False, help={"check": "write nothing: fail where a page is not up to date"})
def docs(c: Context, check: bool = False) -> None:
    """Write the reference in docs/reference/ from the code, and build the site into site/."""
    from docs.generator import pages

    if check and (stale := pages.stale()):
        raise Exit(f"not what the code says: {', '.join(stale)}\n  next: inv docs", code=1)
    if not check:
        pages.write()
    quiet = {"NO_MKDOCS_2_WARNING": "1"}  # of what the site's theme plans to do, and when
    c.run(f"{sys.executable} -m mkdocs build --strict --quiet", in_stream=False, env=quiet)


@task(auto_shortflags=False)
def audit(c: Context) -> None:
    """Look for what is known to be dangerous in the code, and broken in what it depends on."""
    c.run(f"{sys.executable} -m tests.audit", in_stream=False)


@task(auto_shortflags=False)
def pin(c: Context) -> None:
    """Pin what CI installs in requirements/ci.txt, with digests: the newest that pyproject.toml
    allows."""
    c.run(f"{sys.executable} -m tests.pinned", in_stream=False)


@task(
    auto_shortflags=False,
    help={
        "seconds": "how long each is fuzzed (default 60)",
        "target": "one of tests/fuzz/targets.py; by default all, one after the other",
    },
)
def fuzz(c: Context, seconds: int = 60, target: str = "") -> None:
    """Have readers read what nobody wrote, guided by coverage; needs pip install -e '.[fuzz]'."""
    named = shlex.quote(target) if target else ""
    c.run(f"{sys.executable} -m tests.fuzz {seconds} {named}", in_stream=False)


ns = stagekit.collection(demo, test, docs, audit, pin, fuzz, bench)
