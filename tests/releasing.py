"""Releases made without an engine: the real Compose, a stand-in that knows every image's digest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose, find_compose
from stagekit.inputs.environment import load_environment
from stagekit.inputs.project import load_project
from stagekit.ledger.files import FileLedger
from stagekit.pipeline import release as stage
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import Heard
from stagekit.testing.records import a_build, sha
from tests.fakes import shipped_plugins


class KnowingEngine(FakeEngine):
    """An engine whose registry has every image."""

    def registry_digest(self, reference: str) -> str:
        return sha(reference)


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def plan_of(
    root: Path,
    env: str = "prod",
    *,
    compose: Compose | None = None,
    given: Sequence[str] = (),
    heard: Heard | None = None,
) -> stage.Plan:
    """What a release of the project in ``root`` would be, of a build with the image ``web``."""
    return stage.decide(facts_of(root, env, compose=compose, given=given, heard=heard))


def facts_of(
    root: Path,
    env: str = "prod",
    *,
    compose: Compose | None = None,
    given: Sequence[str] = (),
    heard: Heard | None = None,
) -> stage.Facts:
    """What that release is decided from."""
    ledger = FileLedger(root / "artifacts")
    if not ledger.builds():
        ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    project = load_project(root, {})
    return stage.gather(
        project,
        load_environment(project, env, options=given),
        ledger.build("b1"),
        stage.Asked(actor="ann@laptop"),
        ledger=ledger,
        engine=KnowingEngine(),
        compose=compose or find_compose(os.environ, {}),
        providers=lambda name: shipped_plugins().secret_provider(name, {}),
        emit=heard or Heard(),
        cancel=Cancel(),
    )
