"""What a run of a fleet left whose process was killed: it counts for whatever comes next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from stagekit.errors import RunFailed
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run.fleet.restarting import restart
from stagekit.testing.fakes import FakeRunner
from tests.fleets import BAD, NAMES, UP, Hosts, outcomes, sealed


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    ledger = FileLedger(tmp_path)
    sealed(ledger)
    return Hosts(ledger)


def killed(hosts: Hosts, name: str) -> int:
    """Let a run's process be killed while something comes up on a host; return its number."""
    folder = hosts.ledger.root / "runs/prod"
    n = max(hosts.ledger.runs("prod"), default=0) + 1

    class Killed(FakeRunner):
        def up(self, *given: Any, **more: Any) -> Any:
            shutil.copy(folder / f"{n}.journal", folder / "kept")
            return super().up(*given, **more)

    hosts.runners[name] = Killed([UP], before=())
    hosts.run()
    (folder / f"{n}.toml").unlink()
    (folder / "kept").rename(folder / f"{n}.journal")
    for later in NAMES[NAMES.index(name) :]:
        hosts.engines[later].kept = None
    return n


def test_what_a_killed_first_run_left_is_no_strangers(hosts: Hosts) -> None:
    """The next run, which is not told to resume it, takes it down where it fails there."""
    killed(hosts, "a")
    hosts.engines["a"].running = (UP,)
    hosts.runners["a"] = FakeRunner([BAD], before=())
    with pytest.raises(RunFailed) as raised:
        hosts.run()
    assert "does not know what ran there" not in str(raised.value)
    assert hosts.runners["a"].calls[-1] == "down"


def test_a_restart_of_some_hosts_does_not_pass_over_a_killed_run(hosts: Hosts) -> None:
    """It would record that the others run what they ran before that."""
    last = hosts.run()
    sealed(hosts.ledger)
    n = killed(hosts, "a")
    with pytest.raises(RunFailed, match=f"run {n} of prod took place meanwhile: v2 interrupted"):
        restart(last, (), hosts.fleet(("b",)))
    assert hosts.last.n == n
    assert outcomes(hosts.last) == [
        ("c", "running", "v2"),
        ("a", "interrupted", None),
        ("b", "untouched", "v1"),
    ]


def test_what_a_killed_run_replaced_of_somebody_elses_is_known_as_that(hosts: Hosts) -> None:
    """Nothing is taken down in the place of what this ledger does not know."""
    hosts.engines["a"].running = (UP,)
    killed(hosts, "a")
    hosts.runners["a"] = FakeRunner([BAD], before=())
    with pytest.raises(RunFailed, match="does not know what ran there"):
        hosts.run()
    assert "down" not in hosts.runners["a"].calls
