"""``python -m tests.fuzz.guided NAME [OPTION…]``: has one target read what Atheris makes, which
looks for bytes that reach lines no others reached. Options are libFuzzer's
(https://llvm.org/docs/LibFuzzer.html#options)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    with atheris.instrument_imports(include=["stagekit"]):
        from tests.fuzz.targets import targets
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as folder:
        target = targets(Path(folder))[name]
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)
        work = Path(folder) / "work"
        atheris.Setup([*sys.argv, str(corpus)], lambda data: target.check(data, work))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
