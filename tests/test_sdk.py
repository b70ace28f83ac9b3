"""Docker's SDK is imported by whichever thread needs it first, and whole for all others."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import stagekit
from stagekit.engine.client import Client
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import EngineError

AT_ONCE = """
import sys
from threading import Barrier, Thread
from stagekit.engine.client import Client
from stagekit.engine.context import archive
from stagekit.engine.endpoint import Endpoint
from stagekit.engine.sdk import sdk
from stagekit.errors import EngineError

wrong, together = [], Barrier(4)
entries = [
    lambda: sdk().errors.NotFound,
    lambda: sdk().utils.build.create_archive,
    lambda: sdk().utils.fnmatch.fnmatchcase,
    lambda: Client(Endpoint("tcp://127.0.0.1:1", "test")).docker,
]

def enter(entry):
    together.wait()
    try:
        entry()
    except EngineError:  # nobody listens there
        pass
    except Exception as error:
        wrong.append(error)

threads = [Thread(target=enter, args=[entry]) for entry in entries]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(wrong)
"""


def test_several_threads_may_be_the_first() -> None:
    """Its modules import one another in a circle, of which two threads would each get half."""
    argv = [sys.executable, "-c", AT_ONCE]
    assert subprocess.check_output(argv, text=True) == "[]\n"


def test_there_is_one_way_to_it() -> None:
    """Another one would be the other half. What these need of it is taken after it."""
    root = Path(stagekit.__file__).parent
    importing = re.compile(r"^\s*(?:import|from) docker\b", re.MULTILINE)
    typing = re.compile(r"if TYPE_CHECKING:\n(?:    .*\n|\n)+")
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if importing.search(typing.sub("", path.read_text("utf-8")))
    }
    assert found == {"engine/sdk.py", "engine/over_ssh.py", "engine/pooled.py", "engine/tls.py"}


def test_a_host_that_does_not_answer_by_ssh(capfd: pytest.CaptureFixture[str]) -> None:
    """It is named by its address, and ssh says the rest."""
    nowhere = Endpoint("ssh://somebody@127.0.0.1:1", "a test", named=True)
    with pytest.raises(EngineError, match=r"somebody@127\.0\.0\.1:1: the engine does not answer"):
        Client(nowhere).ping()
    assert "port 1: Connection refused" in capfd.readouterr().err
