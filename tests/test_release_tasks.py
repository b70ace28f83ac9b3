"""``inv release.list``, ``diff``, ``verify``, ``cancel``, ``notes``, ``prune``: as typed."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta

import pytest
from msgspec.structs import replace

from stagekit import digest
from stagekit.inputs.document import to_yaml
from stagekit.ledger.files import FileLedger
from stagekit.records import Pin, Source
from stagekit.testing.records import NOON, a_build, a_release, a_run, sha
from tests.repository import Repository
from tests.test_compare import secrets, variables

FINGERPRINT = "hmac-sha256:0123"  # what must not be seen


@pytest.fixture
def made(repository: Repository) -> Repository:
    """Two builds of two commits; three releases to prod, of which v2 runs, and one to dev."""
    commits = [commit(repository, text) for text in ("first", "fix: the login")]
    ledger = FileLedger(repository.root / "artifacts")
    for number, found in enumerate(commits, 1):
        build = a_build(f"b{number}", source=Source(commit=found))
        ledger.reserve_build(build).finish(build)
    release(ledger, "prod", "b1", "hello")
    release(ledger, "prod", "b1", "hello")
    release(ledger, "prod", "b2", "good bye", message="for the fair")
    release(ledger, "dev", "b2", "hello, dev")
    run(ledger, "v1")
    run(ledger, "v2")
    return repository


def commit(repository: Repository, subject: str) -> str:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
        argv = ["git", "-C", str(repository.root), *who, *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", subject)
    return git("rev-parse", "HEAD")


def release(ledger: FileLedger, env: str, build: str, greeting: str, **changes: object) -> None:
    stored = ledger.build(build)
    pins = {"web": Pin(asked=f"registry.test/web:{build}", pinned=f"w@{sha(build)}", kind="digest")}
    service = {"image": pins["web"].pinned, "environment": {"GREETING": greeting}}
    files = {
        "compose.yaml": to_yaml({"name": f"shop-{env}", "services": {"web": service}}).encode(),
        "variables.toml": variables({"GREETING": greeting}, f"environments/{env}/config.toml:2"),
        "secrets.toml": secrets(KEY=FINGERPRINT + greeting),
    }
    content = digest.of_tree(files)
    sealed = {"pins": pins, "files": digest.of_files(files), "content_digest": content}
    ledger.add_release(a_release(env, build=stored.link, **sealed, **changes), files)


def run(ledger: FileLedger, id: str) -> None:
    journal = ledger.begin_run("prod", {})
    journal.finish(replace(a_run(journal.n), release=ledger.release("prod", id).link))
    journal.close()


def test_a_difference_has_all_its_parts(made: Repository) -> None:
    """Commits, images, variables with their origin, secrets without a trace, the document."""
    shown = made.inv("release.diff", "prod/v1", "prod/v3")
    for line in (
        "build b1 → b2",
        "fix: the login",
        f"→ w@{sha('b2')}",
        '  - GREETING: "hello"  (environments/prod/config.toml:2)',
        '  + GREETING: "good bye"  (environments/prod/config.toml:2)',
        "  ~ KEY: changed",
        "--- prod/v1/compose.yaml",
        "+++ prod/v3/compose.yaml",
        '+      GREETING: "good bye"',
    ):
        assert line in shown.stdout
    assert "hmac" not in shown.text
    assert "\x1b" not in shown.text


def test_what_a_release_took_back_is_told_apart(made: Repository) -> None:
    """Seen from the newer one, the commit goes."""
    commits = made.inv("release.diff", "prod/v3", "prod/v1", "--json").json["commits"]
    assert commits["gained"] == []
    assert commits["lost"][0].endswith("fix: the login")


def test_a_difference_between_environments(made: Repository) -> None:
    """The same build with another configuration."""
    shown = made.inv("release.diff", "dev/latest", "prod/v3").stdout
    assert '  - GREETING: "hello, dev"  (environments/dev/config.toml:2)' in shown
    assert "build" not in shown
    assert "images" not in shown


def test_the_exit_code_tells_when_it_is_asked_to(made: Repository) -> None:
    """1 where they differ, 0 where not; without the flag always 0."""
    same = made.attempt("release.diff", "prod/v1", "prod/current", "--exit-code")
    assert (same.code, same.stdout) == (0, "prod/v1 and prod/v2 are the same\n")
    assert made.attempt("release.diff", "prod/v1", "prod/v3", "--exit-code").code == 1
    assert made.attempt("release.diff", "prod/v1", "prod/v3").code == 0
    answer = made.attempt("release.diff", "prod/v1", "prod/v3", "--exit-code", "--json")
    assert (answer.code, answer.json["differs"]) == (1, True)


def test_a_difference_as_data(made: Repository) -> None:
    """Every part, values typed."""
    found = made.inv("release.diff", "prod/v1", "prod/v3", "--json").json
    assert (found["old"], found["new"]) == ("prod/v1", "prod/v3")
    assert found["variables"][0]["new"] == {
        "value": "good bye",
        "origin": "environments/prod/config.toml:2",
    }
    assert found["secrets"] == [{"name": "KEY", "kind": "changed"}]
    assert [item["kind"] for item in found["images"]] == ["changed"]
    assert "hmac" not in str(found)


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours(made: Repository, environ: dict[str, str], coloured: bool) -> None:
    """Unless NO_COLOR says otherwise."""
    outcome = made.on_a_terminal("", "release.diff", "prod/v1", "prod/v3", **environ)
    assert outcome.code == 0
    assert ('\x1b[32m+      GREETING: "good bye"\x1b[0m' in outcome.stdout) is coloured
    assert ("\x1b[3" in outcome.stdout) is coloured


def test_a_release_that_was_edited_is_compared_with_a_remark(made: Repository) -> None:
    """What stands there is shown, and that it is not what was sealed."""
    made.write("artifacts/releases/prod/v1/extra", "")
    shown = made.inv("release.diff", "prod/v1", "prod/v2")
    assert "prod/v1 is NOT as it was sealed: extra does not belong to it" in shown.stderr


@pytest.mark.parametrize("damage", ["", "[", "schema = 9\n"])
def test_verify_names_the_file(made: Repository, damage: str) -> None:
    """Per release, with the exit code of a damaged ledger; and a run refuses it."""
    assert made.inv("release.verify", "prod/v1").stdout == "prod/v1: as it was sealed\n"
    made.write("artifacts/releases/prod/v1/variables.toml", damage)
    what = "is empty" if not damage else "was edited or cut"
    outcome = made.attempt("release.verify", "--all")
    assert outcome.code == 7
    assert outcome.stdout.splitlines() == [
        "dev/v1: as it was sealed",
        "prod/v3: as it was sealed",
        "prod/v2: as it was sealed",
        "prod/v1: NOT as it was sealed",
        f"  variables.toml {what}",
    ]
    assert "prod/v1: not as sealed: 1 of 4 checked" in outcome.stderr
    found = made.attempt("release.verify", "prod/v1", "--json")
    assert (found.code, found.json[0]["state"]) == (7, "damaged")
    assert found.json[0]["problems"] == [{"file": "variables.toml", "what": what}]
    assert made.attempt("release.verify", "--all", "--env", "dev").code == 0


def test_verify_names_a_release_that_is_gone(made: Repository) -> None:
    """Only its runs tell that there was one."""
    shutil.rmtree(made.root / "artifacts/releases/prod/v2")
    outcome = made.attempt("release.verify", "--all")
    assert outcome.code == 7
    assert "prod/v2: NOT as it was sealed\n  release.toml is gone: run 2 named it" in outcome.stdout


def test_a_copy_by_hand_stops_nothing_and_is_named(made: Repository) -> None:
    """Listed past with a warning; `verify` says what it is."""
    folder = made.root / "artifacts/releases/prod/v1"
    shutil.copytree(folder, folder.with_name("v1 (copy)"))
    listed = made.inv("release.list", "--env", "prod")
    assert "prod/v1 (copy) is passed over" in listed.stderr
    assert "v1 " in listed.stdout
    pruned = made.inv("release.prune", "--env", "prod", "--keep", "5")
    assert "(copy) is passed over" in pruned.stderr
    outcome = made.attempt("release.verify", "--all")
    assert outcome.code == 7
    assert "v1 (copy) is no release" in outcome.stdout
    assert "prod/v1: as it was sealed" in outcome.stdout


def test_verify_wants_a_name_or_all(made: Repository) -> None:
    """And one environment's name does not go with another's release."""
    assert made.attempt("release.verify").code == 1
    assert made.attempt("release.verify", "prod/v1", "--env", "dev").code == 2
    assert made.attempt("release.verify", "prod/v9").code == 2


def test_cancel_is_said_and_shown(made: Repository) -> None:
    """Once for all: in the list, by show, and by cancelling again."""
    first = made.inv("release.cancel", "prod/v2", "--reason", "it leaks")
    assert "prod/v2 is cancelled (" in first.stdout
    assert "inv run.rollback --env prod" in first.stderr
    again = made.inv("release.cancel", "prod/v2", "--reason", "other")
    assert "was cancelled already" in again.stdout
    assert "it leaks" in again.stdout
    listed = made.inv("release.list", "--env", "prod").stdout.splitlines()
    assert "CANCELLED, running" in listed[2]
    assert "CANCELLED" not in listed[1] + listed[3]
    assert "CANCELLED by" in made.inv("release.show", "prod/v2").stdout
    shown = made.inv("release.show", "prod/v2", "--json").json
    assert shown["cancelled"]["reason"] == "it leaks"
    records = made.inv("release.list", "--env", "prod", "--json").json
    assert [record.get("cancelled", {}).get("reason") for record in records] == [
        *(None, "it leaks", None)
    ]
    assert [record["current"] for record in records] == [False, True, False]
    assert made.attempt("release.cancel", "prod/v1").code == 2


def test_notes_since_the_release_before_or_another(made: Repository) -> None:
    """As Markdown, or as data."""
    text = made.inv("release.notes", "prod/v3").stdout
    assert text.startswith("# prod/v3\n")
    assert "since prod/v2." in text
    assert "- fix: the login (`" in text
    assert "for the fair" in text
    assert "the first release" in made.inv("release.notes", "prod/v1").stdout
    found = made.inv("release.notes", "prod/latest", "--since", "prod/v1", "--json").json
    assert (found["since"], found["variables"], found["secrets"]) == ("prod/v1", 1, 1)
    assert found["commits"][0]["author"] == "Ann"


def test_prune_says_what_would_go_and_does_it(made: Repository) -> None:
    """The plan changes nothing; after it, the id stays known and is not given again."""
    ledger = FileLedger(made.root / "artifacts")
    release(ledger, "prod", "b2", "more")
    planned = made.inv("release.prune", "--env", "prod", "--keep", "1", "--plan")
    assert planned.stdout.splitlines() == [
        "would prune  prod/v3",
        "kept    prod/v2: it runs, or may",
        "kept    prod/v1: a rollback would go to it",
    ]
    assert len(ledger.releases("prod")) == 4
    done = made.inv("release.prune", "--env", "prod", "--keep", "1", "--json").json
    assert done == {
        "pruned": ["prod/v3"],
        "kept": {"prod/v2": "it runs, or may", "prod/v1": "a rollback would go to it"},
    }
    assert ledger.releases("prod") == ["v4", "v2", "v1"]
    assert "prod/v3: pruned" in made.inv("release.verify", "--all").stdout
    gone = made.attempt("release.show", "prod/v3")
    assert (gone.code, "was pruned on" in gone.stderr) == (2, True)
    assert made.attempt("release.prune", "--env", "prod").code == 2


def test_prune_takes_builds_along_or_alone(made: Repository) -> None:
    """The plan already counts without the releases that would go."""
    ledger = FileLedger(made.root / "artifacts")
    for number in (3, 4, 5):
        build = a_build(f"b{number}", created=NOON + timedelta(minutes=number))
        ledger.reserve_build(build).finish(build)
    alone = made.inv("release.prune", "--builds", "1", "--plan").stdout.splitlines()
    assert alone[:2] == ["would prune  build b4", "would prune  build b3"]
    both = made.inv("release.prune", "--env", "dev", "--keep", "1", "--builds", "1", "--json").json
    assert both["pruned"] == ["build b4", "build b3"]
    assert both["kept"]["build b1"].endswith("is of it")
    assert set(ledger.builds()) == {"b5", "b2", "b1"}
    assert made.attempt("release.prune", "--builds", "x").code == 2


def test_the_last_releases_are_listed(made: Repository) -> None:
    """As many as asked for."""
    assert len(made.inv("release.list", "--env", "prod", "--last", "1").stdout.splitlines()) == 2


def test_a_damaged_release_hides_no_other(made: Repository) -> None:
    """It has a row of its own."""
    made.write("artifacts/releases/prod/v2/release.toml", "")
    listed = made.inv("release.list", "--env", "prod")
    assert [line.split()[:2] for line in listed.stdout.splitlines()[1:]] == [
        ["v3", "b2"],
        ["v2", "damaged"],
        ["v1", "b1"],
    ]
    assert "release.toml" in listed.stderr


def test_what_cannot_be_meant_together_is_said(made: Repository) -> None:
    """One release or all of them; no builds kept is no number, and not the same as none given."""
    both = made.attempt("release.verify", "prod/v1", "--all")
    assert (both.code, "prod/v1, or every release?" in both.stderr) == (2, True)
    none = made.attempt("release.prune", "--builds", "0")
    assert (none.code, "at least one build is kept" in none.stderr) == (2, True)
    release(FileLedger(made.root / "artifacts"), "prod", "b2", "more")
    options = ("--env", "prod", "--keep", "1", "--builds", "0")
    none = made.attempt("release.prune", *options)
    assert (none.code, "at least one build is kept" in none.stderr) == (2, True)
    assert "v3" in made.inv("release.list", "--env", "prod").stdout
