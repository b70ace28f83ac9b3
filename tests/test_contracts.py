"""What ships, and the stand-ins, keep what the contracts of `stagekit.testing` say; what does not
keep it is found out."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pyrage.x25519 import Identity

from stagekit import protocols, testing
from stagekit.builtin.age import AgeSecrets
from stagekit.builtin.secrets import EnvironmentSecrets
from stagekit.builtin.sops import STORE, SopsSecrets
from stagekit.engine.programs import find_program
from stagekit.ledger.files import FileLedger
from stagekit.records import Release, Stored
from stagekit.testing import FakeSecrets, contracts
from stagekit.testing.contracts import LedgerContract, SecretProviderContract, SecretsAtHand
from tests.repository import Repository
from tests.test_readme import block

VALUES = {"TOKEN": "correct horse battery", "KEY": "line one\nline two"}


class TestFileLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> FileLedger:
        return FileLedger(tmp_path / "artifacts")


class TestEnvironmentSecrets(SecretProviderContract):
    @pytest.fixture
    def at_hand(self) -> SecretsAtHand:
        environ = {f"STAGEKIT_SECRET_{name}": value for name, value in VALUES.items()}
        return SecretsAtHand(EnvironmentSecrets(environ), VALUES)


class TestAgeSecrets(SecretProviderContract):
    @pytest.fixture
    def at_hand(self, repository: Repository, tmp_path: Path) -> SecretsAtHand:
        identity = tmp_path / "identity"
        repository.inv("secrets.keygen", "--env", "dev", "--to", str(identity), "--name", "ana")
        environ = {"STAGEKIT_AGE_IDENTITY": str(identity)}
        for name, value in VALUES.items():
            repository.inv("secrets.set", name, "--env", "dev", "--exact", stdin=value, **environ)
        return SecretsAtHand(AgeSecrets(environ), VALUES, [repository.root / "environments/dev"])


class TestSopsSecrets(SecretProviderContract):
    @pytest.fixture
    def at_hand(self, tmp_path: Path) -> SecretsAtHand:
        identity = Identity.generate()
        store = tmp_path / STORE
        store.write_text(json.dumps(VALUES))
        program = find_program("sops", os.environ)
        assert program
        sealing = [program, "encrypt", "--age", str(identity.to_public()), "--in-place", store]
        subprocess.run(sealing, check=True)
        environ = {**os.environ, "SOPS_AGE_KEY": str(identity)}
        return SecretsAtHand(SopsSecrets(environ), VALUES, [tmp_path])


class TestFakeSecrets(SecretProviderContract):
    @pytest.fixture
    def at_hand(self) -> SecretsAtHand:
        return SecretsAtHand(FakeSecrets(**VALUES), VALUES)


class Telling(FakeSecrets):
    """A provider that carries what it should not."""

    def carried(self, *_: object) -> Mapping[str, bytes]:
        return {"secrets.toml": json.dumps(VALUES).encode()}


class Forgetting(FileLedger):
    """A ledger that numbers what it was given otherwise than it says."""

    def release(self, env: str, id: str) -> Stored[Release]:  # noqa: ARG002  # that is its fault
        return super().release(env, self.releases(env)[0])


def test_what_does_not_keep_it_is_found_out(tmp_path: Path) -> None:
    """A provider that carries values in clear, and a ledger that answers with another release."""
    telling = SecretsAtHand(Telling(**VALUES), VALUES)
    with pytest.raises(AssertionError):
        SecretProviderContract().test_nothing_in_clear_is_carried(telling)
    forgetting = Forgetting(tmp_path)
    with pytest.raises(pytest.fail.Exception):
        LedgerContract().test_a_missing_release_is_told_which_there_are(forgetting)


def test_each_protocol_has_a_contract() -> None:
    """Those of which one is had through another are looked at there."""
    within = {"BuildSlot", "ComparisonSlot", "RunJournal"}  # a ledger's
    named = {
        name for name in protocols.__all__ if getattr(getattr(protocols, name), "_is_protocol", 0)
    }
    assert {f"{name}Contract" for name in named - within} <= set(contracts.__all__)


def test_every_public_name_is_told_of() -> None:
    """In its own docstring, and in docs/plugins.md."""
    text = (Path(__file__).parents[1] / "docs/plugins.md").read_text()
    for module in (testing, contracts):
        for name in module.__all__:
            assert inspect.getdoc(getattr(module, name)), name
            assert f"`{name}`" in text, name


def test_the_example_of_the_documentation_passes(tmp_path: Path) -> None:
    """As it stands in docs/plugins.md, run by pytest on its own."""
    (tmp_path / "test_vault.py").write_text(
        block("python", "SecretProviderContract", "docs/plugins.md")
    )
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["stagekit.testing.fixtures"]\n')
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_nothing_of_it_is_loaded_by_the_tasks(repository: Repository) -> None:
    """It is for tests."""
    repository.write(
        "tasks.py",
        "import sys\nimport stagekit\nfrom invoke import task\n\n@task\ndef loaded(c):\n"
        '    """Say so."""\n    print([name for name in sys.modules if "testing" in name])\n'
        "ns = stagekit.collection(loaded)\n",
    )
    assert repository.inv("loaded").stdout == "[]\n"
