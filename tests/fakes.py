"""Stand-ins put together, as the stages take them."""

from __future__ import annotations

import os

from stagekit.builtin.shipped import shipped
from stagekit.cancel import Cancel
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run.platform import Platform
from stagekit.plugins import found
from stagekit.plugins.manager import Plugins
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, FakeSecrets, Heard


def shipped_plugins(*own: object) -> Plugins:
    """What ships, and plugins of a test's own."""
    return Plugins([*found.shipping(shipped(), "1"), *found.given(own)])


def platform(
    ledger: FileLedger,
    runner: FakeRunner,
    on: FakeEngine | None = None,
    cancel: Cancel | None = None,
    heard: Heard | None = None,
    **secrets: str,
) -> Platform:
    """What a run is done with, all of it stand-ins but the ledger."""
    return Platform(
        ledger=ledger,
        engine=on or FakeEngine(),
        runner=lambda _kind: runner,
        providers=lambda _name: FakeSecrets(**secrets),
        actor="ann@laptop",
        emit=heard or Heard(),
        cancel=cancel or Cancel(),
        environ={"PATH": os.environ["PATH"]},
        source=ledger.root,
        command="inv run",
    )
