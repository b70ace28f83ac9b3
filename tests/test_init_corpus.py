"""Compose files of every shape move in, and nothing is lost without a word. The real Compose reads
them.

What a release cannot have of one stands on top of it: ``# lost: FILE:LINE: what is said``.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose, find_compose
from stagekit.init.plan import Plan, apply, plan

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path.name for path in CORPUS.iterdir())

_LOST = re.compile(r"^# lost: (.*)$", re.MULTILINE)
_HIDDEN = re.compile(r"hunter2[\w-]*")


@pytest.fixture(scope="module")
def compose() -> Compose:
    """The real Compose of this machine; it needs no engine to normalise a document."""
    return find_compose(os.environ, {})


def moved_in(root: Path, compose: Compose) -> Plan:
    return plan(root, named=(), ci="", force=False, compose=lambda: compose, cancel=Cancel())


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_there_are_enough() -> None:
    """The corpus is not empty."""
    assert len(CASES) >= 30


@pytest.mark.parametrize("case", CASES)
def test_it_moves_in(case: str, compose: Compose, tmp_path: Path) -> None:
    """Nothing is unexplained; what is lost is said by file and line, and nothing else is; no secret
    is written or told; a second time changes nothing."""
    root = tmp_path / case
    shutil.copytree(CORPUS / case, root)
    before = contents(root)
    said = [text for data in before.values() for text in _LOST.findall(data.decode())]

    decided = moved_in(root, compose)

    assert [item for proof in decided.proofs for item in proof.unexplained] == []
    lost = [f"{finding.where}: {finding.what}" for finding in decided.lost]
    assert len(lost) == len(said), lost
    for text in said:
        assert any(line.startswith(text) for line in lost), lost
    for proof in decided.proofs:
        assert proof.compared or said

    apply(decided)
    after = contents(root)
    assert {name: data for name, data in after.items() if name in before} == before
    hidden = {text for data in before.values() for text in _HIDDEN.findall(data.decode())}
    old = {item.source for item in decided.files}
    told = repr((decided.findings, decided.proofs))
    for value in hidden:
        literal = any(value.encode() in before[name] for name in old if name)
        assert value not in told
        assert literal or not any(
            value.encode() in data for name, data in after.items() if name not in before
        )
    again = moved_in(root, compose)
    apply(again)
    assert contents(root) == after
    assert {item.action for item in again.files} == {"same"}
