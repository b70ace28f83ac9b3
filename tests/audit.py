"""``python -m tests.audit``: what is known to be dangerous in this code, and broken in what it
depends on.

What is asked of a service on the network can stay without an answer: that is said, and is no
failure of this repository's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.pinned import REQUIREMENTS

CODE = ("stagekit", "tasks.py", "examples", "benchmarks", "docs/generator")
_LIMIT = 300.0


def main() -> int:
    """Say what was found; return an exit code."""
    bandit = _python("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", *CODE)
    sys.stdout.write(bandit.stdout)
    said, known = dependencies(_pip_audit())
    sys.stdout.write(f"{said}\n")
    return bandit.returncode or int(known)


def dependencies(answer: str) -> tuple[str, bool]:
    """Return what is known of the pinned packages, in words, and whether any of it is bad.

    Args:
        answer: pip-audit's, as JSON; anything else where it had none.
    """
    try:
        listed: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except ValueError:
        return f"dependencies: NOT AUDITED, the service does not answer: {answer[-200:]}", False
    bad = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {flaw['fix_versions']}"
        for one in listed
        for flaw in one.get("vulns", ())
    ]
    asked = sum("vulns" in one for one in listed)
    if not asked:
        return f"dependencies: NOT AUDITED, the service knows none of {len(listed)}", False
    found = "\n".join(bad) or "nothing is known against them"
    return f"dependencies: {asked} of {len(listed)} audited\n{found}", bool(bad)


def _pip_audit() -> str:
    options = ("--disable-pip", "--require-hashes", "--vulnerability-service", "pypi")
    quiet = ("--format", "json", "--progress-spinner", "off")
    done = _python("pip_audit", *options, *quiet, "--requirement", str(REQUIREMENTS))
    return done.stdout or done.stderr.strip()


def _python(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = (sys.executable, "-m", module, *arguments)
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 1, "", f"{module} took over {_LIMIT:g} s")


if __name__ == "__main__":
    sys.exit(main())
