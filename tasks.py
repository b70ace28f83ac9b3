"""This repository's tasks: stagekit's own, `demo` made as those are, and `test` in plain Invoke.

Your tasks.py starts with these two lines:

    import stagekit
    ns = stagekit.collection()
"""

import sys

from invoke import Context, task

import stagekit
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
    # Two at a time: engine tests mostly wait. Each worker has an engine of its own.
    c.run(f"{sys.executable} -m pytest -n 2 --dist loadfile {pytest}", in_stream=False)


ns = stagekit.collection(demo, test)
