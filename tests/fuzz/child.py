"""``python -m tests.fuzz.child COUNT NAME…``: reads what was changed by chance, within bounds that
the system holds. What breaks is printed as bytes, to be read again."""

from __future__ import annotations

import resource
import sys
import tempfile
import traceback
from pathlib import Path
from random import Random

from tests.fuzz.mutation import mutations
from tests.fuzz.targets import targets

SECONDS, MEMORY = 60, 2 * 2**30


def main() -> None:
    count, names = int(sys.argv[1]), sys.argv[2:]
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        known = targets(Path(folder))
        for name in names:
            target = known[name]
            chance = Random(name)  # noqa: S311  # no secret
            for data in (*target.seeds, *mutations(target.seeds, count, chance)):
                try:
                    target.check(data, Path(folder) / "work")
                except Exception:
                    traceback.print_exc()
                    sys.exit(f"{name}: {data!r}")
            sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
