"""A file ledger that moves into a shared one and back, and a shared history that is checked whole.

Every test has a real bare repository.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stagekit import retry
from stagekit.errors import InputError, LedgerError
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git import store
from stagekit.ledger.git.moving import move_in, move_out
from stagekit.ledger.names import UNREADABLE
from stagekit.testing.records import (
    RELEASE_FILES,
    a_build,
    a_build_pruning,
    a_comparison,
    a_pruning,
    a_release,
    ran,
    released,
)
from tests.kept import damage
from tests.machines import Team, git


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path)
    git("init", "--quiet", "--bare", team.remote)
    return team


@pytest.fixture
def files(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "artifacts")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is away is asked again at once."""
    monkeypatch.setattr(retry, "pause", lambda _seconds, _cancel: None)


def test_a_file_ledger_moves_in_and_back(team: Team, files: FileLedger, tmp_path: Path) -> None:
    """Every record byte for byte, put-away ones as such; a second time there is nothing to do."""
    for id in ("b1", "b2"):
        files.reserve_build(a_build(id)).finish(a_build(id), b"inputs")
    for _ in range(60):
        released(files)
    released(files, env="dev")
    files.prune_release(a_pruning(files.release("prod", "v2")))
    for id in ("v1", "v3"):
        ran(files, id)
    (files.root / "warnings.log").unlink(missing_ok=True)

    moved = move_in(files, team.ledger())
    assert moved == {"builds": 2, "inputs": 2, "releases": 60, "pruned": 1, "runs": 2}
    assert move_in(files, team.ledger()) == {}
    ledger = team.ledger("bob")
    assert ledger.releases("prod") == files.releases("prod")
    assert ledger.pruned_releases("prod") == ["v2"]
    assert released(ledger).record.id == "v61"

    move_out(team.ledger("carl"), tmp_path / "back")
    shutil.rmtree(tmp_path / "back/releases/prod/v61")
    compared = subprocess.run(
        ["diff", "-r", "-x", "*.log", "-x", "lock", files.root, tmp_path / "back"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.stdout == ""


def test_a_file_ledger_with_other_records_is_not_moved_in(team: Team, files: FileLedger) -> None:
    """An id of it is another record's there: nothing is moved."""
    released(files, env="dev")
    released(files)
    team.ledger().add_release(a_release(message="another"), RELEASE_FILES)
    with pytest.raises(InputError, match="has another releases/prod/v1"):
        move_in(files, team.ledger())
    assert team.ledger("bob").environments() == ["prod"]


def test_a_damaged_record_is_not_moved_in(team: Team, files: FileLedger) -> None:
    """It would be shared for good."""
    released(files)
    path = files.root / "releases/prod/v1/release.toml"
    path.write_bytes(path.read_bytes().replace(b"ann", b"bob"))
    with pytest.raises(LedgerError, match="digest does not match"):
        move_in(files, team.ledger())
    assert team.ledger("bob").environments() == []


# moving in


@pytest.mark.parametrize("made", ["nothing", "a folder", "folders of something else"])
def test_a_folder_without_records_is_not_taken_for_a_ledger(
    team: Team, files: FileLedger, made: str
) -> None:
    """A misspelt one would be moved for good, and nobody would notice."""
    if made != "nothing":
        files.root.mkdir()
    if made == "folders of something else":
        for path in ("builds/out.o", "runs/monday/notes.txt"):
            (files.root / path).parent.mkdir(parents=True)
            (files.root / path).touch()
    with pytest.raises(InputError, match="there are no records") as caught:
        move_in(files, team.ledger())
    assert caught.value.where == str(files.root)
    assert "--from" in str(caught.value.hint)


@pytest.mark.parametrize("file", ["compose.yaml", "variables.toml", "added.txt"])
def test_a_release_whose_files_were_edited_is_not_moved_in(
    team: Team, files: FileLedger, file: str
) -> None:
    """Every machine would have it so for good; nothing of the rest is moved either."""
    released(files, env="dev")
    path = files.release_folder("prod", released(files).record.id) / file
    path.write_bytes(b"# edited\n")
    with pytest.raises(LedgerError, match=f"prod/v1 was changed after .*: {file}") as caught:
        move_in(files, team.ledger())
    assert "inv release.verify prod/v1" in str(caught.value.hint)
    assert team.ledger("bob").environments() == []


def test_a_damaged_mark_of_a_build_is_not_moved_in(team: Team, files: FileLedger) -> None:
    """As a damaged record of one is not."""
    build = files.reserve_build(a_build("b1")).finish(a_build("b1"))
    files.prune_build(a_build_pruning(build))
    damage(files.root / "builds/b1.pruned")
    with pytest.raises(LedgerError, match="digest does not match"):
        move_in(files, team.ledger())
    assert team.ledger("bob").builds() == []


def test_an_environment_of_runs_alone_moves_in(team: Team, files: FileLedger) -> None:
    """Its releases are lost; the numbers of its runs are not given again."""
    ran(files, "v1")
    files.keep_signature("dev", "v1", b"signed")
    assert move_in(files, team.ledger()) == {"runs": 1, "signatures": 1}
    ledger = team.ledger("bob")
    assert ledger.runs("prod") == [1]
    assert ran(ledger, "v1").record.n == 2
    assert ledger.signature("dev", "v1") == b"signed"


@pytest.mark.parametrize("kind", ["builds", "comparisons"])
def test_what_was_interrupted_is_recorded_before_it_moves_in(
    team: Team, files: FileLedger, kind: str
) -> None:
    """Its id was given: the error says what makes the record."""
    if kind == "builds":
        files.reserve_build(a_build("b1")).close()
    else:
        files.begin_comparison(a_comparison()).close()
    with pytest.raises(LedgerError, match="is under way, or was interrupted") as caught:
        move_in(files, team.ledger())
    assert "STAGEKIT_LEDGER= inv " in str(caught.value.hint)
    assert files.close_interrupted_builds() or files.close_interrupted_comparisons()
    assert move_in(files, team.ledger()) == {kind: 1}


def test_ids_without_a_record_stay_given(team: Team, files: FileLedger, tmp_path: Path) -> None:
    """A run and a build whose machine died: there, back in files, and in another shared ledger."""
    ran(files, "v1")
    files.reserve_build(a_build("b1")).finish(a_build("b1"))
    move_in(files, team.ledger())
    ledger = team.ledger("gone")
    ledger.begin_run("prod", {}).close()
    ledger.reserve_build(a_build("b2")).close()
    ledger.begin_comparison(a_comparison()).close()
    moved = FileLedger(tmp_path / "back")
    for attempt in ("first", "second"):
        move_out(team.ledger(attempt), moved.root)

    assert ran(moved, "v1").record.n == 3
    assert (moved.builds(), moved.runs("prod"), moved.comparisons()) == (["b1"], [3, 1], [])
    slot = moved.reserve_build(a_build("b2"))
    assert slot.id == "b2-2"
    slot.finish(a_build("b2-2"))

    other = Team(tmp_path / "other")
    git("init", "--quiet", "--bare", other.remote)
    move_in(moved, other.ledger())
    assert ran(other.ledger(), "v1").record.n == 4
    slot = other.ledger().reserve_build(a_build("b2"))
    assert slot.id == "b2-3"
    slot.close()
    assert other.ledger().begin_comparison(a_comparison()).n == 2


def test_a_file_that_is_no_number_names_no_run(team: Team, files: FileLedger) -> None:
    """Whatever lies there: the shared ledger's runs are numbers."""
    ran(files, "v1")
    for name in ("notes", "7"):
        (files.root / f"runs/prod/{name}{UNREADABLE}").touch()
    move_in(files, team.ledger())
    assert ran(team.ledger(), "v1").record.n == 8


@pytest.mark.parametrize("first", ["with", "without"])
def test_two_folders_of_which_one_was_pruned_move_in(
    team: Team, files: FileLedger, tmp_path: Path, first: str
) -> None:
    """Copies of one ledger: what was put away in one is put away in all, in either order."""
    build = files.reserve_build(a_build("b1")).finish(a_build("b1"), b"inputs")
    released(files)
    released(files)
    shutil.copytree(files.root, tmp_path / "pruned")
    pruned = FileLedger(tmp_path / "pruned")
    pruned.prune_release(a_pruning(pruned.release("prod", "v1")))
    pruned.prune_build(a_build_pruning(build))
    for one in (pruned, files) if first == "without" else (files, pruned):
        move_in(one, team.ledger())
    ledger = team.ledger("bob")
    assert (ledger.releases("prod"), ledger.pruned_releases("prod")) == (["v2"], ["v1"])
    assert ledger.builds() == []
    assert move_in(files, team.ledger()) == {}


def test_a_release_that_one_folder_has_lost_comes_from_another(
    team: Team, files: FileLedger, tmp_path: Path
) -> None:
    """The first had nothing but a run that names it."""
    released(files)
    released(files)
    shutil.copytree(files.root, tmp_path / "whole")
    ran(files, "v1")
    shutil.rmtree(files.release_folder("prod", "v1"))
    assert move_in(files, team.ledger()) == {"releases": 1, "runs": 1}
    assert team.ledger("bob").releases("prod") == ["v2"]
    assert move_in(FileLedger(tmp_path / "whole"), team.ledger()) == {"releases": 1}
    ledger = team.ledger("bob")
    assert sorted(ledger.releases("prod")) == ["v1", "v2"]
    assert ledger.release("prod", "v1").record.id == "v1"


# signatures


def test_a_release_that_was_signed_again_moves_in(team: Team, files: FileLedger) -> None:
    """The later signature counts; one that was replaced since does not come back."""
    released(files)
    for signature in (b"one", b"two"):
        files.keep_signature("prod", "v1", signature)
        move_in(files, team.ledger())
    assert team.ledger("bob").signature("prod", "v1") == b"two"
    team.ledger().keep_signature("prod", "v1", b"three")
    assert move_in(files, team.ledger()) == {}
    assert team.ledger("bob").signature("prod", "v1") == b"three"


def test_a_release_that_was_signed_again_moves_out(team: Team, files: FileLedger) -> None:
    """Over the signature that it had; one that the shared ledger never had is left."""
    released(team.ledger())
    for signature in (b"one", b"two"):
        team.ledger().keep_signature("prod", "v1", signature)
        move_out(team.ledger(), files.root)
        assert files.signature("prod", "v1") == signature
    assert move_out(team.ledger(), files.root) == {}
    files.keep_signature("prod", "v1", b"of this folder alone")
    with pytest.raises(InputError, match="another signatures record"):
        move_out(team.ledger(), files.root)


# moving out


def test_however_much_there_is_comes_back(
    team: Team, files: FileLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that all releases have is read once for many of them, and large ones one by one."""
    monkeypatch.setattr(store, "_HELD", 5000)
    monkeypatch.setattr("stagekit.process.OUTPUT_LIMIT", 9000)
    alike, ledger, made = bytes(4000), team.ledger(), {}
    for number in range(5):
        each = {f"files/own/{number}": bytes([number]) * 4500} if number % 2 else {}
        made[f"v{number + 1}"] = {**RELEASE_FILES, "files/all/x": alike, **each}
        ledger.add_release(a_release(), made[f"v{number + 1}"])
    assert move_out(team.ledger("bob"), files.root) == {"releases": 5}
    assert {id: files.release_files("prod", id) for id in files.releases("prod")} == made


# checking all of it


def other_lines(path: Path) -> None:
    """Let the first record of a series be the second one, too."""
    first, second = path.read_text().splitlines()
    path.write_text(f"{first.split()[0]} {second.split()[1]}\n{second}\n")


def cut(path: Path) -> None:
    path.write_text(path.read_text().splitlines(keepends=True)[0])


def another_series(path: Path) -> None:
    other = path.parents[2] / "dev" / "0000" / "00"
    other.parent.mkdir(parents=True)
    shutil.copy(path, other)


@pytest.mark.parametrize("change", [other_lines, cut, Path.unlink, another_series])
def test_an_index_that_lists_other_records_is_found(
    team: Team, change: Callable[[Path], object]
) -> None:
    """By a machine that never saw what there was, though each message is as it was: the entries
    name all that they add."""
    for _ in "ab":
        released(team.ledger("ann"))
    index = "index/releases/prod/0000/00"
    amended = ("--amend", "--no-edit", "--cleanup=verbatim")
    team.by_hand(lambda clone: change(clone / index), *amended)
    with pytest.raises(LedgerError, match="lists other records than its entries add") as caught:
        team.ledger("bob").exchange.shared.check_history()
    assert "index/releases/" in str(caught.value)
    assert "git -C " in str(caught.value.hint)


def test_a_record_that_is_lost_is_found(team: Team) -> None:
    """Its entry was made anew without it: its index names what nobody has."""
    released(team.ledger("ann"))
    amended = ("--amend", "--no-edit", "--cleanup=verbatim")
    team.by_hand(lambda clone: shutil.rmtree(clone / "releases"), *amended)
    git("-C", team.remote, "-c", "gc.pruneExpire=now", "gc", "--quiet")
    with pytest.raises(LedgerError, match="has lost 1 records that its index names"):
        team.ledger("bob").exchange.shared.check_history()


def test_a_history_of_everything_is_found_to_hold(team: Team, files: FileLedger) -> None:
    """Records and ids without one, of each kind, over several entries and files of the index."""
    build = files.reserve_build(a_build("b1")).finish(a_build("b1"), b"inputs")
    files.prune_build(a_build_pruning(build))
    for _ in range(300):
        released(files)
    files.prune_release(a_pruning(files.release("prod", "v2")))
    move_in(files, team.ledger())
    ledger = team.ledger("ann")
    ledger.keep_signature("prod", "v1", b"signed")
    ledger.begin_run("prod", {}).close()
    ran(ledger, "v1")
    released(ledger, message="über")
    assert team.ledger("bob").exchange.shared.check_history() == 12
