"""Base images: the engine's word, else the registry's, and that not every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.images import ImageFacts
from stagekit.inputs import bases as module
from stagekit.inputs.bases import BaseImages
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import Heard
from stagekit.testing.records import sha

ONE, TWO = sha("one"), sha("two")


def asked(
    engine: FakeEngine,
    root: Path,
    name: str = "node:22",
    *,
    fresh: bool = False,
    read_only: bool = False,
    heard: Heard | None = None,
) -> str | None:
    bases = BaseImages(
        engine,
        root / "cache/bases.json",
        fresh=fresh,
        read_only=read_only,
        emit=heard if heard is not None else Heard(),
        cancel=Cancel(),
    )
    answer = bases.digest(name)
    assert bases.digest(name) == answer
    return answer


def on_engine(*digests: str) -> FakeEngine:
    return FakeEngine(images={"node:22": ImageFacts(id=sha("id"), size=1, digests=digests)})


def test_the_engine_answers_by_the_registrys_digest(tmp_path: Path) -> None:
    """The same whether it is pulled already or not: pulling changes no fingerprint."""
    assert asked(on_engine(f"node@{ONE}", f"mirror.test/node@{TWO}"), tmp_path) == ONE
    assert asked(FakeEngine(registry={"node:22": ONE}), tmp_path) == ONE


def test_an_image_of_no_registry_is_known_by_its_id(tmp_path: Path) -> None:
    """It was built on this engine."""
    assert asked(on_engine(), tmp_path) == sha("id")


def test_a_registry_is_asked_once_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before every build, and not only once for ever."""
    now = 1_000_000.0
    monkeypatch.setattr(module.time, "time", lambda: now)
    engine = FakeEngine(registry={"node:22": ONE})
    asked(engine, tmp_path)
    engine.registry["node:22"] = TWO
    now += 3599
    assert asked(engine, tmp_path) == ONE
    assert engine.calls == [("ask", "node:22")]
    now += 2
    assert asked(engine, tmp_path) == TWO


def test_fresh_asks_now_and_pulls(tmp_path: Path) -> None:
    """What --pull is for."""
    engine = FakeEngine(registry={"node:22": ONE})
    asked(engine, tmp_path)
    engine.registry["node:22"] = TWO
    assert asked(engine, tmp_path, fresh=True) == TWO
    pulled = on_engine(f"node@{ONE}")
    asked(pulled, tmp_path, fresh=True)
    assert pulled.calls == [("pull", "node:22")]


def test_what_only_looks_pulls_nothing(tmp_path: Path) -> None:
    """The registry says what it would be; where it does not, the engine's image is what is there,
    whatever the registry once said."""
    engine = on_engine(f"node@{ONE}")
    engine.registry["node:22"] = TWO
    assert asked(engine, tmp_path, fresh=True, read_only=True) == TWO
    assert engine.calls == [("ask", "node:22")]
    asked(FakeEngine(registry={"node:22": TWO}), tmp_path)
    heard = Heard()
    alone = on_engine(f"node@{ONE}")
    assert asked(alone, tmp_path, fresh=True, read_only=True, heard=heard) == ONE
    assert "does not say what it is" in heard.text


def test_a_registry_that_does_not_answer_is_said_and_its_last_word_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour without a network rebuilds nothing."""
    now, heard = 1_000_000.0, Heard()
    monkeypatch.setattr(module.time, "time", lambda: now)
    asked(FakeEngine(registry={"node:22": ONE}), tmp_path)
    now += 4000
    assert asked(FakeEngine(), tmp_path, heard=heard) == ONE
    assert "base image node:22: its registry does not say what it is" in heard.text
    assert asked(FakeEngine(), tmp_path, "unknown:1") is None


def test_a_damaged_memory_is_none(tmp_path: Path) -> None:
    """The registry is asked again."""
    engine = FakeEngine(registry={"node:22": ONE})
    asked(engine, tmp_path)
    (tmp_path / "cache/bases.json").write_bytes(b"{")
    assert asked(engine, tmp_path) == ONE
    assert engine.calls == [("ask", "node:22")] * 2


def test_a_digest_of_another_repository_is_the_manifests_all_the_same(tmp_path: Path) -> None:
    """Pulled by digest later, under its own name, it is no other image."""
    before = on_engine(f"mirror.test/library/node@{ONE}")
    after = on_engine(f"mirror.test/library/node@{ONE}", f"node@{ONE}")
    assert asked(before, tmp_path) == asked(after, tmp_path) == ONE
