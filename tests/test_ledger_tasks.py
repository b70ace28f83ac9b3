"""A shared ledger as it is used: set in pyproject.toml, over ssh, offline, from several clones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagekit.events import ignore
from stagekit.ledger.files import FileLedger
from stagekit.ledger.git.address import parse_address
from stagekit.ledger.git.ledger import GitLedger
from stagekit.ledger.git.opening import open_ledger
from stagekit.testing.project import TemporaryProject
from stagekit.testing.records import a_build, a_run, ran, released
from tests.git_https import git_over_https
from tests.machines import git
from tests.repository import Repository
from tests.sshd import Sshd, sshd


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    git("init", "--quiet", "--bare", tmp_path / "ledger.git")
    return tmp_path / "ledger.git"


@pytest.fixture
def shared(repository: Repository, remote: Path) -> Repository:
    """A repository whose records, three releases and two runs, were moved into a shared ledger."""
    files = FileLedger(repository.root / "artifacts")
    files.reserve_build(a_build("b1")).finish(a_build("b1"))
    for _ in range(3):
        released(files)
    for id in ("v1", "v2"):
        ran(files, id)
    settings = repository.read("pyproject.toml")
    settings += f'\n[tool.stagekit.ledger]\nurl = "{remote}#ledger"\n'
    repository.write("pyproject.toml", settings)
    moved = repository.inv("ledger.import", "--json").json
    assert moved == {"builds": 1, "releases": 3, "runs": 2}
    shutil.rmtree(repository.root / "artifacts")
    return repository


def shared_ledger(shared: Repository, remote: Path) -> GitLedger:
    """What commands of that repository have."""
    address = parse_address(f"{remote}#ledger", shared.root, where="a test")
    artifacts = shared.root / "artifacts"
    return open_ledger(address, artifacts, actor="ann@laptop", emit=ignore, environ=os.environ)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with sshd(tmp_path_factory.mktemp("sshd"), port) as server:
        yield server


def test_records_are_read_from_the_shared_ledger(shared: Repository) -> None:
    """As if they lay in artifacts/: nothing else is typed."""
    assert "v3" in shared.inv("release.list", "--env", "prod").stdout
    assert shared.inv("run.show", "prod/2", "--json").json["release"]["id"] == "v2"
    assert [run["n"] for run in shared.inv("run.history", "--env", "prod", "--json").json] == [2, 1]
    assert shared.inv("release.cancel", "prod/v3", "--reason", "leaks").code == 0
    assert "CANCELLED" in shared.inv("release.list", "--env", "prod").stdout


def test_status_says_how_it_stands(shared: Repository, remote: Path) -> None:
    """For people and for machines; away, it says so and exits with 7."""
    said = shared.inv("ledger.status").stdout
    assert f"{remote}#ledger" in said
    assert "answers: yes" in said
    state = shared.inv("ledger.status", "--json").json
    assert (state["answers"], state["entries"], state["kept"]) == (True, 1, [])
    remote.rename(remote.with_name("gone"))
    away = shared.attempt("ledger.status", "--json")
    assert (away.code, away.json["answers"], away.json["entries"]) == (7, False, 1)
    assert "does not appear to be a git repository" in away.json["problem"]


def test_status_says_what_is_refused(shared: Repository, remote: Path) -> None:
    """It answers, and does not take what waits: why, and exit code 7. Everything can be read."""
    journal = shared_ledger(shared, remote).begin_run("prod", {})
    hook = remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    journal.finish(a_run(journal.n))
    journal.close()
    state = shared.attempt("ledger.status", "--json")
    assert (state.code, state.json["answers"]) == (7, True)
    assert "refuses the push" in state.json["problem"]
    said = shared.attempt("ledger.status").stdout
    assert "answers: yes" in said
    assert "kept here: runs/prod/3.toml; " in said
    listed = shared.inv("run.history", "--env", "prod", "--json")
    assert [run["n"] for run in listed.json] == [3, 2, 1]
    assert "let this user push to that branch" in listed.stderr
    hook.unlink()
    assert shared.inv("ledger.status", "--json").json["kept"] == []


def test_offline_it_is_read_and_not_written(shared: Repository, remote: Path) -> None:
    """What was seen is listed, with a note on stderr; what would be lost is refused."""
    shared.inv("release.list", "--env", "prod")
    remote.rename(remote.with_name("gone"))
    listed = shared.inv("release.list", "--env", "prod", "--json")
    assert [release["id"] for release in listed.json] == ["v3", "v2", "v1"]
    assert "read as it was" in listed.stderr
    refused = shared.attempt("release.cancel", "prod/v3", "--reason", "leaks")
    assert refused.code == 7
    assert "this was not recorded: type it again when the ledger answers" in refused.stderr


def test_a_ledger_comes_back_as_files(shared: Repository) -> None:
    """`ledger.export` and no setting: stagekit goes on from there."""
    assert shared.inv("ledger.verify", "--json").json["entries"] == 1
    moved = shared.inv("ledger.export", "--json").json
    assert moved == {"builds": 1, "releases": 3, "runs": 2}
    alone = {"STAGEKIT_LEDGER": ""}
    assert "v3" in shared.inv("release.list", "--env", "prod", **alone).stdout
    assert shared.inv("ledger.status", "--json", **alone).json == {
        "url": None,
        "folder": "artifacts",
    }


def test_without_a_shared_ledger_nothing_is_moved(repository: Repository) -> None:
    """The error says what to set."""
    refused = repository.attempt("ledger.import")
    assert refused.code == 2
    assert "STAGEKIT_LEDGER" in refused.stderr


def test_a_folder_without_records_is_not_moved(shared: Repository) -> None:
    """A misspelt one is no success; one that was moved before is."""
    refused = shared.attempt("ledger.import", "--from", "nosuch")
    assert (refused.code, refused.stdout) == (2, "")
    assert f"{shared.root / 'nosuch'}: there are no records" in refused.stderr
    assert "inv ledger.import --from DIR" in refused.stderr
    shared.inv("ledger.export", "--to", "copy")
    assert "all of it was there" in shared.inv("ledger.import", "--from", "copy").stdout


def test_its_history_is_checked(shared: Repository) -> None:
    """It says what was looked at."""
    said = shared.inv("ledger.verify").stdout
    assert "entries: 1, each names the one before it; what they add is listed and there" in said


def test_the_doctor_looks_at_it(shared: Repository, remote: Path) -> None:
    """A line of its own, and what to type where it does not answer."""
    found = {part["name"]: part for part in shared.attempt("doctor", "--json").json}
    assert found["ledger"]["found"]
    remote.rename(remote.with_name("gone"))
    found = {part["name"]: part for part in shared.attempt("doctor", "--json").json}
    assert not found["ledger"]["found"]
    assert "inv ledger.status" in found["ledger"]["hint"]


def test_completion_asks_no_remote(shared: Repository, remote: Path) -> None:
    """What was seen last is offered, also while the remote is away."""
    shared.inv("release.list", "--env", "prod")
    remote.rename(remote.with_name("gone"))
    words = ("inv", "release.show", "prod/")
    offered = shared.inv("completion", "zsh", "--candidates", "--", *words)
    assert "prod/v2" in offered.stdout
    assert offered.stderr == ""


def test_over_ssh(shared: Repository, remote: Path, server: Sshd, tmp_path: Path) -> None:
    """A server reached by a key: clones elsewhere read and write the same ledger."""
    url = f"git+ssh://{server.host}{remote}#ledger"
    other = TemporaryProject.create(tmp_path / "other", shared.environ)
    environ = {"STAGEKIT_LEDGER": url, "GIT_SSH_COMMAND": server.ssh}
    assert len(other.inv("release.list", "--env", "prod", "--json", **environ).json) == 3
    other.inv("release.cancel", "prod/v3", "--reason", "leaks", **environ)
    assert "CANCELLED" in shared.inv("release.list", "--env", "prod").stdout


def test_ssh_never_asks(shared: Repository, remote: Path, server: Sshd) -> None:
    """Without a key that is let in the answer is an error, not a prompt."""
    url = f"git+ssh://{server.host}{remote}#ledger"
    stranger = server.ssh.replace("/user ", "/host ")
    refused = shared.attempt(
        *("release.list", "--env", "prod"), STAGEKIT_LEDGER=url, GIT_SSH_COMMAND=stranger
    )
    assert refused.code == 7
    assert "Permission denied (publickey)" in refused.stderr


def test_over_https(shared: Repository, remote: Path, tmp_path: Path) -> None:
    """Where git trusts the certificate, clones elsewhere read and write the same ledger."""
    other = TemporaryProject.create(tmp_path / "other", shared.environ)
    with git_over_https(remote.parent, tmp_path / "certificates") as server:
        environ = {"STAGEKIT_LEDGER": f"git+{server.url}/{remote.name}#ledger"}
        refused = other.attempt("release.list", "--env", "prod", **environ)
        assert refused.code == 7
        assert "certificate verification failed" in refused.stderr
        environ["GIT_SSL_CAINFO"] = str(server.authority)
        assert len(other.inv("release.list", "--env", "prod", "--json", **environ).json) == 3
        other.inv("release.cancel", "prod/v3", "--reason", "leaks", **environ)
    assert "CANCELLED" in shared.inv("release.list", "--env", "prod").stdout


def test_https_never_asks(shared: Repository, remote: Path, tmp_path: Path) -> None:
    """Where a name and a password are wanted, and no helper of git's has them."""
    folder = tmp_path / "certificates"
    with git_over_https(remote.parent, folder, password="secret") as server:
        environ = {"STAGEKIT_LEDGER": f"git+{server.url}/{remote.name}#ledger"}
        environ["GIT_SSL_CAINFO"] = str(server.authority)
        refused = shared.attempt("release.list", "--env", "prod", **environ)
    assert refused.code == 7
    assert "could not read Username" in refused.stderr


def test_inside_a_hook_of_git_it_is_the_ledgers_repository(shared: Repository) -> None:
    """GIT_DIR and the like are those of whoever called us, and are passed over."""
    git("init", "--quiet", shared.root)
    environ = {"GIT_DIR": str(shared.root / ".git"), "GIT_INDEX_FILE": "nowhere/index"}
    assert "v3" in shared.inv("release.list", "--env", "prod", **environ).stdout
    assert git("-C", shared.root, "for-each-ref") == ""


PLUGIN = """
from pathlib import Path
import stagekit
from stagekit.ledger.files import FileLedger

class Shelf:
    @stagekit.hookimpl
    def stagekit_ledger(self, url: str):
        kind, _, path = url.partition("://")
        return FileLedger(Path(path)) if kind == "shelf" else None

ns = stagekit.collection(plugins=[Shelf()])
"""


def test_a_plugin_offers_another_ledger(repository: Repository, tmp_path: Path) -> None:
    """By the address that it knows; git takes the others. Its records are not ours to move."""
    released(FileLedger(tmp_path / "shelf"))
    repository.write("tasks.py", PLUGIN)
    environ = {"STAGEKIT_LEDGER": f"shelf://{tmp_path}/shelf"}
    listed = repository.inv("release.list", "--env", "prod", "--json", **environ).json
    assert [release["id"] for release in listed] == ["v1"]
    refused = repository.attempt("ledger.status", **environ)
    assert (refused.code, "is the ledger of a plugin" in refused.stderr) == (2, True)
    git_takes_it = repository.attempt("ledger.status", STAGEKIT_LEDGER="nowhere.git")
    assert git_takes_it.code == 7
