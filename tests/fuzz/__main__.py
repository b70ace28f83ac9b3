"""``inv fuzz``: every target for a while, one after the other, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import targets

_MEGABYTES, _SECONDS = 2048, 30
_OWN_ALARM = "template"
"""Sets an alarm itself, which would take libFuzzer's away."""


def main(seconds: int, *names: str) -> int:
    """Return how many targets broke; what broke each is kept in the working folder."""
    with tempfile.TemporaryDirectory() as folder:
        known = list(targets(Path(folder)))
    broken = [name for name in names or known if _fuzz(name, seconds)]
    sys.stdout.write(f"broken: {', '.join(broken) or 'none'}\n")
    return len(broken)


def _fuzz(name: str, seconds: int) -> bool:
    limit = 0 if name == _OWN_ALARM else _SECONDS
    options = (
        *(f"-max_total_time={seconds}", f"-rss_limit_mb={_MEGABYTES}", f"-timeout={limit}"),
        *("-print_final_stats=1", "-max_len=20000", "-verbosity=0"),
        f"-artifact_prefix=fuzz-{name.replace(' ', '-')}-",
    )
    argv = [sys.executable, "-m", "tests.fuzz.guided", name, *options]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    text = done.stderr.decode("utf-8", "replace")
    counts = [line.split()[-1] for line in text.splitlines() if "number_of_executed_units" in line]
    sys.stdout.write(f"{name}: {counts[-1] if counts else 'no'} inputs\n")
    sys.stdout.flush()
    if done.returncode:
        told = [line for line in text.splitlines() if not line.startswith(("INFO:", "WARNING:"))]
        sys.stdout.write("\n".join([*told, ""]))
    return bool(done.returncode)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
