"""Logs, commands in and beside what runs, restarts, and the history of it all."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from stagekit.testing.project import Outcome
from tests.conftest import Machine
from tests.engine.under_way import under_way, wait_until
from tests.repository import Repository

pytestmark = pytest.mark.engine

SECRET = "correct horse battery"  # noqa: S105  # it opens nothing
TEMPLATE = """\
services:
  web:
    image: ${IMAGE_APP}
    command: ["sh", "-c", "echo started; echo token $$TOKEN; exec httpd -f -p 8080 -h /www"]
    stop_signal: SIGKILL
    environment:
      GREETING: {{ GREETING | yaml }}
      TOKEN: ${SECRET_TOKEN}
  other:
    image: ${IMAGE_APP}
    command: ["sh", "-c", "echo another; exec sleep 1000"]
    stop_signal: SIGKILL
"""


@pytest.fixture
def shop(deployed: Repository) -> Repository:
    """Two services that run in dev, one of which prints a secret."""
    deployed.write("templates/compose.yaml.j2", TEMPLATE)
    deployed.write("environments/dev/config.toml", '[stagekit]\nsecret_provider = "env"\n')
    deployed.environ["STAGEKIT_SECRET_TOKEN"] = SECRET
    deployed.inv("up", "--env", "dev")
    return deployed


def ids(shop: Repository, machine: Machine) -> dict[str, str]:
    return {it.service: it.id for it in machine.engine.containers(f"{shop.name}-dev")}


def test_logs_without_secrets(shop: Repository) -> None:
    """All services or one, the last lines or all; what is secret is masked."""
    everything = shop.inv("run.logs", "--env", "dev").stdout
    assert "started" in everything
    assert "another" in everything
    assert "token ***" in everything
    assert SECRET not in everything
    one = shop.inv("run.logs", "--env", "dev", "--service", "other").stdout
    assert "another" in one
    assert "started" not in one
    last = shop.inv("run.logs", "-e", "dev", "-s", "web", "-n", "1").stdout
    assert "started" not in last
    wrong = shop.attempt("run.logs", "--env", "dev", "--service", "wep")
    assert (wrong.code, "has no service 'wep'" in wrong.stderr) == (2, True)


def test_logs_are_followed_until_somebody_stops_it(shop: Repository) -> None:
    """Ctrl-C ends it well; the program that printed them is gone too."""
    with under_way(shop, "run.logs", "--env", "dev", "-f", "--service", "web") as following:
        assert following.stdout
        assert "started" in following.stdout.readline()
        children = Path(f"/proc/{following.pid}/task/{following.pid}/children")
        child = int(children.read_text().split()[0])
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0
    wait_until(lambda: not Path(f"/proc/{child}").exists(), "Compose to end")


HARD = ["", "a b", "it's", '"', "$HOME", "$(id)", "--flag", "-", "*", "two\nlines", "ä€", "\\n"]


@pytest.mark.parametrize("task", ["run.exec", "run.once"])
def test_arguments_arrive_as_typed(shop: Repository, task: str) -> None:
    """Whatever a shell, Invoke or Compose would make of them."""
    command = ["sh", "-c", 'for it; do printf "<%s>" "$it"; done', "sh", *HARD]
    said = shop.inv(task, "web", "--env", "dev", "--", *command).stdout
    assert said == "".join(f"<{word}>" for word in HARD)


@pytest.mark.parametrize("task", ["run.exec", "run.once"])
def test_a_command_has_its_pipes_and_its_exit_code(shop: Repository, task: str) -> None:
    """What is piped in is its, and how it ends is how ``inv`` does."""
    cat = shop.inv(task, "web", "--env", "dev", "--", "cat", stdin="one\ntwo")
    assert cat.stdout == "one\ntwo"
    assert shop.attempt(task, "web", "--env", "dev", "--", "sh", "-c", "exit 42").code == 42
    where = shop.inv(task, "web", "--env", "dev", "--workdir", "/www", "--", "pwd")
    assert where.stdout == "/www\n"


def test_a_command_needs_words_and_a_service(shop: Repository) -> None:
    """It says how it is written."""
    none = shop.attempt("run.exec", "web", "--env", "dev")
    assert (none.code, "inv run.exec web --env dev -- COMMAND" in none.stderr) == (2, True)
    wrong = shop.attempt("run.once", "wep", "--env", "dev", "--", "true")
    assert (wrong.code, "has no service 'wep'" in wrong.stderr) == (2, True)


def test_a_command_beside_what_runs(shop: Repository, machine: Machine) -> None:
    """In a container of its own, with the release's variables and secrets, gone after it; what runs
    is not touched, though a newer release is there."""
    before = ids(shop, machine)
    shop.inv("release", "--env", "dev", "--set", "GREETING=newer")
    done = shop.inv("run.once", "web", "--env", "dev", "--", "sh", "-c", 'echo "$GREETING $TOKEN"')
    assert done.stdout == f"hello {SECRET}\n"
    assert "beside dev/v1, which runs" in done.stderr
    assert ids(shop, machine) == before
    with closing(machine.client()) as client:
        label = {"label": "com.docker.compose.oneoff=True"}
        assert client.containers.list(all=True, filters=label, ignore_removed=True) == []


def test_what_a_killed_command_left_is_removed_by_the_next(
    shop: Repository, machine: Machine
) -> None:
    """Only that: another one's that is under way is not."""

    def one_offs() -> list[str]:
        with closing(machine.client()) as client:
            label = {"label": f"com.docker.compose.project={shop.name}-dev"}
            found = client.containers.list(filters=label, ignore_removed=True)
            return [it.id for it in found if it.labels.get("stagekit.beside")]

    words = ("run.once", "web", "--env", "dev", "--", "sleep", "1000")
    with under_way(shop, *words) as killed, under_way(shop, *words):
        wait_until(lambda: len(one_offs()) == 2, "both to run")
        killed.kill()
        killed.wait()
        shop.inv("run.once", "web", "--env", "dev", "--", "true")
        assert len(one_offs()) == 1


def on_terminal(shop: Repository, *words: str) -> Outcome:
    """Run ``inv`` with a terminal for everything."""
    ours, its = pty.openpty()
    command = subprocess.Popen(
        [sys.executable, "-m", "invoke", *words],
        cwd=shop.root,
        env=shop.environ,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    finally:
        os.close(ours)
    return Outcome(command.wait(20), said.decode(), "")


def test_a_command_has_the_terminal(shop: Repository) -> None:
    """Where there is one."""
    tty = ("sh", "-c", "test -t 0 && test -t 1 && echo on a terminal")
    for task in ("run.exec", "run.once"):
        done = on_terminal(shop, task, "web", "--env", "dev", "--", *tty)
        assert (done.code, "on a terminal" in done.stdout) == (0, True), done.stdout
        assert shop.attempt(task, "web", "--env", "dev", "--", *tty).code == 1


def test_a_restart_is_a_run(shop: Repository, machine: Machine) -> None:
    """The same containers, started again, proven and recorded; of one service or all."""
    before = {it.service: it for it in machine.engine.containers(f"{shop.name}-dev")}
    restarted = shop.inv("run.restart", "--env", "dev", "--service", "web", "--json").json
    after = {it.service: it for it in machine.engine.containers(f"{shop.name}-dev")}
    assert after["web"].id == before["web"].id
    assert after["web"].started != before["web"].started
    assert after["other"].started == before["other"].started
    assert (restarted["reason"], restarted["outcome"], restarted["n"]) == ("restart", "running", 2)
    shop.inv("run.stop", "--env", "dev")
    nothing = shop.attempt("run.restart", "--env", "dev")
    assert (nothing.code, "nothing runs in dev" in nothing.stderr) == (2, True)


def test_what_does_not_come_up_again_is_a_failed_run(deployed: Repository) -> None:
    """It ran well until it was restarted."""
    deployed.write(
        "templates/compose.yaml.j2",
        "services:\n  web:\n    image: ${IMAGE_APP}\n    stop_signal: SIGKILL\n    command: "
        "['sh', '-c', 'test -e /tmp/once && exit 9; touch /tmp/once; exec sleep 1000']\n",
    )
    deployed.inv("up", "--env", "dev")
    failed = deployed.attempt("run.restart", "--env", "dev")
    assert (failed.code, "exited with 9" in failed.stderr) == (5, True)


def test_history_and_one_of_its_runs(shop: Repository) -> None:
    """Newest first; one that failed says why, with its containers' last words."""
    shop.inv("release", "--env", "dev", "--set", "GREETING=2")
    shop.write("templates/compose.yaml.j2", TEMPLATE.replace("exec sleep 1000", "echo bye; exit 3"))
    shop.inv("release", "--env", "dev")
    assert shop.attempt("run", "--env", "dev").code == 5
    lines = shop.inv("run.history", "--env", "dev").stdout.splitlines()
    assert lines[0].split() == ["RUN", "RELEASE", "REASON", "OUTCOME", "WHEN", "TOOK", "BY", "WHY"]
    assert lines[1].split()[:4] == ["2", "v3", "run", "failed"]
    assert "exited with 3" in lines[1]
    assert lines[2].split()[:4] == ["1", "v1", "run", "running"]
    assert [run["n"] for run in shop.inv("run.history", "--env", "dev", "--json").json] == [2, 1]
    assert len(shop.inv("run.history", "--env", "dev", "--last", "1").stdout.splitlines()) == 2
    shown = shop.inv("run.show", "dev/2").stdout
    assert "failed at settle" in shown
    assert "| bye" in shown
    assert "verify" in shown
    assert shop.attempt("run.show", "dev/9").code == 2
