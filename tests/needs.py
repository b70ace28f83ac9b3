"""What the tests use besides Python, installed where it is missing: ``python -m tests.needs``.

Only with consent: `inv test --install-engine` calls it, as root on Debian or Ubuntu.
"""

from __future__ import annotations

from stagekit.cancel import Cancel
from stagekit.engine import debian
from stagekit.engine.programs import find_system_program

PACKAGES = {
    "dockerd": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "git": "git",
    "openssl": "openssl",
    "sshd": "openssh-server",
}


def install_missing() -> None:
    """Install the packages of the programs that are not there."""
    missing = [package for name, package in PACKAGES.items() if not find_system_program(name)]
    if missing:
        debian.install(missing, on_line=lambda _: None, cancel=Cancel())


if __name__ == "__main__":
    install_missing()
