"""Whether an image that was built is still there: what a registry does not say, it has not said."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import Cancelled, EngineError, RegistryError, StagekitError
from stagekit.images import ImageFacts
from stagekit.pipeline.presence import GONE, Presence
from stagekit.records import BuiltImage
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import Heard
from stagekit.testing.records import sha
from tests.projects import a_project, applied, decided

AWAY = RegistryError("cannot ask: 503 Service Unavailable", transient=True)
DENIED = RegistryError("cannot ask: unauthorized", hint="docker login")

IMAGE = BuiltImage(
    repository="r.test/web",
    tags=("b1",),
    image_id=sha("id"),
    size=1,
    pushed=True,
    digest=sha("one"),
)


class Failing(FakeEngine):
    """An engine whose registry answers with these errors first."""

    errors: tuple[StagekitError, ...] = ()
    asked = 0

    def registry_digest(self, reference: str) -> str:
        self.asked += 1
        if self.errors:
            error, *rest = self.errors
            self.errors = tuple(rest)
            raise error
        return super().registry_digest(reference)


def failing(*errors: StagekitError, registry: dict[str, str] | None = None) -> Failing:
    engine = Failing(registry=registry or {})
    engine.errors = errors
    return engine


def lack(
    engine: FakeEngine, heard: Heard | None = None, cancel: Cancel | None = None
) -> str | None:
    presence = Presence(engine, emit=heard or Heard(), cancel=cancel or Cancel())
    said = presence.lack(IMAGE)
    assert presence.lack(IMAGE) == said
    return said


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stagekit.retry._FIRST_WAIT", 0.0)


def test_it_is_on_the_engine_or_in_its_registry_by_its_digest() -> None:
    """Another digest than the one that was asked for is a lie, and no image."""
    there = FakeEngine(images={sha("id"): ImageFacts(id=sha("id"), size=1)})
    assert lack(there) is None
    assert there.calls == []
    assert lack(FakeEngine(registry={IMAGE.pin: sha("one")})) is None
    assert lack(FakeEngine(registry={IMAGE.pin: sha("two")})) == GONE
    assert lack(FakeEngine()) == GONE


def test_a_registry_that_hiccups_is_asked_again() -> None:
    """One 503 builds nothing anew."""
    heard, engine = Heard(), failing(AWAY, registry={IMAGE.pin: sha("one")})
    assert lack(engine, heard) is None
    assert "503 Service Unavailable; again in" in heard.text


@pytest.mark.parametrize(
    ("errors", "asked"),
    [((AWAY,) * 3, 3), ((DENIED,), 1), ((EngineError("the engine does not answer"),), 1)],
)
def test_what_nobody_says_is_told(errors: tuple[StagekitError, ...], asked: int) -> None:
    """Once of each image, with what is wrong: nobody said that it is gone."""
    heard, engine = Heard(), failing(*errors)
    said = lack(engine, heard)
    assert said == f"nobody can tell whether its image is still there ({errors[0].what})"
    assert heard.text.count(f"{IMAGE.pin}: {said}") == 1
    assert engine.asked == asked


def test_a_stop_ends_the_waiting() -> None:
    """It is no answer."""
    cancel = Cancel()
    cancel.request()
    with pytest.raises(Cancelled):
        lack(failing(Cancelled("stopped on request")), cancel=cancel)


def test_a_build_says_why_it_builds_what_it_cannot_see(tmp_path: Path) -> None:
    """On an agent that has no image yet: a login is missing, nothing is gone."""
    project, engine = a_project(tmp_path, images="web"), FakeEngine()
    applied(decided(project, engine), project, engine)
    heard = Heard()
    [image] = decided(project, failing(DENIED), heard=heard).images
    assert image.known is None
    assert "nobody can tell whether its image is still there (cannot ask: unauthorized)" in (
        image.reason
    )
    assert "unauthorized" in heard.text
    [image] = decided(project, failing(AWAY, registry=engine.registry)).images
    assert image.reason == "unchanged since shop-7"
