"""Files that a release mounts, on a real engine: where they come to lie, and who restarts."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Machine
from tests.repository import Repository

pytestmark = pytest.mark.engine

TEMPLATE = """\
services:
  page:
    image: busybox:1
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    volumes:
      - ./environments/base/files/page.html:/page.html
      - ./environments/base/files/conf.d:/conf.d
  tool:
    image: busybox:1
    command: ["/run.sh"]
    stop_signal: SIGKILL
    configs: [{source: logo, target: /logo.png}]
    volumes: ["./tools/run.sh:/run.sh"]
  plain:
    image: busybox:1
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    configs: [{source: text, target: /text, mode: 0400}]
  other:
    image: busybox:1
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
configs:
  logo: {file: ./environments/base/files/logo.png}
  text: {file: ./environments/base/files/text}
"""
LOGO = bytes(range(256))


@pytest.fixture
def mounted(deployed: Repository) -> Repository:
    """A repository with each kind of file, built."""
    deployed.write("templates/compose.yaml.j2", TEMPLATE)
    deployed.write("environments/base/files/page.html", "one\n")
    deployed.write("environments/base/files/conf.d/a.conf", "a\n")
    deployed.write("environments/base/files/conf.d/b/c.conf", "c $HOME\n")
    deployed.write("environments/base/files/text", "text $1\n")
    deployed.write("environments/base/files/logo.png", "").write_bytes(LOGO)
    deployed.write("tools/run.sh", "#!/bin/sh\nexec sleep 1000\n").chmod(0o700)
    deployed.inv("build")
    return deployed


def read(machine: Machine, repository: Repository, service: str, path: str) -> str:
    """What a file is in a running container."""
    return command(machine, repository, service, "cat", path)[1]


def command(machine: Machine, repository: Repository, service: str, *argv: str) -> tuple[int, str]:
    with closing(machine.client()) as client:
        container = client.containers.get(f"{repository.name}-dev-{service}-1")
        code, output = container.exec_run(list(argv))
        return code, output.decode("latin-1")


def started(machine: Machine, repository: Repository) -> dict[str, str]:
    found = machine.engine.containers(f"{repository.name}-dev")
    return {item.service: item.id + item.started for item in found}


def released_and_run(repository: Repository) -> None:
    repository.inv("release", "--env", "dev")
    repository.inv("run", "--env", "dev")


def test_files_arrive_as_they_were(mounted: Repository, machine: Machine) -> None:
    """Single files, folders, binary configs, and what may be run; nobody in there can change
    them."""
    released_and_run(mounted)

    assert read(machine, mounted, "page", "/page.html") == "one\n"
    assert read(machine, mounted, "page", "/conf.d/a.conf") == "a\n"
    assert read(machine, mounted, "page", "/conf.d/b/c.conf") == "c $HOME\n"
    assert read(machine, mounted, "tool", "/logo.png").encode("latin-1") == LOGO
    assert read(machine, mounted, "plain", "/text") == "text $1\n"
    assert command(machine, mounted, "plain", "stat", "-c", "%a", "/text")[1] == "400\n"
    code, said = command(machine, mounted, "page", "sh", "-c", "echo x > /page.html")
    assert code != 0
    assert "Read-only" in said


def test_only_those_restart_whose_file_changed(mounted: Repository, machine: Machine) -> None:
    """A file, one in a folder, a binary config, a text config, a mode: each concerns one service.
    Going back mounts what was there before."""
    released_and_run(mounted)
    path = mounted.root / "environments/base/files"
    changes = {
        "page": lambda: mounted.write("environments/base/files/page.html", "two\n"),
        "tool": lambda: (path / "logo.png").write_bytes(LOGO[::-1]),
        "plain": lambda: mounted.write("environments/base/files/text", "other\n"),
    }
    for service, change in changes.items():
        before = started(machine, mounted)
        change()
        released_and_run(mounted)
        after = started(machine, mounted)
        assert {name for name in before if before[name] != after[name]} == {service}
    assert read(machine, mounted, "page", "/page.html") == "two\n"
    before = started(machine, mounted)

    released_and_run(mounted)
    assert started(machine, mounted) == before

    mounted.inv("run.rollback", "--env", "dev", "--to", "v1")
    assert read(machine, mounted, "page", "/page.html") == "one\n"
    assert read(machine, mounted, "plain", "/text") == "text $1\n"


def test_what_lies_on_the_engines_host_is_checked(mounted: Repository, machine: Machine) -> None:
    """A file that was changed there is put right before it is mounted; one that is in order is
    not touched; no helper's container stays."""
    released_and_run(mounted)
    with closing(machine.client()) as client:
        folder = Path(client.info()["DockerRootDir"]) / "stagekit/files"
    sealed = mounted.root / "artifacts/releases/dev/v1/files"
    placed, other = (
        folder / next(sealed.glob(f"*/{name}")).relative_to(sealed)
        for name in ("page.html", "run.sh")
    )
    assert other.stat().st_mode & 0o777 == 0o755
    inode = other.stat().st_ino
    placed.write_text("changed by hand\n")

    run = mounted.inv("run", "--env", "dev", "--json").json

    assert "place" in [step["name"] for step in run["steps"]]
    assert placed.read_text() == "one\n"
    assert other.stat().st_ino == inode
    with closing(machine.client()) as client:
        assert client.containers.list(all=True, filters={"label": "stagekit.placing"}) == []


def test_a_released_file_that_was_changed_does_not_run(
    mounted: Repository, machine: Machine
) -> None:
    """What is mounted is what was sealed, or nothing is."""
    mounted.inv("release", "--env", "dev")
    [path] = (mounted.root / "artifacts/releases/dev/v1/files").glob("*/page.html")
    path.write_text("changed\n")

    outcome = mounted.attempt("run", "--env", "dev")

    assert outcome.code == 7
    assert "was changed after it was sealed" in outcome.stderr
    assert machine.engine.containers(f"{mounted.name}-dev") == ()
