"""The stages as an author's own tasks and scripts call them, on a real engine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.repository import Repository

pytestmark = pytest.mark.engine

TASKS = """\
import sys

import stagekit
from stagekit import stages


@stagekit.task
def everywhere(c):
    \"\"\"Release one build to three environments.\"\"\"
    built = stages.build()
    for env in ("dev", "test", "prod"):
        greeting = {"GREETING": f"hi, {env}"}
        released = stages.release(env=env, build=built, set=greeting, message="all")
        print(released.name, released.build.id == built.id)


@stagekit.task
def there_and_back(c):
    \"\"\"Two releases, up and back, at another scale, and away.\"\"\"
    first = stages.release(env="dev")
    stages.run(env="dev", release=first)
    second = stages.release(env="dev", set={"GREETING": "again", "LEVEL": 3, "ON": True})
    done = [stages.run(env="dev"), stages.rollback(env="dev")]
    done += [stages.scale(env="dev", numbers={"web": 2})]
    seen = stages.status(env="dev")
    done += [stages.stop(env="dev")]
    print([(run.reason, run.release.id, run.outcome) for run in done])
    print(seen.well, seen.services[0].running, stages.status(env="prod"))
    print([item.id for item in stages.releases(env="dev")] == [second.id, first.id, "v1"])
    print(stages.runs(env="dev", last=2) == tuple(reversed(done[-2:])))
    print([item.id for item in stages.builds()] == [first.build.id])


@stagekit.task
def promoted(c):
    \"\"\"What ran in dev goes on.\"\"\"
    print(stages.promote(from_env="dev", to_env="prod", message="it held").promoted_from)


@stagekit.task
def wrong(c):
    \"\"\"Run in one environment what was released to another.\"\"\"
    stages.run(env="prod", release=stages.releases(env="dev")[0])


@stagekit.task
def threaded(c):
    \"\"\"Release somewhere else than on the main thread.\"\"\"
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        pool.submit(stages.build).result()


ns = stagekit.collection(everywhere, there_and_back, promoted, wrong, threaded)
"""

SCRIPT = """\
import json
from pathlib import Path
from stagekit import stages

print(json.dumps([release.name for release in stages.releases(env="dev", root=Path({root!r}))]))
"""


def test_stages_do_what_the_tasks_do(deployed: Repository) -> None:
    """One build for three environments; up, back, scaled and stopped; each returns its record, and
    stdout is the author's own."""
    deployed.write("tasks.py", TASKS)
    deployed.write("environments/test/config.toml", "")
    deployed.write(
        "environments/base/config.toml", "[stagekit]\nsettle = 0.5\n\n[vars]\nLEVEL = 1\n"
    )

    everywhere = deployed.inv("everywhere")
    assert everywhere.stdout == "dev/v1 True\ntest/v1 True\nprod/v1 True\n"
    assert "seal" in everywhere.stderr
    assert deployed.inv("release.show", "prod/v1", "--json").json["message"] == "all"

    there = deployed.inv("there-and-back").stdout.splitlines()
    assert there == [
        str(
            [
                ("run", "v3", "running"),
                ("rollback", "v2", "running"),
                ("scale", "v2", "running"),
                ("stop", "v2", "stopped"),
            ]
        ),
        "True 2 None",
        "True",
        "True",
        "True",
    ]
    assert deployed.inv("promoted").stdout == "dev/v2\n"

    script = SCRIPT.format(root=str(deployed.root))
    asked = subprocess.run(
        [sys.executable, "-c", script],
        env=deployed.environ,
        cwd="/",
        capture_output=True,
        check=True,
    )
    assert json.loads(asked.stdout) == ["dev/v3", "dev/v2", "dev/v1"]


def test_what_goes_wrong_is_an_error_of_ours(repository: Repository) -> None:
    """In an own task it is the lines and the exit code that a shipped one has."""
    repository.write("tasks.py", TASKS.replace('stages.releases(env="dev")[0]', '"dev/v1"'))
    wrong = repository.attempt("wrong")
    assert (wrong.code, "Traceback" in wrong.text) == (2, False)
    threaded = repository.attempt("threaded")
    assert threaded.code == 2
    assert "a stage is done on the main thread" in threaded.stderr
