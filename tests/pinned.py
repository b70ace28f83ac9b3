"""``python -m tests.pinned``: pins what CI installs, for every platform and Python at once, with
the digests of what may be installed under each name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements" / "ci.txt"
EXTRAS = ("dev", "demo")
OLDEST_PYTHON = "3.11"


def main() -> int:
    """Write the file; return an exit code."""
    done = subprocess.run(
        (
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"),
            *("--python-version", OLDEST_PYTHON),
            *(word for extra in EXTRAS for word in ("--extra", extra)),
            *("--upgrade", "--generate-hashes", "--custom-compile-command", "inv pin"),
            # Where packages come from is the machine's own business.
            *("--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--output-file", str(REQUIREMENTS), "pyproject.toml"),
        ),
        cwd=ROOT,
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
