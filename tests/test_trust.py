"""Whatever brings a release up asks plugins first whether they trust it, and keys are found where
they are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import stagekit
from stagekit.builtin.keys import Keys
from stagekit.builtin.sign import Sign
from stagekit.cancel import Cancel
from stagekit.containers import CommandAsked
from stagekit.errors import InputError, RunFailed
from stagekit.events import ignore
from stagekit.inputs.project import load_project
from stagekit.ledger.files import FileLedger
from stagekit.pipeline import sides
from stagekit.pipeline.compare import compare
from stagekit.pipeline.run import comparison, flow, services
from stagekit.pipeline.run.halves import Asked
from stagekit.pipeline.run.platform import Platform
from stagekit.records import Release, Stored
from stagekit.testing.fakes import FakeRunner
from stagekit.testing.records import a_container, ran, released
from tests.fakes import platform, shipped_plugins
from tests.repository import Repository
from tests.test_run import UP, engine, up

KEYS = '\n[tool.stagekit.sign]\nkey = "cosign.key"\npublic_key = "cosign.pub"\n'


class Distrusting:
    """A plugin that trusts no release but some."""

    def __init__(self, *trusted: str) -> None:
        self.trusted = trusted

    @stagekit.hookimpl
    def stagekit_verify_release(self, release: Stored[Release]) -> None:
        if release.record.id not in self.trusted:
            raise InputError(f"{release.record.name} is not ours")


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """A ledger whose prod has v2, and runs v1."""
    ledger = FileLedger(tmp_path)
    released(ledger)
    ran(ledger, "v1")
    released(ledger)
    return ledger


def distrusting(ledger: FileLedger, runner: FakeRunner, *trusted: str) -> Platform:
    on = platform(ledger, runner, engine())
    return replace(on, plugins=shipped_plugins(Distrusting(*trusted)))


def compared(on: Platform) -> object:
    old, new = (sides.released(on.ledger, "prod", id) for id in ("v1", "v2"))
    return comparison.plan(("prod", "v1"), ("prod", "v2"), Asked(), compare(old, new, None), on)


@pytest.mark.parametrize(
    "bring_up",
    [
        lambda on: flow.run("prod", release_id=None, reason="run", on=on),
        lambda on: flow.run("prod", release_id="v1", reason="rollback", on=on),
        lambda on: flow.plan("prod", release_id=None, reason="run", on=on),
        lambda on: flow.scaled("prod", {"web": 2}, on),
        lambda on: services.beside(
            "prod", CommandAsked(service="web", command=("sh",)), on, on.ledger.root
        ),
        compared,
    ],
    ids=["run", "rollback", "plan", "scale", "once", "compare"],
)
def test_what_is_not_trusted_does_not_come_up(
    ledger: FileLedger, bring_up: Callable[[Platform], object]
) -> None:
    """Nothing is locked, nothing is asked of the engine, and no run is recorded."""
    runner = up([UP])
    on = distrusting(ledger, runner)
    with pytest.raises(InputError, match="is not ours"):
        bring_up(on)
    assert runner.calls == []
    assert list(ledger.runs("prod")) == [1]
    assert ledger.unfinished_run("prod") is None


def test_nothing_goes_back_to_what_is_not_trusted(ledger: FileLedger) -> None:
    """A run that fails says both, and what is up stays for somebody to look at."""
    runner = up([a_container(state="exited", exit_code=3)])
    with pytest.raises(RunFailed, match=r"going back to prod/v1 failed too: .*is not ours"):
        flow.run("prod", release_id=None, reason="run", on=distrusting(ledger, runner, "v2"))
    assert runner.calls.count("up") == 1


def test_a_run_records_who_vouches_for_its_release(ledger: FileLedger) -> None:
    """Of all that were asked; where nobody was, it has no such step."""

    class Vouching:
        @stagekit.hookimpl
        def stagekit_verify_release(self) -> list[str]:
            return ["signed by ann.pub", "approved by ops"]

    for own in ([Vouching(), Distrusting("v2")], []):
        on = replace(platform(ledger, up([UP]), engine()), plugins=shipped_plugins(*own))
        flow.run("prod", release_id=None, reason="run", on=on)
    outcomes = [
        [step.outcome for step in ledger.run("prod", n).record.steps if step.name == "trust"]
        for n in (2, 3)
    ]
    assert outcomes == [["signed by ann.pub; approved by ops"], []]


def test_a_machine_without_the_source_verifies_where_it_has_a_key(
    ledger: FileLedger, tmp_path: Path
) -> None:
    """No environment is there to ask for it, and the release may have been made to ask for
    nothing."""
    (tmp_path / "cosign.pub").write_text("")
    project, release = load_project(tmp_path, {}), ledger.release("prod", "v2")

    def verify(**environ: str) -> None:
        signer = Sign(project, lambda: ledger, {"PATH": "", **environ}, Cancel())
        signer.stagekit_verify_release(release, ignore)

    verify()
    with pytest.raises(InputError, match="cosign is not installed"):
        verify(STAGEKIT_PUBLIC_KEY="cosign.pub")


@pytest.mark.parametrize(
    ("environ", "private", "public"),
    [
        ({}, "cosign.key", "cosign.pub"),
        ({"STAGEKIT_SIGN_KEY": "awskms:///alias/ci"}, "awskms:///alias/ci", "cosign.pub"),
        ({"STAGEKIT_PUBLIC_KEY": "env://THEIRS"}, "cosign.key", "env://THEIRS"),
    ],
)
def test_a_key_is_named_by_settings_or_the_environment(
    repository: Repository, environ: Mapping[str, str], private: str, public: str
) -> None:
    """The environment's goes before: a CI has its own."""
    repository.write("pyproject.toml", repository.read("pyproject.toml") + KEYS)
    for name in ("cosign.key", "cosign.pub"):
        repository.write(name, "")
    keys = Keys.of_project(load_project(repository.root, {}), environ)
    assert (keys.to_sign(), keys.to_verify("prod")) == (private, public)


@pytest.mark.parametrize(
    ("private", "environ", "lacks"),
    [
        ("cosign.key", {}, True),
        ("cosign.key", {"COSIGN_PASSWORD": ""}, False),
        ("gcpkms://projects/p", {}, False),
        ("pkcs11:token=ci", {}, False),
    ],
)
def test_a_file_wants_a_password(
    repository: Repository, private: str, environ: Mapping[str, str], *, lacks: bool
) -> None:
    """An empty one is one; what is kept elsewhere has none."""
    given = {**environ, "STAGEKIT_SIGN_KEY": private}
    keys = Keys.of_project(load_project(repository.root, {}), given)
    assert keys.lacks_password is lacks


def test_a_key_that_is_not_there_is_told_of(repository: Repository) -> None:
    """By whoever needs it, and by doctor: what signs may be elsewhere, what verifies may not."""
    repository.write("environments/prod/config.toml", "[stagekit]\nverify_signatures = true\n")
    found = {item["name"]: item for item in repository.attempt("doctor", "--json").json}
    assert found["public key"]["where"] == "none is named, and wanted by prod"
    assert found["public key"]["needed"]
    repository.write("pyproject.toml", repository.read("pyproject.toml") + KEYS)
    found = {item["name"]: item for item in repository.attempt("doctor", "--json").json}
    for name, needed in (("signing key", False), ("public key", True)):
        assert (found[name]["found"], found[name]["needed"]) == (False, needed)
    keys = Keys.of_project(load_project(repository.root, {}), {})
    with pytest.raises(InputError, match=r"cosign\.key: there is no such key") as caught:
        keys.to_sign()
    assert "cosign generate-key-pair" in str(caught.value.hint)
    with pytest.raises(InputError, match=r"cosign\.pub: there is no such key"):
        keys.to_verify("prod")
    nobody = Keys.of_project(load_project(repository.root / "app", {}), {})
    with pytest.raises(InputError, match="no key is named to sign with"):
        nobody.to_sign()
    with pytest.raises(InputError, match="prod wants signatures verified"):
        nobody.to_verify("prod")
