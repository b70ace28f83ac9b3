"""A port of this machine's loopback that one user alone may connect to.

Whatever listens on 127.0.0.1 is open to every user of the machine. A registry without passwords
that an engine asks for base images would take one from any of them, so the packet filter lets its
owner through and nobody else (iptables-extensions(8), owner).
"""

from __future__ import annotations

import os

from stagekit import process
from stagekit.cancel import Cancel
from stagekit.engine.programs import find_system_program

_LIMIT = 20.0
_WAIT = ("-w", "10")  # seconds for whoever changes the rules now


def close_to_others(address: str) -> bool:
    """Refuse connections to ``127.0.0.1:port`` by other users of this machine.

    Returns:
        Whether they are refused: this user may not say so, or the machine has no iptables.
    """
    return _does("-C", address) or _does("-I", address)


def open_to_all(address: str) -> None:
    """Take back what `close_to_others` did; nothing is no error."""
    while _does("-D", address):
        pass


def _does(change: str, address: str) -> bool:
    program = find_system_program("iptables")
    if program is None or os.geteuid() != 0:
        return False
    host, _, port = address.rpartition(":")
    rule = (
        *("OUTPUT", "-o", "lo", "-p", "tcp", "-d", host, "--dport", port),
        *("-m", "owner", "!", "--uid-owner", str(os.geteuid())),
        *("-j", "REJECT", "--reject-with", "tcp-reset"),
    )
    argv = (str(program), *_WAIT, change, *rule)
    return process.run(argv, env={}, limit=_LIMIT, cancel=Cancel()).ok
