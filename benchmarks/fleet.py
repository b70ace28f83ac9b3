"""How long a run of a fleet of twenty hosts takes, against one of a single host.

    python -m benchmarks.fleet [HOSTS [PAIRS [tcp|ssh]]]

Needs root, and what `inv engine.start` starts. Every host is a dockerd of its own, in a network
namespace of its own, and with ``ssh`` an sshd of its own, behind a proxy that lets each byte wait
as a network between two cities does.
All of them share this machine's processors, which twenty real hosts do not: what a host does itself
(starting a container) is made small, and the settle time is that of a real service. A run of all
and one of the one are a pair, one after the other; told is the median of the pairs' ratios.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command import Command
from benchmarks.figures import ratios, spread
from examples.standins import StandIn, ensure_base_images
from stagekit.cancel import Cancel
from stagekit.engine import registry
from stagekit.engine.discovery import find_engine
from stagekit.engine.home import home_of
from stagekit.events import ignore
from tests.hosts import EngineHost, engine_hosts

_INV = (sys.executable, "-m", "invoke")
_GOAL = 3.0
_HOSTS = 20
_PAIRS = 5
_USUAL = (str(_HOSTS), str(_PAIRS), "tcp")
_DELAY = 0.02
"""Seconds that a byte takes in each direction."""

_SETTLE = 2
_AT_ONCE = 65536
_FILES = {
    "tasks.py": "import stagekit\n\nns = stagekit.collection()\n",
    "app/Dockerfile": 'FROM busybox:1\nSTOPSIGNAL SIGKILL\nCMD ["sleep", "100000"]\n',
    "templates/compose.yaml": (
        "services:\n  web:\n    image: ${IMAGE_APP}\n    network_mode: none\n"
        "    environment: {GREETING: '${GREETING}'}\n"
    ),
    "environments/base/config.toml": '[vars]\nGREETING = "hello"\n',
}


class Far:
    """Proxies in front of engines' sockets and of sshd, on ports of the loopback."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def port_of(self, near: Path | int) -> int:
        """Put one in front of a socket or of a port."""
        return asyncio.run_coroutine_threadsafe(self._serve(near), self._loop).result()

    async def _serve(self, near: Path | int) -> int:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await (
                asyncio.open_connection("127.0.0.1", near)
                if isinstance(near, int)
                else asyncio.open_unix_connection(str(near))
            )
            await asyncio.gather(_slowly(reader, back), _slowly(there, writer))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])


async def _slowly(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass bytes on, each piece after the delay; pieces under way do not wait for each other."""
    loop = asyncio.get_running_loop()
    while data := await source.read(_AT_ONCE):
        loop.call_later(_DELAY, sink.write, data)
    loop.call_later(_DELAY, sink.close)


class Bench:
    """A project with two releases, to one host (``one``) and to all (``all``)."""

    def __init__(
        self, folder: Path, hosts: Sequence[EngineHost], address: str, *, over_ssh: bool
    ) -> None:
        self.folder = folder
        self.name = f"bench{secrets.token_hex(3)}"
        self.environ = {
            "STAGEKIT_REGISTRY": address,
            "STAGEKIT_SSH": f"ssh -F {folder}/ssh_config",
        }
        settings = f'[tool.stagekit]\nname = "{self.name}"\n[tool.stagekit.images.app]\n'
        far = Far()
        urls = (
            [host.url for host in hosts]
            if over_ssh
            else [f"tcp://127.0.0.1:{far.port_of(host.socket)}" for host in hosts]
        )
        files = {
            **_FILES,
            "ssh_config": "".join(_behind(far, host) for host in hosts if over_ssh),
            "pyproject.toml": f'{settings}context = "app"\n',
            "environments/one/config.toml": _settings(urls[:1]),
            "environments/all/config.toml": _settings(urls[1:]),
        }
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        self.inv("build")
        for env in ("one", "all"):
            for greeting in ("hello", "again"):
                self.inv("release", "--env", env, "--set", f"GREETING={greeting}")
                self.inv("run", "--env", env)

    def inv(self, *words: str) -> None:
        environ = {**os.environ, **self.environ}
        subprocess.run([*_INV, *words], cwd=self.folder, env=environ, check=True)

    def run(self, env: str, *, changed: bool) -> Command:
        """Run the newest release; with ``changed``, where the one before it runs."""

        def before() -> None:
            self.inv("run", "--env", env, "--release", "v1" if changed else "v2")

        whole = {**os.environ, **self.environ}
        return Command([[*_INV, "run", "--env", env]], self.folder, whole, Cancel(), before)


def _behind(far: Far, host: EngineHost) -> str:
    """Return how ssh reaches a host from far away."""
    near = re.search(r"^  Port (\d+)$", host.ssh_config, re.MULTILINE)
    assert near
    port = f"  Port {far.port_of(int(near[1]))}"
    return host.ssh_config.replace(near[0], port)


def _settings(urls: Sequence[str]) -> str:
    listed = ", ".join(f'"{url}"' for url in urls)
    return f'[stagekit]\nhosts = [{listed}]\nbatch = "100%"\nsettle = {_SETTLE}\n'


def main() -> None:
    *numbers, how = (*sys.argv[1:], *_USUAL[len(sys.argv) - 1 :])
    count, pairs = map(int, numbers)
    private = registry.running(home_of(os.environ))
    if private is None:
        sys.exit("inv engine.start starts the registry that this pushes to")
    names = tuple(f"h{n}" for n in range(count + 1))
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        engine_hosts(names, int(private.address.rpartition(":")[2])) as hosts,
    ):
        ensure_base_images(
            {"busybox:1": StandIn(packages=(), changes=('CMD ["sh"]',))},
            engine=find_engine(os.environ),
            registry=private.address,
            state=Path(folder) / "apt",
            emit=ignore,
            cancel=Cancel(),
        )
        all_hosts = list(hosts.values())
        bench = Bench(Path(folder), all_hosts, private.address, over_ssh=how == "ssh")
        for what, changed in (("run of another release", True), ("run, unchanged", False)):
            all, one = (bench.run(env, changed=changed) for env in ("all", "one"))
            all.seconds(), one.seconds()
            sys.stdout.write(f"{what}, {count} hosts over {how}: {told(all, one, pairs)}\n")
            sys.stdout.flush()
        for env in ("one", "all"):
            bench.inv("run.stop", "--env", env)


def told(all: Command, one: Command, pairs: int) -> str:
    """Measure pairs, and say what came of it."""
    load = os.getloadavg()[0]
    measured = [(all.seconds(), one.seconds()) for _ in range(pairs)]
    ours, theirs = ([pair[at] for pair in measured] for at in (0, 1))
    ratio = spread(ratios(ours, theirs))
    return (
        f"{spread(ours).median:.1f} s, one {spread(theirs).median:.1f} s: "
        f"{ratio.median:.2f} x ({ratio.low:.2f} - {ratio.high:.2f}, {pairs} pairs, "
        f"load {load:.1f} to {os.getloadavg()[0]:.1f}; goal {_GOAL:g})"
    )


if __name__ == "__main__":
    main()
