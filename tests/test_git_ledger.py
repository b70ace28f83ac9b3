"""The ledger in a branch of a git repository: many machines, one history.

Every test has a real bare repository; two machines are two folders that know nothing of each other.
"""

from __future__ import annotations

import multiprocessing
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import pytest

from stagekit import locks, retry
from stagekit.errors import InputError, LedgerAway, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git import shared
from stagekit.ledger.git.address import parse_address
from stagekit.ledger.git.entry import message
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.moving import move_in
from stagekit.ledger.git.series import BUILDS, RELEASES, RUNS, Series
from stagekit.ledger.git.state import state_of
from stagekit.protocols import Ledger
from stagekit.testing.contracts import LedgerContract
from stagekit.testing.records import (
    RELEASE_FILES,
    a_build,
    a_pruning,
    a_release,
    a_run,
    ran,
    released,
)
from tests.kept import damage
from tests.machines import NOBODY, Team, git, release_elsewhere, release_here

PROCESSES = 20


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path)
    git("init", "--quiet", "--bare", team.remote)
    return team


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is away is asked again at once."""
    monkeypatch.setattr(retry, "pause", lambda _seconds, _cancel: None)


class TestContract(LedgerContract):
    @pytest.fixture
    def ledger(self, team: Team) -> GitLedger:
        return team.ledger()

    lies_open = False  # its releases are a history; what lies here is a copy of it

    def warned(self, ledger: Ledger) -> str:
        assert isinstance(ledger, GitLedger)
        return ledger.log.read_text()

    def damage_build(self, ledger: Ledger, id: str) -> None:
        assert isinstance(ledger, GitLedger)
        damage(ledger.exchange.copies.folder / f"builds/{id}.toml")


# one history


def test_what_one_machine_writes_another_reads(team: Team) -> None:
    """Builds, what they were made from, releases with each file, marks and runs."""
    ann, bob = team.ledger("ann"), team.ledger("bob")
    build = ann.reserve_build(a_build("b1")).finish(a_build("b1"), b"inputs")
    files = {**RELEASE_FILES, 'files/ab/a "b"\\\n.png': b"\x89PNG\xff"}
    stored = ann.add_release(a_release("prod"), files)
    released(ann)
    ann.prune_release(a_pruning(released(ann)))
    run = ran(ann, "v1")

    assert bob.build("b1") == build
    assert bob.build_inputs("b1") == b"inputs"
    assert bob.release("prod", "v1") == stored
    assert bob.release_files("prod", "v1") == files
    assert (bob.releases("prod"), bob.pruned_releases("prod")) == (["v2", "v1"], ["v3"])
    assert bob.run("prod", 1) == run


def test_a_commit_says_who_and_why(team: Team) -> None:
    """`git log` alone tells the history of a project."""
    ledger = team.ledger()
    ledger.add_release(msgspec.structs.replace(a_release(), message="the new till"), RELEASE_FILES)
    ran(ledger, "v1")
    log = git("-C", team.remote, "log", "--format=%an <%ae> %s", "ledger")
    assert log.splitlines() == [
        "ann <ann@laptop> run prod/1: run of v1, running",
        "ann <ann@laptop> run prod/1 of a release begins",
        "ann <ann@laptop> release prod/v1: the new till",
    ]


def test_a_message_that_is_no_text_is_recorded_all_the_same(team: Team) -> None:
    """Typed in a shell of another encoding: what cannot be read is replaced, as files have it."""
    ledger = team.ledger("ann\udce9")
    ledger.add_release(msgspec.structs.replace(a_release(), message="caf\udce9"), RELEASE_FILES)
    log = git("-C", team.remote, "log", "--format=%an %s", "ledger")
    assert log.splitlines() == ["ann? release prod/v1: caf?"]
    assert team.ledger("bob").release("prod", "v1").record.message == "caf?"


def in_processes(work: Callable[[Path, int], str], folder: Path, count: int) -> list[str]:
    """Do ``work`` in so many processes at once; return what each returns."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.machines"])
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        return list(pool.map(work, [folder] * count, range(count)))


def test_many_machines_release_at_once(team: Team) -> None:
    """Twenty processes, each with a copy of its own: twenty ids, and every release is there."""
    ids = in_processes(release_elsewhere, team.folder, PROCESSES)
    assert Counter(ids) == {f"v{number}": 1 for number in range(1, PROCESSES + 1)}
    ledger = team.ledger("auditor")
    assert set(ledger.releases("prod")) == set(ids)
    assert all(ledger.release("prod", id).record.id == id for id in ids)
    assert ledger.exchange.shared.check_history() == PROCESSES


def test_processes_of_one_machine_share_its_copy(team: Team) -> None:
    """One after the other, and none is in another's way."""
    ids = in_processes(release_here, team.folder, 8)
    assert sorted(ids) == [f"v{number}" for number in range(1, 9)]


def test_a_build_begun_elsewhere_has_taken_its_id(team: Team) -> None:
    """Its tag is its id: no two machines push the same."""
    first = team.ledger("ann").reserve_build(a_build("b"))
    second = team.ledger("bob").reserve_build(a_build("b"))
    assert (first.id, second.id) == ("b", "b-2")
    second.finish(a_build("b-2"))
    first.finish(a_build("b"))
    assert set(team.ledger("carl").builds()) == {"b", "b-2"}


def test_runs_of_two_engines_are_numbered_in_one_row(team: Team) -> None:
    """Two laptops run their own dev: each number is of one of them."""
    journals = [team.ledger(name).begin_run("dev", {}) for name in ("ann", "bob")]
    assert [journal.n for journal in journals] == [1, 2]
    for journal in reversed(journals):
        journal.finish(a_run(journal.n, env="dev"))
    assert team.ledger("carl").runs("dev") == [2, 1]


def test_another_machines_run_is_seen_under_way(team: Team) -> None:
    """Until a later one has a record: of a machine that died nobody hears again."""
    team.ledger("ann").begin_run("prod", {})
    assert team.ledger("bob").unfinished_run("prod") == 1
    ran(team.ledger("bob"), "v1")
    assert team.ledger("carl").unfinished_run("prod") is None


@pytest.fixture
def moved_in(team: Team) -> Team:
    """130 releases, of which the branch has 50 as files."""
    files = FileLedger(team.folder / "artifacts")
    for _ in range(130):
        released(files)
    move_in(files, team.ledger())
    return team


def test_a_clone_of_the_newest_commit_is_enough(moved_in: Team) -> None:
    """An older record is asked for by itself, and what is older still is not fetched."""
    copy, remote = moved_in.ledger("ci"), moved_in.remote
    assert len(copy.releases("prod")) == 130
    assert copy.release("prod", "v3").record.id == "v3"
    git_folder = copy.exchange.shared.repository.folder
    assert git("-C", git_folder, "rev-list", "--count", "refs/stagekit/seen") == "1"
    assert git("-C", remote, "rev-list", "--count", "ledger") == "3"
    assert git("-C", remote, "ls-tree", "--name-only", "ledger:releases/prod").count("v") == 50


def test_an_older_record_is_asked_for_in_turn(
    moved_in: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That may change how much of the history is here: two processes at once would be in each
    other's way."""
    ledger = moved_in.ledger("ci")
    assert len(ledger.releases("prod")) == 130
    monkeypatch.setattr(shared, "_PATIENCE", 0)
    others_turn = locks.locked(ledger.exchange.shared.repository.folder.parent)
    with others_turn, pytest.raises(LedgerError, match="another process is changing it"):
        ledger.release("prod", "v1")
    assert ledger.release("prod", "v1").record.id == "v1"


def test_what_another_process_brought_meanwhile_is_not_asked_for(
    moved_in: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had its turn first."""
    ledger, other = moved_in.ledger("ci"), moved_in.ledger("ci")
    assert ledger.releases("prod") == other.releases("prod")
    bring = ledger.exchange.shared.bring

    def later(objects: Sequence[str]) -> None:
        assert other.exchange.copies.original(Series(kind=RELEASES, env="prod"), "v1", index)
        moved_in.go_away()
        bring(objects)

    index = ledger.exchange.index
    monkeypatch.setattr(ledger.exchange.shared, "bring", later)
    assert ledger.release("prod", "v1").record.id == "v1"


def test_a_record_that_was_read_needs_no_remote(team: Team) -> None:
    """A copy lies here as a file; one that was changed here is brought back, and that is said."""
    released(team.ledger())
    ledger = team.ledger("bob")
    path = ledger.release_folder("prod", "v1") / "compose.yaml"
    before = path.read_bytes()
    path.write_text("services: {}\n")
    assert ledger.release_files("prod", "v1")["compose.yaml"] == before
    assert "was changed here" in team.said()[-1]


# the remote is away


def test_what_was_seen_is_read_while_the_remote_is_away(team: Team) -> None:
    """It is said once, with how old it is; what was never seen is an error that names where."""
    released(team.ledger())
    assert team.ledger("bob").release("prod", "v1")
    team.go_away()
    ledger = team.ledger("bob")
    assert ledger.release("prod", "v1").record.id == "v1"
    assert re.search(r"does not answer: .*; read as it was \d+ s ago$", team.said()[-1])
    said = len(team.said())
    ledger.look_again()
    assert (ledger.releases("prod"), len(team.said())) == (["v1"], said)  # it was said
    with pytest.raises(LedgerAway, match="does not answer") as caught:
        team.ledger("carl").releases("prod")
    assert str(team.remote) in str(caught.value)


def test_a_release_is_refused_while_the_remote_is_away(team: Team) -> None:
    """As are a build, a cancellation and a pruning: nothing is half recorded."""
    stored = released(team.ledger())
    ledger = team.ledger()
    assert ledger.releases("prod") == ["v1"]
    team.go_away()
    writes: list[Callable[[], object]] = [
        lambda: released(ledger),
        lambda: ledger.reserve_build(a_build("b")),
        lambda: ledger.prune_release(a_pruning(stored)),
    ]
    for write in writes:
        with pytest.raises(LedgerAway) as caught:
            write()
        assert caught.value.hint == "this was not recorded: type it again when the ledger answers"
    team.come_back()
    assert (team.ledger().releases("prod"), team.ledger().builds()) == (["v1"], [])


def test_the_record_of_a_run_waits_for_the_remote(team: Team) -> None:
    """It is away at the end of a run: the record is kept, listed here, and the next command sends
    it."""
    journal = team.ledger().begin_run("prod", {})
    team.go_away()
    stored = journal.finish(a_run(journal.n))
    journal.close()
    assert "kept here, sent by the next command: runs/prod/1.toml" in team.said()[-1]
    assert team.ledger().run("prod", 1) == stored
    assert state_of(team.ledger()).kept == ("runs/prod/1.toml",)
    team.come_back()
    assert team.ledger("bob").runs("prod") == []
    assert team.ledger().run("prod", 1) == stored
    assert team.said()[-1] == "sent to the shared ledger: runs/prod/1.toml"
    assert team.ledger("bob").run("prod", 1) == stored
    assert state_of(team.ledger()).kept == ()


def test_a_build_that_ends_while_the_remote_is_away_is_kept(team: Team) -> None:
    """Its images are there already: its record and its inputs follow."""
    slot = team.ledger().reserve_build(a_build("b1"))
    team.go_away()
    stored = slot.finish(a_build("b1"), b"inputs")
    assert team.ledger().build("b1") == stored
    team.come_back()
    team.ledger().builds()
    assert team.ledger("bob").build("b1") == stored
    assert team.ledger("bob").build_inputs("b1") == b"inputs"


def test_a_run_without_the_remote_takes_a_number_that_may_change(team: Team) -> None:
    """What is wrong at night must be mended without it. Where somebody else took the number
    meanwhile, the record gets another one, and that is said."""
    ran(team.ledger(), "v1")
    assert team.ledger("bob").runs("prod") == [1]
    team.go_away()
    bob = ran(team.ledger("bob"), "v2")
    assert bob.record.n == 2
    team.come_back()
    ann = ran(team.ledger("ann"), "v3")
    assert ann.record.n == 2
    ledger = team.ledger("bob")
    assert ledger.runs("prod") == [3, 2, 1]
    assert (ledger.run("prod", 3).record.release.id, ledger.run("prod", 2)) == ("v2", ann)
    assert "runs/prod/2.toml is runs/prod/3.toml now: another one has that number" in team.said()


def test_a_run_that_died_while_the_remote_was_away_is_recorded(team: Team) -> None:
    """Its journal is on this machine; the next run there says what became of it."""
    begun = {
        "project": "shop",
        "reason": "run",
        "actor": "ann",
        "release": {"id": "v1", "digest": "sha256:1"},
    }
    journal = team.ledger().begin_run("prod", begun)
    team.go_away()
    journal.close()
    team.come_back()
    ran(team.ledger(), "v1")
    assert team.ledger("bob").run("prod", 1).record.outcome == "interrupted"


# pushes


def test_a_copy_whose_making_was_cut_short_is_made_again(team: Team) -> None:
    """Git would call it no repository, for ever."""
    released(team.ledger())
    copy = team.ledger().exchange.shared.repository.folder
    whole = sorted(path.name for path in copy.iterdir() if path.is_dir())
    shutil.rmtree(copy)
    for left in ((), ("refs",)):
        copy.mkdir(exist_ok=True)
        (copy / "HEAD").write_text("ref: refs/heads/main\n")
        for name in left:
            (copy / name).mkdir()
        assert team.ledger().releases("prod") == ["v1"]
        assert sorted(path.name for path in copy.iterdir() if path.is_dir()) == whole
        shutil.rmtree(copy)


def take_and_die(folder: Path, _number: int) -> str:
    """Take the ids of a run and of a build, and begin neither."""
    exchange = Team(folder).ledger().exchange
    for series, id in ((Series(kind=RUNS, env="prod"), "1"), (Series(kind=BUILDS), "b1")):
        exchange.take(series, lambda _, chosen=id: chosen, "{id} begins")
    return "taken"


def test_what_was_never_begun_is_not_owed_for_ever(team: Team) -> None:
    """Its process was killed as soon as it had the id, which stays taken; what another one that
    lives has taken is still owed."""
    in_processes(take_and_die, team.folder, 1)
    ledger = team.ledger()
    assert {debt.id for debt in ledger.exchange.owed.all()} == {"1", "b1"}
    run = ledger.begin_run("prod", {})
    assert {debt.id for debt in ledger.exchange.owed.all()} == {str(run.n)}
    assert run.n == 2
    team.ledger().reserve_build(a_build("b2")).close()
    assert {debt.id for debt in ledger.exchange.owed.all()} == {"2", "b2"}
    run.close()


def test_a_push_that_another_one_was_faster_than_is_made_again(team: Team) -> None:
    """The id is chosen anew: both releases are there, the later one with the next id."""
    late, early = team.ledger("ann"), team.ledger("bob")
    assert late.releases("prod") == []
    released(early)
    assert released(late).record.id == "v2"
    assert team.ledger("carl").releases("prod") == ["v2", "v1"]


def test_a_push_that_the_server_refuses_is_an_error(team: Team) -> None:
    """With what it says; nothing is kept for later, and nothing is tried again."""
    calls = team.folder / "calls"
    team.hook("pre-receive", f"echo x >> {calls}; echo only the CI may >&2; exit 1")
    with pytest.raises(LedgerError, match=r"refuses the push: .*hook declined") as caught:
        released(team.ledger())
    assert "remote: only the CI may" in "\n".join(caught.value.output)
    assert calls.read_text() == "x\n"
    assert team.ledger().releases("prod") == []


def test_a_push_whose_answer_is_lost_counts_once(team: Team) -> None:
    """The server has it, and the connection breaks before it says so: no second release."""
    flag = team.folder / "once"
    flag.touch()
    team.hook("post-receive", f"[ -e {flag} ] && rm {flag} && kill -9 $PPID; exit 0")
    assert released(team.ledger()).record.id == "v1"
    assert not flag.exists()
    assert team.ledger("bob").releases("prod") == ["v1"]
    assert team.ledger("bob").exchange.shared.check_history() == 1


def test_a_fetch_that_is_torn_leaves_what_was_there(team: Team) -> None:
    """The remote dies in the middle of what it sends: what was seen is read, and the next command
    goes on."""
    released(team.ledger())
    assert team.ledger("bob").releases("prod") == ["v1"]
    released(team.ledger())
    torn = team.folder / "torn"
    # What git sends through this hook stops after 200 bytes of the pack.
    torn.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{TEAR}" "$@"\n')
    torn.chmod(0o755)
    settings = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "uploadpack.packObjectsHook",
        "GIT_CONFIG_VALUE_0": str(torn),
        "GIT_CONFIG_GLOBAL": str(team.folder / "gitconfig"),
    }
    (team.folder / "gitconfig").write_text(f"[uploadpack]\n\tpackObjectsHook = {torn}\n")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        assert team.ledger("bob").releases("prod") == ["v1"]
        assert "read as it was" in team.said()[-1]
    assert team.ledger("bob").releases("prod") == ["v2", "v1"]


TEAR = (
    "import subprocess,sys;"
    "p=subprocess.run(sys.argv[1:],stdout=subprocess.PIPE,stdin=sys.stdin);"
    "sys.stdout.buffer.write(p.stdout[:200]);sys.exit(1)"
)


def test_a_process_that_is_killed_while_it_pushes_is_in_nobodys_way(team: Team) -> None:
    """Its release is there whole or not at all, and the next command on that machine goes on, git's
    own locks notwithstanding."""
    pushing, go_on = team.folder / "pushing", team.folder / "go-on"
    hook = team.hook("pre-receive", f"touch {pushing}; until [ -e {go_on} ]; do sleep 0.05; done")
    killed = multiprocessing.get_context("forkserver").Process(
        target=release_here, args=(team.folder, 0)
    )
    killed.start()
    while not pushing.exists():
        assert killed.is_alive()
    killed.kill()
    killed.join()
    copy = team.ledger().exchange.shared.repository.folder
    for name in ("refs/stagekit/seen.lock", "shallow.lock"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).touch()
    go_on.touch()
    hook.unlink()
    made = released(team.ledger()).record.id
    ids = team.ledger("bob").releases("prod")
    assert ids in (["v1"], ["v2", "v1"])
    assert made == ids[0]
    assert team.ledger("bob").exchange.shared.check_history() == len(ids)


# a history that is another


def test_a_rewritten_history_is_refused(team: Team) -> None:
    """Somebody takes the newest entry back and makes another one: nothing is read or written, and
    the error says what was seen and how to go on."""
    released(team.ledger())
    tip = git("-C", team.remote, "rev-parse", "ledger")
    released(team.ledger())
    assert team.ledger("bob").releases("prod") == ["v2", "v1"]
    git("-C", team.remote, "update-ref", "refs/heads/ledger", tip)
    released(team.ledger("carl"), env="dev")
    for attempt in (lambda: team.ledger("bob").releases("prod"), lambda: released(team.ledger())):
        with pytest.raises(LedgerError, match="the history of the shared ledger was rewritten"):
            attempt()
    assert team.ledger("carl").releases("prod") == ["v1"]


def test_a_history_that_was_cut_is_refused(team: Team) -> None:
    """Reset to an older entry, or with its branch gone: what was seen is missing."""
    released(team.ledger())
    first = git("-C", team.remote, "rev-parse", "ledger")
    released(team.ledger())
    git("-C", team.remote, "update-ref", "refs/heads/ledger", first)
    with pytest.raises(LedgerError, match="what was there then is no part of it now"):
        team.ledger().releases("prod")
    git("-C", team.remote, "update-ref", "-d", "refs/heads/ledger")
    with pytest.raises(LedgerError, match="its branch is gone") as caught:
        team.ledger().releases("prod")
    assert "rm -r" in str(caught.value.hint)


def test_a_new_history_can_be_accepted(team: Team) -> None:
    """By removing the copy that the error names; the records that lie here are not taken for
    those of the new one."""
    released(team.ledger())
    released(team.ledger())
    ledger = team.ledger()
    assert ledger.release("prod", "v2")
    git("-C", team.remote, "update-ref", "-d", "refs/heads/ledger")
    released(team.ledger("carl"))
    shutil.rmtree(ledger.exchange.shared.repository.folder)
    assert team.ledger().releases("prod") == ["v1"]
    with pytest.raises(InputError, match="no release prod/v2"):
        team.ledger().release("prod", "v2")


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        (lambda clone: (clone / "releases/prod/v1/compose.yaml").write_text("x"), ("-m", "oops")),
        (lambda clone: (clone / "index/releases/prod/0000/00").unlink(), ("-m", "tidy up")),
        (lambda _clone: None, ("--amend", "-m", "a better message")),
    ],
)
def test_a_commit_by_hand_is_refused(
    team: Team, change: Callable[[Path], object], arguments: tuple[str, ...]
) -> None:
    """On top of the newest entry or in its place, to those who saw it and to those who did not."""
    released(team.ledger())
    team.by_hand(change, *arguments)
    for machine in ("ann", "bob"):
        with pytest.raises(LedgerError, match=r"not made by stagekit|was rewritten"):
            team.ledger(machine).releases("prod")


def test_a_forged_entry_that_edits_the_index_is_refused(team: Team) -> None:
    """Also where its message is one that stagekit would write: a series only grows."""
    released(team.ledger())
    released(team.ledger())
    shared = team.ledger().exchange.shared
    text, _ = message("release", shared.known().seal, [])

    def swap(clone: Path) -> None:
        path = clone / "index/releases/prod/0000/00"
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], lines[0].replace("v1", "v2")]) + "\n")

    team.by_hand(swap, "--cleanup=verbatim", "-m", text)
    with pytest.raises(LedgerError, match="has other records than then"):
        team.ledger().releases("prod")


def test_a_branch_of_something_else_is_no_ledger(team: Team) -> None:
    """A url without its #branch, or with that of the source: nothing is written there."""
    work = team.folder / "work"
    git("init", "--quiet", "--initial-branch=ledger", work)
    git("commit", "--quiet", "--allow-empty", "-m", "the source", cwd=work, **NOBODY)
    git("push", "--quiet", team.remote, "ledger", cwd=work)
    with pytest.raises(LedgerError, match="not made by stagekit") as caught:
        released(team.ledger())
    assert "is that branch a ledger?" in str(caught.value.hint)
    assert git("-C", team.remote, "log", "--format=%s", "ledger") == "the source"


# addresses


@pytest.mark.parametrize(
    ("text", "url", "branch"),
    [
        ("git+ssh://git@host/team/l.git#prod", "ssh://git@host/team/l.git", "prod"),
        ("git+https://host/l.git", "https://host/l.git", "stagekit"),
        ("git@host:team/l.git#x/y", "git@host:team/l.git", "x/y"),
        ("/srv/l.git#a", "/srv/l.git", "a"),
        ("../l.git", "/root/l.git", "stagekit"),
        ("git+file:///srv/l.git", "file:///srv/l.git", "stagekit"),
    ],
)
def test_an_address_is_read(text: str, url: str, branch: str) -> None:
    """All that git takes, and the branch after a #."""
    address = parse_address(text, Path("/root/project"), where="x")
    assert (address.url, address.branch) == (url, branch)


@pytest.mark.parametrize(
    "text",
    [
        *("", "#b", "--upload-pack=x", "ftp://host/l.git", "l.git#-b", "l.git#a..b", "l.git#a b"),
        *("https://token@host/l.git", "ssh://git:secret@host/l.git", "ext::sh -c id"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A password in it would stand in every error, and an option would be git's."""
    with pytest.raises(InputError) as caught:
        parse_address(text, Path("/root/project"), where="x")
    assert "secret" not in str(caught.value)


def test_what_others_did_meanwhile_is_seen_by_a_look_again(team: Team) -> None:
    """A command that waited for a lock sees the run that had it; others read the history once."""
    ann, bob = team.ledger("ann"), team.ledger("bob")
    ran(ann, "v1")
    assert bob.runs("prod") == [1]
    ran(ann, "v2")
    assert bob.runs("prod") == [1]
    bob.look_again()
    assert bob.runs("prod") == [2, 1]
