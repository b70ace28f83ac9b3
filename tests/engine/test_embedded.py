"""`inv engine.start|status|stop` on a machine that has nothing."""

from __future__ import annotations

import os
import shutil
import stat
import tomllib
from contextlib import closing
from pathlib import Path

import docker
import pytest

from stagekit.engine.embedded import Settings
from tests.conftest import Machine
from tests.engine.bare import Bare
from tests.repository import Repository

pytestmark = pytest.mark.engine

AS_NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    # Somebody who may read this checkout and its Python, wherever they lie, and nothing else.
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
)


def home(alone: Repository) -> Path:
    return Path(alone.environ["STAGEKIT_HOME"])


def settings(alone: Repository) -> Settings:
    return Settings.of(home(alone))


def client(alone: Repository) -> docker.DockerClient:
    """A client of the engine's socket; the socket is a file, which no namespace hides."""
    return docker.DockerClient(base_url=f"unix://{home(alone) / 'docker.sock'}")


def load_busybox(alone: Repository, machine: Machine) -> None:
    with closing(machine.client()) as source, closing(client(alone)) as target:
        saved = source.images.get("busybox:1").save(named="busybox:1")
        target.images.load(b"".join(saved))


def dockerd_pid(alone: Repository) -> int:
    return int(tomllib.loads((home(alone) / "engine.toml").read_text())["dockerd"]["pid"])


def test_start_status_stop(alone: Repository, bare: Bare, machine: Machine) -> None:
    """Start makes an engine that runs containers, status tells of it, stop leaves nothing."""
    before = alone.inv("engine.status", "--json").json
    assert (before["engine"], before["registry"]) == (None, None)

    started = alone.inv("engine.start", "--json").json
    status = alone.inv("engine.status", "--json").json

    assert started == status
    assert status["engine"]["origin"] == "the embedded engine"
    assert status["engine"]["url"] == f"unix://{home(alone)}/docker.sock"
    assert {"dockerd", "docker-registry"} <= set(bare.processes())
    assert bare.interfaces() == {"lo", settings(alone).bridge}
    load_busybox(alone, machine)
    with closing(client(alone)) as engine:
        said = engine.containers.run("busybox:1", ["sh", "-c", "ip route; echo well"])
        assert said.decode().endswith("well\n")
        assert f"{settings(alone).network}.0.1" in said.decode()
        engine.containers.run("busybox:1", ["sleep", "1000"], detach=True, stop_signal="SIGKILL")
    assert "sleep" in bare.processes()

    stopped = alone.inv("engine.stop")

    assert stopped.stdout == "stopped the engine\nstopped the registry\n"
    assert bare.processes() == []
    assert bare.interfaces() == {"lo"}
    assert not (home(alone) / "docker.sock").exists()
    assert alone.inv("engine.status", "--json").json == before


def test_stop_without_a_start_is_no_error(alone: Repository) -> None:
    """It says that nothing ran, and makes no folder."""
    assert alone.inv("engine.stop").stdout == "nothing of stagekit's own was running\n"
    assert not home(alone).exists()


def test_a_second_start_starts_nothing(alone: Repository, bare: Bare) -> None:
    """The same processes run, and the answer is the same."""
    first = alone.inv("engine.start", "--json")
    pid, processes = dockerd_pid(alone), sorted(bare.processes())

    second = alone.inv("engine.start", "--json")

    assert second.json == first.json
    assert second.stderr == ""
    assert (dockerd_pid(alone), sorted(bare.processes())) == (pid, processes)


def test_data_stays_over_stop_and_start(alone: Repository, machine: Machine) -> None:
    """Images, volumes and the registry with its address are there again after a restart."""
    registry = alone.inv("engine.start", "--json").json["registry"]
    load_busybox(alone, machine)
    alone.environ["STAGEKIT_REGISTRY"] = registry
    built = alone.inv("build", "--json").json["images"]["app"]
    with closing(client(alone)) as engine:
        engine.volumes.create("kept")

    alone.inv("engine.stop")
    assert alone.inv("engine.start", "--json").json["registry"] == registry

    with closing(client(alone)) as engine:
        assert [volume.name for volume in engine.volumes.list()] == ["kept"]
        assert engine.images.get(built["image_id"]).tags
        latest = engine.images.get_registry_data(f"{built['repository']}:latest")
        assert latest.id == built["digest"]


def test_a_killed_dockerd_is_noticed(alone: Repository, bare: Bare, machine: Machine) -> None:
    """After kill -9 status says that none answers; the next start works on the same data."""
    alone.inv("engine.start")
    load_busybox(alone, machine)
    first = dockerd_pid(alone)
    with closing(client(alone)) as engine:
        engine.containers.run("busybox:1", ["sleep", "1000"], detach=True, stop_signal="SIGKILL")

    bare.do("sh", "-c", f"kill -KILL {first}")

    assert alone.inv("engine.status", "--json").json["engine"] is None
    alone.inv("engine.start")
    assert dockerd_pid(alone) != first
    with closing(client(alone)) as engine:
        assert engine.containers.run("busybox:1", ["echo", "well"]) == b"well\n"
    alone.inv("engine.stop")
    assert bare.processes() == []
    assert bare.interfaces() == {"lo"}


def test_a_pid_from_before_a_reboot(alone: Repository) -> None:
    """A pid file that names a process of today does not keep the engine from starting."""
    pid_file = home(alone) / "exec/containerd/containerd.pid"
    pid_file.parent.mkdir(parents=True)
    pid_file.write_text("1")

    assert alone.inv("engine.start", "--json").json["engine"]


def test_only_its_owner_reaches_the_engine(alone: Repository, bare: Bare) -> None:
    """The socket's folder is closed to others: who reaches it is root on this machine."""
    folder = home(alone)
    folder.mkdir(mode=0o777)
    folder.parent.chmod(0o755)

    alone.inv("engine.start")

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "engine.toml").stat().st_mode) == 0o600
    plain = [*AS_NOBODY[:4], "--bounding-set=-all"]
    seen = f"if [ -e {folder}/docker.sock ]; then echo yes; else echo no; fi"
    assert bare.do(*plain, "sh", "-c", seen) == "no\n"


def test_only_its_owner_reaches_the_registry(alone: Repository, bare: Bare) -> None:
    """The engine takes base images from there: whoever could push one would be in every build."""
    address = alone.inv("engine.start", "--json").json["registry"]
    reach = [
        "bash",
        "-c",
        f"exec 2>&-; </dev/tcp/{address.replace(':', '/')} && echo yes || echo no",
    ]
    nobody = [*AS_NOBODY[:4], "--bounding-set=-all"]

    assert bare.do(*reach) == "yes\n"
    assert bare.do(*nobody, *reach) == "no\n"

    alone.inv("engine.stop")
    assert "uid-owner" not in bare.do("iptables", "-S", "OUTPUT")


def test_a_registry_that_cannot_be_closed_to_others_is_told(alone: Repository, bare: Bare) -> None:
    """Where the packet filter does not know users, somebody has to know that."""
    real = bare.do("sh", "-c", "command -v iptables").strip()
    filter = Path(alone.environ["STAGEKIT_HOME"]).parent / "iptables"
    refusing = 'case "$*" in *uid-owner*) exit 1;; esac'
    filter.write_text(f'#!/bin/sh\n{refusing}\nexec {real} "$@"\n')
    filter.chmod(0o755)
    alone.environ["PATH"] = f"{filter.parent}:{alone.environ['PATH']}"

    started = alone.inv("engine.start")

    assert "warning: any user of this machine can push to the registry at" in started.stderr


def test_a_home_of_another_user_is_not_used(alone: Repository) -> None:
    """Whoever owns the folder could open it, and be root by the socket in it."""
    folder = home(alone)
    folder.mkdir()
    os.chown(folder, 65534, 65534)

    refused = alone.attempt("engine.start")

    assert refused.code == 6
    assert "the folder is user 65534's, who could let anybody reach what is in it" in refused.stderr
    assert not (folder / "docker.sock").exists()


def test_a_home_too_long_for_a_socket(alone: Repository) -> None:
    """Said before anything is started, with the setting to change."""
    alone.environ["STAGEKIT_HOME"] = str(home(alone).parent / ("x" * 120))

    refused = alone.attempt("engine.start")

    assert refused.code == 2
    assert "error: " in refused.stderr
    assert "too long for a socket's path (108 bytes)\n  next: set STAGEKIT_HOME" in refused.stderr
    assert not home(alone).exists()


def test_not_root(alone: Repository) -> None:
    """An engine of its own needs root: one line, what to type, and nothing is made."""
    alone.through += AS_NOBODY

    refused = alone.attempt("engine.start")

    assert refused.code == 6, refused.text
    assert refused.stderr == (
        "error: a private dockerd needs root\n"
        "  next: run the command with sudo, or use an engine you may: set DOCKER_HOST\n"
    )
    assert not home(alone).exists()


def test_without_dockerd(alone: Repository, bare: Bare) -> None:
    """Without consent nothing is installed: the error says what to type instead."""
    without_dockerd(bare)

    refused = alone.attempt("engine.start")

    assert refused.code == 6
    assert refused.stderr == (
        "error: no Docker engine answers, and dockerd is not installed\n"
        "  next: add --install-engine, or type: "
        "apt-get install --no-install-recommends docker.io iptables iproute2\n"
    )
    assert not home(alone).exists()


def test_consent_without_root(alone: Repository, bare: Bare) -> None:
    """Packages cannot be installed by just anybody: the error has the command, with sudo."""
    without_dockerd(bare)
    alone.through += AS_NOBODY

    refused = alone.attempt("engine.start", "--install-engine")

    assert refused.code == 6, refused.text
    assert refused.stderr == (
        "failed  install docker.io iptables iproute2  (0.0 s)\n"
        "error: installing packages needs root\n"
        "  next: sudo apt-get install --no-install-recommends docker.io iptables iproute2\n"
    )


def test_a_dockerd_that_ends_at_once(alone: Repository, bare: Bare) -> None:
    """The error has its last words; nothing half is left; once the reason is gone, it starts."""
    data = home(alone) / "data"
    data.mkdir(parents=True)
    bare.do("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(data))

    failed = alone.attempt("engine.start")

    assert failed.code == 6
    assert "dockerd ended instead of starting" in failed.stderr
    assert "read-only file system" in failed.stderr
    assert "dockerd" not in bare.processes()
    assert bare.interfaces() == {"lo"}
    assert alone.inv("engine.status", "--json").json["engine"] is None
    bare.do("umount", str(data))
    alone.inv("engine.start")


def without_dockerd(bare: Bare) -> None:
    """Take dockerd off the bare machine, wherever it is."""
    for folder in {*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"}:
        if found := shutil.which("dockerd", path=folder):
            bare.hide(found)


def test_stop_after_a_killed_dockerd(alone: Repository, bare: Bare, machine: Machine) -> None:
    """What ran on it ends too: neither its containers nor what held them stay."""
    alone.inv("engine.start")
    load_busybox(alone, machine)
    with closing(client(alone)) as engine:
        engine.containers.run("busybox:1", ["sleep", "1000"], detach=True, stop_signal="SIGKILL")
    bare.do("sh", "-c", f"kill -KILL {dockerd_pid(alone)}")
    assert "sleep" in bare.processes()

    alone.inv("engine.stop")

    assert bare.processes() == []
    assert bare.interfaces() == {"lo"}
