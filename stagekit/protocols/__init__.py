"""The contracts between stages and what they act on. Plugins implement these.

Every method may raise a `stagekit.errors.StagekitError`; none prints, and none reads the
process's environment.
"""

from stagekit.protocols.engine import Builder, Engine, SecretProvider
from stagekit.protocols.finding import Finding
from stagekit.protocols.lease import Lease
from stagekit.protocols.ledger import BuildSlot, ComparisonSlot, Ids, Ledger, RunJournal
from stagekit.protocols.runner import Runner

__all__ = [
    "BuildSlot",
    "Builder",
    "ComparisonSlot",
    "Engine",
    "Finding",
    "Ids",
    "Lease",
    "Ledger",
    "RunJournal",
    "Runner",
    "SecretProvider",
]
