"""``python -m stagekit``: the same as ``stagekit``."""

from stagekit.cli.program import main

if __name__ == "__main__":
    main()
