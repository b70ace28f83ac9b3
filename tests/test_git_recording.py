"""What comes to its end is recorded here, whatever its shared ledger makes of that: a run that is
proven stays, one that failed says why, and one that was stopped is known to the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stagekit import locks, retry
from stagekit.cancel import Cancel
from stagekit.errors import BuildFailed, Cancelled, LedgerAway, LedgerError, NotProven
from stagekit.images import ImageFacts
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git import exchange, shared
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.state import state_of
from stagekit.pipeline.run import flow
from stagekit.records import Deploy, Run
from stagekit.retry import pause
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeBuilder, FakeRunner, Heard
from stagekit.testing.records import PIN, a_container, a_run, ran, released
from tests.fakes import platform
from tests.machines import Team, git
from tests.projects import a_project, applied, decided

UP, BAD = a_container(), a_container(state="exited", exit_code=3)
IMAGE = ImageFacts(id=UP.image_id, size=1, digests=(PIN.pinned,))
DEPLOY = Deploy(timeout=0.1, settle=0.0, rollback_on_failure=True)
ONLY_BEGINS = """read old new ref
case "$(git log -1 --format=%s "$new")" in *begins*) exit 0;; esac
echo "disk quota exceeded" >&2; exit 1"""


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A shared ledger with v1, which runs in prod, and v2; what is away is asked again at once."""
    for module in (retry, shared):
        monkeypatch.setattr(module, "pause", lambda _seconds, _cancel: None)
    team = Team(tmp_path)
    git("init", "--quiet", "--bare", team.remote)
    ledger = team.ledger("ann")
    released(ledger, deploy=DEPLOY)
    ran(ledger, "v1", changed=True)
    released(ledger, deploy=DEPLOY)
    return team


class Meanwhile(FakeRunner):
    """A runner while whose ``up`` something happens."""

    def __init__(self, happens: Any) -> None:
        super().__init__([UP], before=())
        self._happens = happens

    def up(self, *given: Any, **more: Any) -> tuple[str, ...]:
        self._happens()
        return super().up(*given, **more)


def run(
    team: Team,
    runner: FakeRunner | None = None,
    engine: FakeEngine | None = None,
    cancel: Cancel | None = None,
    ledger: GitLedger | None = None,
) -> Run:
    """Run v2 in prod, from ann's machine."""
    engine = engine or FakeEngine(images={PIN.pinned: IMAGE, UP.image_id: IMAGE})
    runner = runner or FakeRunner([UP], before=())
    on = platform(FileLedger(team.folder), runner, engine, cancel)
    on = replace(on, ledger=ledger or team.ledger("ann", cancel))
    return flow.run("prod", release_id=None, reason="run", on=on).record


def recorded(team: Team, machine: str) -> list[tuple[int, str, str, str]]:
    """What a machine reads of the runs in prod."""
    ledger = team.ledger(machine)
    runs = [ledger.run("prod", n).record for n in ledger.runs("prod")]
    return [(run.n, run.release.id, run.reason, run.outcome) for run in runs]


V1 = (1, "v1", "run", "running")
V2 = (2, "v2", "run", "running")


def test_a_proven_run_stays_where_the_server_refuses_its_record(team: Team) -> None:
    """By a hook, a quota, a right: nothing goes back, the engine is told what is in force, and the
    record is sent once that is mended."""
    hook = team.hook("pre-receive", ONLY_BEGINS)
    engine = FakeEngine(images={PIN.pinned: IMAGE, UP.image_id: IMAGE})
    runner = FakeRunner([UP], before=())
    assert run(team, runner, engine).outcome == "running"
    assert runner.calls.count("up") == 1
    standing = engine.standing("shop-prod")
    assert standing is not None
    assert (standing.release, standing.run) == ("v2", 2)
    said = team.said()[-1]
    assert "refuses the push" in said
    assert "kept here, sent by the next command: runs/prod/2.toml; next: let this user push" in said
    hook.unlink()
    assert recorded(team, "ann") == [V2, V1]
    assert recorded(team, "bob") == [V2, V1]


def test_a_proven_run_stays_where_the_history_was_rewritten_meanwhile(team: Team) -> None:
    """It is recorded here, and nothing is added to a history that is not the one that was seen."""
    first = git("-C", team.remote, "rev-list", "--max-parents=0", "ledger")
    rewrite = Meanwhile(lambda: git("-C", team.remote, "update-ref", "refs/heads/ledger", first))
    assert run(team, rewrite).outcome == "running"
    assert rewrite.calls.count("up") == 1
    said = team.said()[-1]
    assert "the history of the shared ledger was rewritten" in said
    assert "by the next command: runs/prod/2.toml; next: nothing was written" in said
    assert git("-C", team.remote, "rev-parse", "ledger") == first


def test_a_record_that_cannot_be_read_here_takes_no_run_back(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that breaks at that moment: what is owed is sent later."""

    def broken(*_given: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        runner = Meanwhile(lambda: patch.setattr(exchange.Copies, "content", broken))
        assert run(team, runner).outcome == "running"
    assert "input/output error; kept here" in team.said()[-1]
    assert recorded(team, "ann") == [V2, V1]


def test_a_run_that_failed_says_so_where_its_record_is_refused(team: Team) -> None:
    """And not that the ledger refuses: that is a warning."""
    released(team.ledger("ann"), deploy=Deploy(timeout=0.1, settle=0.0, rollback_on_failure=False))
    team.hook("pre-receive", ONLY_BEGINS)
    with pytest.raises(NotProven, match="exited with 3"):
        run(team, FakeRunner([BAD], before=()))
    assert "refuses the push" in team.said()[-1]


def test_a_build_that_failed_says_so_where_its_record_is_refused(team: Team) -> None:
    """As a run does; where its record is, too."""
    team.hook("pre-receive", ONLY_BEGINS)
    project, heard, engine = a_project(team.folder, images="web"), Heard(), FakeEngine()
    plan = decided(project)
    with pytest.raises(BuildFailed):
        applied(plan, project, engine, heard=heard, ledger=team.ledger("ann"), fails="web")
    assert "refuses the push" in team.said()[-1]
    said = f"{plan.id} is recorded as failed: inv build.show {plan.id}"
    assert said in heard.text


# stopped


def test_a_run_that_is_stopped_is_recorded_for_all(team: Team) -> None:
    """A CI that cancels a job takes its folder away: what would wait there is lost."""
    cancel = Cancel()

    def stop() -> None:
        cancel.request()
        cancel.check()

    with pytest.raises(Cancelled):
        run(team, Meanwhile(stop), cancel=cancel)
    assert recorded(team, "bob") == [(2, "v2", "run", "cancelled"), V1]
    assert team.ledger("bob").unfinished_run("prod") is None


def test_a_build_that_is_stopped_is_recorded_for_all(team: Team) -> None:
    """And says where its record is."""
    project, heard, asked = a_project(team.folder, images="web"), Heard(), Cancel()

    class Stopped(FakeBuilder):
        def build(self, spec: Any, *, emit: Any, cancel: Cancel) -> str:
            asked.request()
            return super().build(spec, emit=emit, cancel=cancel)

    plan, engine, ledger = decided(project), FakeEngine(), team.ledger("ann", asked)
    with pytest.raises(Cancelled):
        applied(
            *(plan, project, engine),
            heard=heard,
            cancel=asked,
            builder=Stopped(engine),
            ledger=ledger,
        )
    assert team.ledger("bob").build(plan.id).record.status == "interrupted"
    said = f"{plan.id} is recorded as interrupted: inv build.show {plan.id}"
    assert said in heard.text


def test_a_stopped_run_that_cannot_be_sent_in_time_is_kept(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs holds nobody who wants to end; what waits is said."""
    monkeypatch.setattr(exchange, "_LAST_WORDS", 0.0)
    cancel = Cancel()

    def stop() -> None:
        cancel.request()
        cancel.check()

    with pytest.raises(Cancelled) as stopped:
        run(team, Meanwhile(stop), cancel=cancel)
    assert "inv run --env prod --release v2 goes on" in str(stopped.value.hint)
    assert "stopped on request; kept here, sent by the next command: runs/prod/2" in team.said()[-1]
    assert recorded(team, "bob") == [V1]
    assert recorded(team, "ann") == recorded(team, "bob") == [(2, "v2", "run", "cancelled"), V1]


def test_a_stop_while_the_record_of_a_proven_run_is_sent_changes_nothing(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is up, proven and recorded: the engine is told that it is in force."""
    cancel, engine = Cancel(), FakeEngine(images={PIN.pinned: IMAGE, UP.image_id: IMAGE})
    ledger = team.ledger("ann", cancel)
    repository = ledger.exchange.shared.repository
    push = repository.push

    def stopped(commit: str, *, over: str | None) -> LedgerError | None:
        if [*ledger.exchange.kept()]:
            cancel.request()
        return push(commit, over=over)

    monkeypatch.setattr(repository, "push", stopped)
    assert run(team, engine=engine, cancel=cancel, ledger=ledger).outcome == "running"
    assert cancel.requested
    standing = engine.standing("shop-prod")
    assert standing is not None
    assert standing.run == 2
    assert recorded(team, "bob") == [V2, V1]


def test_a_second_stop_ends_the_sending_at_once(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is here already, and is sent by the next command."""
    ledger = team.ledger("ann")
    journal = ledger.begin_run("prod", {})

    def interrupted(*_given: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger.exchange.shared.repository, "push", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.finish(a_run(journal.n, release="v2"))
    journal.close()
    assert recorded(team, "ann") == recorded(team, "bob") == [V2, V1]


def test_who_waits_for_another_process_can_be_stopped(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that exchanges with a server that hangs: a stop is heard, and the record is kept."""
    monkeypatch.setattr(shared, "pause", pause)
    monkeypatch.setattr(exchange, "_LAST_WORDS", 0.2)
    cancel = Cancel()
    ledger = team.ledger("ann", cancel)
    journal = ledger.begin_run("prod", {})
    with locks.locked(ledger.exchange.shared.repository.folder.parent):
        cancel.request()
        with pytest.raises(Cancelled):
            team.ledger("ann", cancel).runs("prod")
        journal.finish(a_run(journal.n, release="v2"))
    journal.close()
    assert "stopped on request; kept here" in team.said()[-1]
    assert recorded(team, "ann") == recorded(team, "bob") == [V2, V1]


def test_others_who_write_all_the_time_are_no_reason_to_type_a_run_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is here, and is sent when they let it."""
    ledger = team.ledger("ann")
    journal = ledger.begin_run("prod", {})
    with monkeypatch.context() as patch:
        outpaced = LedgerError("another one was faster")
        patch.setattr(shared, "_PATIENCE", -1)
        patch.setattr(ledger.exchange.shared.repository, "push", lambda *_a, **_n: outpaced)
        journal.finish(a_run(journal.n, release="v2"))
    journal.close()
    assert team.said()[-1].endswith("kept here, sent by the next command: runs/prod/2.toml")
    assert recorded(team, "ann") == recorded(team, "bob") == [V2, V1]


# what waits


def test_what_is_refused_is_in_no_readers_way(team: Team) -> None:
    """Records are read, what waits is listed, and the status says why it does."""
    hook = team.hook("pre-receive", ONLY_BEGINS)
    ran(team.ledger("ann"), "v2")
    assert team.ledger("ann").releases("prod") == ["v2", "v1"]
    assert team.ledger("ann").runs("prod") == [2, 1]
    state = state_of(team.ledger("ann"))
    assert (state.answers, state.kept) == (True, ("runs/prod/2.toml",))
    assert "refuses the push" in str(state.problem)
    assert "runs/prod/2.toml; next: let this user push" in team.said()[-1]
    hook.unlink()
    state = state_of(team.ledger("ann"))
    assert (state.problem, state.kept) == (None, ())


def test_what_was_sent_is_told_by_the_number_that_it_has(team: Team) -> None:
    """Another one had its own meanwhile."""
    assert team.ledger("bob").runs("prod") == [1]
    team.go_away()
    ran(team.ledger("ann"), "v2")
    team.come_back()
    ran(team.ledger("bob"), "v1")
    team.ledger("ann").runs("prod")
    assert "runs/prod/2.toml is runs/prod/3.toml now" in team.said()[-2]
    assert team.said()[-1] == "sent to the shared ledger: runs/prod/3.toml"


def test_a_ledger_that_is_back_gives_numbers_again(team: Team) -> None:
    """It was away when a command began, and answers once that has the environment's lock: the
    number is taken where all see it, and does not change."""
    ledger = team.ledger("ann")
    team.go_away()
    assert ledger.runs("prod") == [1]
    team.come_back()
    ledger.look_again()
    assert ledger.runs("prod") == [1]
    journal = ledger.begin_run("prod", {})
    assert [(debt.id, debt.provisional) for debt in ledger.exchange.owed.all()] == [("2", False)]
    assert team.ledger("bob").unfinished_run("prod") == 2
    journal.close()


def test_what_may_be_recorded_is_not_said_to_be_lost(team: Team) -> None:
    """The server takes it, is gone before it says so, and stays away: typed again, there would be
    two. The next command that reaches it tells."""
    hook = team.hook(
        "reference-transaction",
        f"""[ "$1" = committed ] || exit 0
mv {team.remote} {team.folder}/gone; kill -9 $PPID""",
    )
    with pytest.raises(LedgerAway) as lost:
        released(team.ledger("ann"), message="the new till")
    assert "whether this was recorded is not known" in str(lost.value.hint)
    team.come_back()
    hook.unlink()
    assert team.ledger("ann").releases("prod") == ["v3", "v2", "v1"]
    assert team.said()[-1].startswith("the shared ledger has it, though its answer was lost: rel")
    assert team.said()[-1].endswith("prod/v3: the new till")
    count = len(team.said())
    team.ledger("ann").releases("prod")
    assert len(team.said()) == count
