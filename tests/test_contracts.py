"""What ships, and the stand-ins, keep what the contracts of `stagekit.testing` say; what does not
keep it is found out."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyrage.x25519 import Identity

from stagekit import protocols, testing
from stagekit.builtin.age import AgeSecrets
from stagekit.builtin.secrets import EnvironmentSecrets
from stagekit.builtin.sops import STORE, SopsSecrets
from stagekit.engine.programs import find_program
from stagekit.images import ImageFacts
from stagekit.ledger.files import FileLedger
from stagekit.protocols import Engine, Ledger
from stagekit.testing import FakeBuilder, FakeEngine, FakeRunner, FakeSecrets, contracts
from stagekit.testing.contracts import (
    BuilderContract,
    EngineContract,
    LeaseContract,
    LedgerContract,
    RunnerContract,
    SecretProviderContract,
    SecretsAtHand,
)
from stagekit.testing.records import sha
from tests.kept import damage
from tests.repository import Repository
from tests.test_readme import block

VALUES = {"TOKEN": "correct horse battery", "KEY": "line one\nline two"}


class TestFileLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> FileLedger:
        return FileLedger(tmp_path / "artifacts")

    def warned(self, ledger: Ledger) -> str:
        assert isinstance(ledger, FileLedger)
        return (ledger.root / "warnings.log").read_text()

    def damage_build(self, ledger: Ledger, id: str) -> None:
        assert isinstance(ledger, FileLedger)
        damage(ledger.root / f"builds/{id}.toml")


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


class OnAStandIn:
    """An engine that runs nothing, with an image."""

    runs_commands = False

    @pytest.fixture
    def image(self) -> str:
        return "busybox:1"

    @pytest.fixture
    def engine(self, image: str) -> FakeEngine:
        return FakeEngine(images={image: ImageFacts(id=sha("busybox"), size=7)})

    def remove(
        self,
        engine: Engine,
        *,
        images: Sequence[str],
        volumes: Sequence[str],  # noqa: ARG002  # it has none
    ) -> None:
        assert isinstance(engine, FakeEngine)
        for name in images:
            engine.images.pop(name, None)


class TestFakeEngine(OnAStandIn, EngineContract):
    @pytest.fixture
    def repository(self) -> str:
        return "registry.test/contract"


class TestFakeLease(OnAStandIn, LeaseContract):
    pass


class TestFakeBuilder(OnAStandIn, BuilderContract):
    @pytest.fixture
    def builder(self, engine: FakeEngine) -> FakeBuilder:
        return FakeBuilder(engine, fails="broken")

    @pytest.fixture
    def base_image(self, image: str) -> str:
        return image


class TestFakeRunner(OnAStandIn, RunnerContract):
    @pytest.fixture
    def runner(self, engine: FakeEngine) -> FakeRunner:
        return FakeRunner(engine=engine, command=(3, ("moved",)))


PROTOCOLS = [
    name for name in protocols.__all__ if getattr(getattr(protocols, name), "_is_protocol", 0)
]
WITHIN = {"BuildSlot": "Ledger", "ComparisonSlot": "Ledger", "RunJournal": "Ledger"}
"""Those of which one is had through another are looked at there."""


@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_member_of_a_protocol_is_used_by_its_contract(name: str) -> None:
    """Or an implementation that lacks it would pass."""
    contract = getattr(contracts, f"{WITHIN.get(name, name)}Contract")
    unused = members(getattr(protocols, name)) - used_by(contract)
    if name == "Engine":  # its leases have a contract of their own
        unused -= used_by(contracts.LeaseContract)
    assert unused == set()


def test_a_member_that_no_case_uses_is_found() -> None:
    """A contract of another protocol uses few of these."""
    unused = members(protocols.Engine) - used_by(contracts.LeaseContract)
    assert {"push", "load", "url"} <= unused
    assert "lease" not in unused


def members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def used_by(contract: type) -> set[str]:
    """The attributes that the modules of a contract's cases ask of anything."""
    modules = {kind.__module__ for kind in contract.__mro__} - {"builtins"}
    trees = [ast.parse(inspect.getsource(sys.modules[module])) for module in modules]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


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
