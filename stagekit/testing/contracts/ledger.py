"""What every `stagekit.protocols.Ledger` keeps."""

from __future__ import annotations

from contextlib import closing

import pytest

from stagekit.errors import InputError, LedgerError
from stagekit.protocols import Ledger
from stagekit.records import Cancellation, Release, Stored
from stagekit.testing.contracts.capability import Capable
from stagekit.testing.contracts.comparisons import ComparisonCases
from stagekit.testing.contracts.keeping import KeepingCases
from stagekit.testing.records import (
    NOON,
    RELEASE_FILES,
    a_build,
    a_pruning,
    a_release,
    a_run,
    ran,
    released,
)


class LedgerContract(ComparisonCases, KeepingCases, Capable):
    """Inherit it, and give the fixture ``ledger``: an empty one; the methods ``warned`` and
    ``damage_build``; and ``lies_open = False`` where nobody can reach its releases by hand."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        """The ledger that is looked at; it has nothing yet."""
        raise NotImplementedError("give a fixture `ledger` that returns an empty Ledger")

    def test_what_is_read_anew_is_the_same(self, ledger: Ledger) -> None:
        """By a look at what others may have recorded since."""
        ledger.reserve_build(a_build("b")).finish(a_build("b"))
        ledger.look_again()
        assert list(ledger.builds()) == ["b"]

    def test_an_empty_one_is_empty(self, ledger: Ledger) -> None:
        """Listing is no error, and makes nothing."""
        assert [*ledger.builds(), *ledger.environments(), *ledger.releases("prod")] == []
        assert list(ledger.runs("prod")) == []
        assert ledger.unfinished_run("prod") is None
        assert list(ledger.comparisons()) == []
        assert list(ledger.pruned_releases("prod")) == []

    # builds

    def test_a_build_is_read_as_it_was_written(self, ledger: Ledger) -> None:
        """What a stage appends is what the next one reads, digest included."""
        slot = ledger.reserve_build(a_build("b1"))
        slot.log("web | Step 1/2")
        stored = slot.finish(a_build("b1"), b"what it was made from")
        assert ledger.build("b1") == ledger.find_build("b1") == stored
        assert stored.record == a_build("b1")
        assert list(ledger.builds()) == ["b1"]
        assert ledger.build_log("b1") == b"web | Step 1/2\n"
        assert ledger.build_inputs("b1") == b"what it was made from"

    def test_a_builds_id_is_given_once(self, ledger: Ledger) -> None:
        """A taken id gets a number, whether its build has ended or is under way."""
        assert _built(ledger, "b") == "b"
        with closing(ledger.reserve_build(a_build("b"))) as under_way:
            assert under_way.id == "b-2"
            assert _built(ledger, "b") == "b-3"
        assert set(ledger.builds()) == {"b", "b-3"}

    def test_a_build_under_way_is_no_build_yet(self, ledger: Ledger) -> None:
        """What is only reserved has no record and cannot be released."""
        with closing(ledger.reserve_build(a_build("b"))):
            assert list(ledger.builds()) == []
            assert list(ledger.builds_under_way()) == ["b"]
            assert list(ledger.close_interrupted_builds()) == []
            with pytest.raises(InputError, match="no build 'b'"):
                ledger.build("b")

    def test_a_build_whose_process_died_is_closed_by_the_next_command(self, ledger: Ledger) -> None:
        """Its record says how far it came, in the words that it had noted."""
        begun = a_build("b", status="interrupted", images={}, actor="bob@ci")
        with closing(ledger.reserve_build(begun)) as slot:
            slot.note({"step": "build", "image": "web"})
            slot.note({"step": "push", "image": "api"})
        assert list(ledger.close_interrupted_builds()) == ["b"]
        build = ledger.build("b").record
        assert (build.status, build.actor) == ("interrupted", "bob@ci")
        [failure] = build.failures
        assert (failure.subject, failure.step) == ("api", "push")
        assert list(ledger.close_interrupted_builds()) == []

    def test_a_build_that_may_be_elsewhere_is_looked_for(self, ledger: Ledger) -> None:
        """A job that only runs may have no more than the release."""
        assert ledger.find_build("b9") is None
        assert ledger.build_inputs("b9") == b""

    # releases

    def test_a_release_is_read_as_it_was_written(self, ledger: Ledger) -> None:
        """The record with its id, and every other file byte for byte."""
        files = {**RELEASE_FILES, "files/ab/logo.png": b"\x89PNG"}
        stored = ledger.add_release(a_release("prod"), files)
        assert stored.record == a_release("prod", id="v1")
        assert ledger.release("prod", "v1") == stored
        assert ledger.release_files("prod", "v1") == files
        folder = ledger.release_folder("prod", "v1")
        assert (folder / "files/ab/logo.png").read_bytes() == b"\x89PNG"

    def test_releases_count_up_per_environment(self, ledger: Ledger) -> None:
        """v1, v2 … each environment for itself, newest first, by number and not by letter."""
        for _ in range(11):
            released(ledger)
        released(ledger, "dev")
        assert list(ledger.releases("prod")) == [f"v{number}" for number in range(11, 0, -1)]
        assert list(ledger.releases("dev")) == ["v1"]
        assert sorted(ledger.environments()) == ["dev", "prod"]

    def test_the_first_free_id_is_taken(self, ledger: Ledger) -> None:
        """Of those that are offered, by who was told which are taken; none left is an error."""
        told: list[tuple[str, ...]] = []

        def offer(taken: object) -> list[str]:
            told.append(tuple(taken))  # type: ignore[arg-type]
            return ["a", "b"]

        for wanted in ("a", "b"):
            stored = ledger.add_release(a_release(), RELEASE_FILES, ids=offer)
            assert stored.record.id == wanted
        assert told == [(), ("a",)]
        with pytest.raises(InputError):
            ledger.add_release(a_release(), RELEASE_FILES, ids=offer)

    def test_a_missing_release_is_told_which_there_are(self, ledger: Ledger) -> None:
        """A typing mistake ends with the ids there are."""
        released(ledger)
        with pytest.raises(InputError, match="no release prod/v9") as caught:
            ledger.release("prod", "v9")
        assert "v1" in str(caught.value.hint)

    def test_a_cancellation_stands_beside_the_release(self, ledger: Ledger) -> None:
        """Its bytes stay; of two the first stands."""
        stored = released(ledger)
        before = ledger.release_files("prod", "v1")
        assert ledger.cancelled("prod", "v1") is None
        made = ledger.cancel_release(_cancellation(stored, "leaks"))
        assert ledger.cancel_release(_cancellation(stored, "another")) == made
        assert ledger.cancelled("prod", "v1") == made
        assert made.record.reason == "leaks"
        assert ledger.release("prod", "v1") == stored
        assert ledger.release_files("prod", "v1") == before
        assert list(ledger.releases("prod")) == ["v1"]

    def test_of_a_pruned_release_its_digests_stay(self, ledger: Ledger) -> None:
        """Its files go, its id is never given again, and reading it says what became of it."""
        stored = released(ledger)
        released(ledger)
        pruned = ledger.prune_release(a_pruning(stored))
        assert ledger.pruned("prod", "v1") == pruned
        assert pruned.record.release == stored.link
        assert list(ledger.releases("prod")) == ["v2"]
        assert list(ledger.pruned_releases("prod")) == ["v1"]
        assert list(ledger.half_pruned("prod")) == []
        with pytest.raises(InputError, match="pruned"):
            ledger.release("prod", "v1")
        assert released(ledger).record.id == "v3"

    def test_of_a_releases_signatures_the_last_counts(self, ledger: Ledger) -> None:
        """It stands beside the release, whose bytes stay; an unsigned one has none."""
        released(ledger)
        before = ledger.release_files("prod", "v1")
        assert ledger.signature("prod", "v1") is None
        for data in (b"one", b"another"):
            ledger.keep_signature("prod", "v1", data)
            assert ledger.signature("prod", "v1") == data
        assert ledger.release_files("prod", "v1") == before

    # runs

    def test_a_run_is_read_as_it_was_written(self, ledger: Ledger) -> None:
        """Numbers count up per environment."""
        stored = ran(ledger, "v1")
        assert ledger.run("prod", 1) == stored
        assert ran(ledger, "v1").record.n == 2  # noqa: PLR2004
        assert ran(ledger, "v1", env="dev").record.n == 1
        assert list(ledger.runs("prod")) == [2, 1]

    def test_an_environment_has_one_run_at_a_time(self, ledger: Ledger) -> None:
        """The second is refused; another environment is free."""
        journal = ledger.begin_run("prod", {})
        assert ledger.unfinished_run("prod") == journal.n
        with pytest.raises(LedgerError, match="environment prod is taken"):
            ledger.begin_run("prod", {})
        ran(ledger, "v1", env="dev")
        journal.finish(a_run(journal.n))
        journal.close()
        assert ledger.unfinished_run("prod") is None
        assert ran(ledger, "v1").record.n == 2  # noqa: PLR2004

    def test_a_run_closed_without_a_record_counts_as_interrupted(self, ledger: Ledger) -> None:
        """The next one writes its record, with what it had noted."""
        begun = {
            "project": "shop",
            "reason": "rollback",
            "actor": "ann",
            "release": {"id": "v1", "digest": "sha256:1"},
        }
        journal = ledger.begin_run("prod", begun)
        journal.note({"step": "pull", "seconds": 1.5, "outcome": "pulled"})
        journal.close()
        following = ledger.begin_run("prod", {})
        assert list(following.interrupted) == [1]
        following.finish(a_run(following.n))
        following.close()
        dead = ledger.run("prod", 1).record
        assert (dead.outcome, dead.reason) == ("interrupted", "rollback")
        assert [step.name for step in dead.steps] == ["pull"]

    def test_interrupted_runs_are_closed_before_another_begins(self, ledger: Ledger) -> None:
        """What each host of a fleet had noted is theirs; while one is under way, it is refused."""
        begun = {
            "project": "shop",
            "reason": "run",
            "actor": "ann",
            "release": {"id": "v2", "digest": "sha256:1"},
            "hosts": [{"name": name, "url": f"ssh://{name}"} for name in ("a", "b", "c")],
        }
        assert list(ledger.close_interrupted_runs("prod")) == []
        journal = ledger.begin_run("prod", begun)
        with pytest.raises(LedgerError, match="environment prod is taken"):
            ledger.close_interrupted_runs("prod")
        for host in ("a", "b", "c"):
            journal.note({"host": host, "before": "v1"})
        for host in ("a", "b"):
            journal.note({"host": host, "begins": "up", "changes": True})
        journal.note({"host": "a", "step": "up", "seconds": 1.0})
        journal.note({"host": "a", "outcome_of_host": "running", "release": "v2"})
        journal.close()
        assert list(ledger.close_interrupted_runs("prod")) == [1]
        run = ledger.run("prod", 1).record
        assert (run.outcome, run.changed, run.steps) == ("interrupted", True, ())
        assert [(host.outcome, host.release, host.changed) for host in run.hosts] == [
            ("running", "v2", True),
            ("interrupted", None, True),
            ("untouched", "v1", False),
        ]
        assert [step.name for step in run.hosts[0].steps] == ["up"]


def _built(ledger: Ledger, id: str) -> str:
    slot = ledger.reserve_build(a_build(id))
    slot.finish(a_build(slot.id))
    return slot.id


def _cancellation(release: Stored[Release], reason: str) -> Cancellation:
    return Cancellation(
        env="prod", release=release.link, created=NOON, actor="ann@laptop", reason=reason
    )
