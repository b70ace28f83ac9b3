"""What every implementation of a protocol keeps, as tests to inherit (pytest)."""

from stagekit.testing.contracts.builder import BuilderContract
from stagekit.testing.contracts.engine import EngineContract
from stagekit.testing.contracts.lease import LeaseContract
from stagekit.testing.contracts.ledger import LedgerContract
from stagekit.testing.contracts.runner import RunnerContract
from stagekit.testing.contracts.secrets import SecretProviderContract, SecretsAtHand

__all__ = [
    "BuilderContract",
    "EngineContract",
    "LeaseContract",
    "LedgerContract",
    "RunnerContract",
    "SecretProviderContract",
    "SecretsAtHand",
]
