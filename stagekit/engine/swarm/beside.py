"""Several services' logs side by side: ``docker service logs`` knows one at a time.

Run as a program of its own, it starts a command once for each name, and passes their lines on:

    python -m stagekit.engine.swarm.beside COMMAND … -- NAME …
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from threading import Thread
from typing import IO


def main(arguments: Sequence[str]) -> int:
    at = len(arguments) - 1 - list(reversed(arguments)).index("--")
    command, names = arguments[:at], arguments[at + 1 :]
    children = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for name in names
    ]
    passing = [Thread(target=_pass_on, args=(child.stdout,)) for child in children]
    for thread in passing:
        thread.start()
    for thread in passing:
        thread.join()
    return max((abs(child.wait()) for child in children), default=0)


def _pass_on(lines: IO[bytes]) -> None:
    for line in lines:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
