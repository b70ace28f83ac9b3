"""What is done to a project while something goes wrong, and what has to work after it."""

from __future__ import annotations

from dataclasses import dataclass

Words = tuple[str, ...]

BUILD, SHIP, RUN = ("build",), ("release", "-e", "prod"), ("run", "-e", "prod")
NEWER = (*SHIP, "--set", "GREETING=newer")
SECRET = ("secrets.set", "API_KEY", "-e", "prod")
STAGING = ("release", "-e", "dev")


@dataclass(frozen=True)
class Scenario:
    """A command that things happen to.

    Attributes:
        command: what is typed.
        before: what was done in the project before that, once.
        again: what brings it there anew where it stays the same project, on the same engine. Empty
            where each point gets a copy of the project.
        after: what has to go well next; by default the same command.
        stdin: what the command reads.
        ledger: records are in a shared ledger.
    """

    command: Words
    before: tuple[Words, ...] = ()
    again: tuple[Words, ...] = ()
    after: Words = ()
    stdin: str = ""
    ledger: bool = False

    @property
    def next(self) -> Words:
        return self.after or self.command

    @property
    def name(self) -> str:
        return self.command[0] + ("-shared" if self.ledger else "")


_TWICE = (BUILD, SHIP, NEWER)
_LISTED = ("release.list", "-e", "prod")

SCENARIOS = (
    Scenario(BUILD),
    Scenario(SHIP, before=(BUILD,)),
    Scenario(SHIP, before=(BUILD,), ledger=True),
    Scenario(BUILD, ledger=True),
    Scenario(
        ("release.promote", "--from", "dev", "--release", "v1", "--to", "prod", "--force"),
        before=(BUILD, STAGING),
    ),
    Scenario(("release.cancel", "prod/v1", "--reason", "leaks"), before=_TWICE),
    Scenario(("release.prune", "-e", "prod", "--keep", "1", "--builds", "0"), (*_TWICE, NEWER)),
    Scenario(("release.export", "prod/v1", "--out", "v1.tar"), (BUILD, SHIP), after=_LISTED),
    Scenario(("ledger.export", "--to", "copy"), (BUILD, SHIP), after=_LISTED, ledger=True),
    Scenario(SECRET, stdin="another value"),
    Scenario(("secrets.rotate", "-e", "prod"), after=SHIP, before=(BUILD,)),
    Scenario(
        ("secrets.keygen", "-e", "dev", "--to", "../home/key"), after=("secrets.list", "-e", "dev")
    ),
    Scenario(("init",), after=("init",)),
    Scenario((*RUN, "--release", "v2"), before=_TWICE, again=((*RUN, "--release", "v1"),)),
    Scenario(
        ("run.rollback", "-e", "prod", "--to", "v1"),
        before=_TWICE,
        again=((*RUN, "--release", "v1"), (*RUN, "--release", "v2")),
    ),
    Scenario(("run.stop", "-e", "prod"), before=_TWICE, again=((*RUN, "--release", "v1"),)),
    Scenario(
        ("run.scale", "-e", "prod", "--set", "web=2"),
        before=_TWICE,
        again=((*RUN, "--release", "v1"),),
    ),
    Scenario(("run.restart", "-e", "prod"), before=_TWICE, again=((*RUN, "--release", "v1"),)),
    Scenario(
        ("up", "-e", "prod"), again=(("run.stop", "-e", "prod"),), before=(("up", "-e", "prod"),)
    ),
)

AUDITS: tuple[Words, ...] = (("release.verify", "--all"), ("ledger.verify",))
"""What has to find nothing wrong afterwards; the latter where the ledger is a shared one."""

ONLY_LOOKS = frozenset(
    {
        *("build.list", "build.log", "build.show", "build.why", "completion", "doctor"),
        *("engine.status", "ledger.status", "ledger.verify", "plugins", "release.diff"),
        *("release.explain", "release.list", "release.notes", "release.show", "release.verify"),
        *("run.comparisons", "run.history", "run.logs", "run.show", "run.status"),
        *("secrets.list", "why"),
    }
)
"""Tasks that write nothing but caches."""

ELSEWHERE = {
    "engine.start": "tests/engine/test_embedded.py",
    "engine.stop": "tests/engine/test_embedded.py",
    "ledger.import": "tests/test_ledger_tasks.py",
    "run.compare": "tests/engine/test_comparison.py",
    "run.exec": "tests/engine/test_services.py",
    "run.once": "tests/engine/test_services.py",
    "run.unlock": "tests/engine/test_lease.py",
    "sbom": "tests/engine/test_supply.py",
    "secrets.edit": "tests/test_secret_tasks.py",
    "sign": "tests/engine/test_supply.py",
}
"""Tasks that are stopped in the middle, or cannot be, in tests of their own."""
