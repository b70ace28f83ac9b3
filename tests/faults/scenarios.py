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
        other: what is typed instead every second time, where it stays the same project and the
            command would have nothing to do.
        in_place: it stays the same project, on the same engine; otherwise each time there is the
            same one as before.
        again: what brings it there anew where it stays the same project.
        after: what has to go well next, of the same kind; by default the same command.
        stdin: what the command reads.
        ledger: records are in a shared ledger.
        moves_in: what was done before is in files, and not in the shared ledger yet.
    """

    command: Words
    before: tuple[Words, ...] = ()
    other: Words = ()
    in_place: bool = False
    again: tuple[Words, ...] = ()
    after: Words = ()
    stdin: str = ""
    ledger: bool = False
    moves_in: bool = False

    @property
    def name(self) -> str:
        return self.command[0] + ("-shared" if self.ledger else "")


V1, V2 = (*RUN, "--release", "v1"), (*RUN, "--release", "v2")
_TWICE = (BUILD, SHIP, NEWER)
_CANCEL = ("release.cancel", "prod/v1", "--reason", "leaks")
_PRUNE = ("release.prune", "-e", "prod", "--keep", "1", "--builds", "1")
_KEYGEN = ("secrets.keygen", "-e", "dev", "--to")
_BACK = ("run.rollback", "-e", "prod", "--to")
_SCALE = ("run.scale", "-e", "prod", "--set")

SCENARIOS = (
    Scenario(BUILD),
    Scenario(SHIP, before=(BUILD,)),
    Scenario(SHIP, before=(BUILD,), ledger=True),
    Scenario(BUILD, ledger=True),
    Scenario(
        ("release.promote", "--from", "dev", "--release", "v1", "--to", "prod", "--force"),
        before=(BUILD, STAGING),
    ),
    Scenario(_CANCEL, before=_TWICE),
    Scenario(_CANCEL, before=_TWICE, ledger=True),
    Scenario(_PRUNE, (*_TWICE, NEWER)),
    Scenario(_PRUNE, (*_TWICE, NEWER), ledger=True),
    Scenario(("release.export", "prod/v1", "--out", "v1.tar"), (BUILD, SHIP)),
    Scenario(("ledger.export", "--to", "copy"), (BUILD, SHIP), ledger=True),
    Scenario(("ledger.import",), (*_TWICE, _CANCEL), ledger=True, moves_in=True),
    Scenario(SECRET, stdin="another value"),
    Scenario(("secrets.rotate", "-e", "prod"), before=(BUILD,)),
    Scenario((*_KEYGEN, "../home/key"), after=(*_KEYGEN, "../home/another")),
    Scenario(("init",)),
    Scenario(V2, before=(*_TWICE, V1), other=V1, in_place=True),
    Scenario(V2, before=(*_TWICE, V1), other=V1, in_place=True, ledger=True),
    Scenario((*_BACK, "v1"), before=(*_TWICE, V1, V2), other=(*_BACK, "v2"), in_place=True),
    Scenario(("run.stop", "-e", "prod"), before=(BUILD, SHIP), again=(V1,), in_place=True),
    Scenario((*_SCALE, "web=2"), before=(BUILD, SHIP, V1), other=(*_SCALE, "web=1"), in_place=True),
    Scenario(("run.restart", "-e", "prod"), before=(BUILD, SHIP, V1), in_place=True),
    Scenario(
        ("up", "-e", "prod"),
        before=(("up", "-e", "prod"),),
        again=(("run.stop", "-e", "prod"),),
        in_place=True,
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
    "run.compare": "tests/engine/test_comparison.py",
    "run.exec": "tests/engine/test_services.py",
    "run.once": "tests/engine/test_services.py",
    "run.unlock": "tests/engine/test_lease.py",
    "sbom": "tests/engine/test_supply.py",
    "secrets.edit": "tests/test_secret_tasks.py",
    "sign": "tests/engine/test_supply.py",
}
"""Tasks that are stopped in the middle, or cannot be, in tests of their own."""
