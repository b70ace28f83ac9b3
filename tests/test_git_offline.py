"""What a machine writes while its shared ledger is away, or refuses: nothing is lost, and nothing
is there that nobody else has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stagekit import retry
from stagekit.errors import InputError, LedgerAway, LedgerError
from stagekit.ledger.git import shared
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.owed import Owed
from stagekit.testing.records import a_build, a_comparison, a_run, ran, released
from tests.machines import Team, git


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A shared ledger with one run, which ann and bob have seen; what is away is asked again at
    once."""
    for module in (retry, shared):
        monkeypatch.setattr(module, "pause", lambda _seconds, _cancel: None)
    team = Team(tmp_path)
    git("init", "--quiet", "--bare", team.remote)
    ran(team.ledger("ann"), "v1")
    assert team.ledger("bob").runs("prod") == [1]
    return team


def ran_by_number(ledger: GitLedger) -> dict[int, str]:
    """Which release each run of prod was of."""
    return {n: ledger.run("prod", n).record.release.id for n in ledger.runs("prod")}


def test_two_runs_without_the_remote_both_stay(team: Team) -> None:
    """The first gets another number, and not the one that the second has."""
    team.go_away()
    assert [ran(team.ledger("ann"), id).record.n for id in ("v2", "v3")] == [2, 3]
    team.come_back()
    ran(team.ledger("bob"), "v4")
    everything = {1: "v1", 2: "v4", 3: "v3", 4: "v2"}
    assert ran_by_number(team.ledger("ann")) == everything
    assert ran_by_number(team.ledger("bob")) == everything


def test_two_runs_whose_numbers_are_both_taken_get_two(team: Team) -> None:
    """In one entry of the history: each new number counts for the next."""
    team.go_away()
    for id in ("v2", "v3"):
        ran(team.ledger("ann"), id)
    team.come_back()
    for id in ("v4", "v5"):
        ran(team.ledger("bob"), id)
    found = ran_by_number(team.ledger("ann"))
    assert found == {1: "v1", 2: "v4", 3: "v5", 4: "v2", 5: "v3"}
    assert ran_by_number(team.ledger("bob")) == found


def test_a_record_is_not_renumbered_onto_a_run_under_way(team: Team) -> None:
    """The run under way has its number without a record."""
    team.go_away()
    ran(team.ledger("ann"), "v2")
    journal = team.ledger("ann").begin_run("prod", {})
    team.come_back()
    ran(team.ledger("bob"), "v4")
    team.ledger("ann").runs("prod")
    journal.finish(a_run(journal.n, release="v3"))
    journal.close()
    assert ran_by_number(team.ledger("bob")) == {1: "v1", 2: "v4", 3: "v3", 4: "v2"}


def test_two_comparisons_without_the_remote_both_stay(team: Team) -> None:
    """They are numbered as runs are."""
    ann, bob = (team.ledger(name) for name in ("ann", "bob"))
    for ledger in (ann, bob):
        assert ledger.comparisons() == []
    team.go_away()
    for actor in ("first", "second"):
        slot = team.ledger("ann").begin_comparison(a_comparison(actor=actor))
        slot.finish(a_comparison(n=slot.n, actor=actor))
        slot.close()
    team.come_back()
    slot = bob.begin_comparison(a_comparison())
    slot.finish(a_comparison(n=slot.n, actor="bob"))
    ledger = team.ledger("ann")
    actors = {n: ledger.comparison(n).record.actor for n in ledger.comparisons()}
    assert actors == {1: "bob", 2: "second", 3: "first"}


@pytest.mark.parametrize(("owner", "step"), [(Owed, "renumber"), (Owed, "add"), (Path, "unlink")])
def test_a_renumbering_that_is_cut_short_records_once(team: Team, owner: type, step: str) -> None:
    """Killed at any of its steps, the next command goes on: the run is there, and is there once."""
    team.go_away()
    ran(team.ledger("ann"), "v2")
    team.come_back()
    ran(team.ledger("bob"), "v4")

    def killed(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, step, killed)
        with pytest.raises(KeyboardInterrupt):
            team.ledger("ann").runs("prod")
    found = ran_by_number(team.ledger("ann"))
    assert sorted(found.values()) == ["v1", "v2", "v4"]
    assert ran_by_number(team.ledger("bob")) == found


def test_a_release_that_was_not_recorded_is_not_there(team: Team) -> None:
    """Nor for the process that was told so, which may go on."""
    ledger = team.ledger("ann")
    assert released(ledger).record.id == "v1"
    team.go_away()
    with pytest.raises(LedgerAway, match="does not answer"):
        released(ledger)
    assert ledger.releases("prod") == ["v1"]
    with pytest.raises(InputError, match="no release prod/v2"):
        ledger.release("prod", "v2")
    team.come_back()
    other = released(team.ledger("bob"), message="another")
    assert other.record.id == "v2"
    assert released(ledger).record.id == "v3"
    assert ledger.release("prod", "v2") == other


def test_a_run_that_was_refused_has_taken_no_number(team: Team) -> None:
    """The server's hook says no once: the next run of that process has the same number."""
    ledger = team.ledger("ann")
    hook = team.hook("pre-receive", "exit 1")
    with pytest.raises(LedgerError, match="refuses the push"):
        ledger.begin_run("prod", {})
    assert ledger.unfinished_run("prod") is None
    hook.unlink()
    assert ran(ledger, "v1").record.n == 2


@pytest.mark.parametrize("killed", [False, True])
def test_a_run_under_way_keeps_its_place_from_anothers_copy(team: Team, killed: bool) -> None:
    """Both have one number; the other's record is read meanwhile, and this one's is sent later."""
    begun = {
        "project": "shop",
        "reason": "run",
        "actor": "ann",
        "release": {"id": "v2", "digest": "sha256:1"},
    }
    team.go_away()
    journal = team.ledger("ann").begin_run("prod", begun)
    team.come_back()
    ran(team.ledger("bob"), "v4")
    assert ran_by_number(team.ledger("ann")) == {1: "v1", 2: "v4"}
    assert team.ledger("ann").runs("prod") == [2, 1]
    assert team.ledger("ann").unfinished_run("prod") == 2
    assert not [text for text in team.said() if text.startswith("sent")]
    if not killed:
        journal.finish(a_run(journal.n, release="v2"))
    journal.close()
    assert [*team.ledger("ann").close_interrupted_runs("prod")] == ([2] if killed else [])
    everything = {1: "v1", 2: "v4", 3: "v2"}
    assert ran_by_number(team.ledger("ann")) == everything
    assert ran_by_number(team.ledger("bob")) == everything


def test_a_comparison_under_way_keeps_its_place_from_anothers_copy(team: Team) -> None:
    """As a run does."""
    team.go_away()
    slot = team.ledger("ann").begin_comparison(a_comparison())
    team.come_back()
    other = team.ledger("bob").begin_comparison(a_comparison())
    stored = other.finish(a_comparison(n=other.n, actor="bob"))
    assert team.ledger("ann").comparison(1) == stored
    assert team.ledger("ann").comparisons() == [1]
    slot.finish(a_comparison(n=slot.n, actor="ann"))
    slot.close()
    assert team.ledger("bob").comparison(2).record.actor == "ann"


def built(ledger: GitLedger, actor: str) -> str:
    slot = ledger.reserve_build(a_build("shop-1", actor=actor))
    return slot.finish(a_build(slot.id, actor=actor)).record.id


def test_a_build_has_the_id_that_it_owes_after_a_new_history_was_accepted(team: Team) -> None:
    """The old history's build of that id still lies here: it is not sent in the new one's place."""
    tip = git("-C", team.remote, "rev-parse", "ledger")
    assert built(team.ledger("ann"), "before") == "shop-1"
    git("-C", team.remote, "update-ref", "refs/heads/ledger", tip)
    shutil.rmtree(team.ledger("ann").exchange.shared.repository.folder)
    assert built(team.ledger("ann"), "after") == "shop-1-2"
    for ledger in (team.ledger("ann"), team.ledger("bob")):
        found = {id: ledger.build(id).record.actor for id in ledger.builds()}
        assert found == {"shop-1-2": "after"}


def test_a_branch_that_cannot_be_written_is_no_contention(team: Team) -> None:
    """A push that was killed left its lock on the server: its words are said after a few attempts,
    and what to do."""
    (team.remote / "refs/heads/ledger.lock").touch()
    with pytest.raises(LedgerError, match=r"refuses the push: .*failed to update ref") as caught:
        released(team.ledger("ann"))
    assert "ledger.lock': File exists" in "\n".join(caught.value.output)
    assert "a lock that was left in it" in str(caught.value.hint)
    assert not isinstance(caught.value, LedgerAway)
    (team.remote / "refs/heads/ledger.lock").unlink()
    assert released(team.ledger("ann")).record.id == "v1"


def test_others_who_write_all_the_time_are_waited_for_once(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as it takes them, and not three times over."""
    ledger, attempts = team.ledger("ann"), []

    def outpaced(commit: str, *, over: str | None) -> LedgerError:
        attempts.append(commit)
        ran(team.ledger(f"machine{len(attempts)}"), "v1")
        return LedgerError(f"not over {over}")

    monkeypatch.setattr(shared, "_PATIENCE", 0)
    monkeypatch.setattr(ledger.exchange.shared.repository, "push", outpaced)
    with pytest.raises(LedgerAway, match="others write to the shared ledger all the time"):
        released(ledger)
    assert len(attempts) == 1
