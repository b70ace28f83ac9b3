"""What need not be built again: the same inputs, and still there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.inputs.fingerprint import ImageInputs
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.known import current_build, inputs_before, known_images
from stagekit.pipeline.presence import Presence
from stagekit.records import CI, Build, Source, Stored
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON, a_build
from tests.projects import GOCD, a_project, applied, decided, made_from

CLEAN, DIRTY = Source(commit="c" * 40, branch="main"), Source(commit="c" * 40, dirty=True)


class Shop:
    """A project that was built once."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.project = a_project(root, **settings)
        self.engine = FakeEngine()
        self.ledger = FileLedger(self.project.artifacts)
        self.asked_git = 0

    def build(self, wanted: str = "b1", source: Source = CLEAN) -> Build:
        plan = decided(self.project, self.engine, wanted=wanted, source=source, force=True)
        return applied(plan, self.project, self.engine).record

    def current(self, source: Source = CLEAN, ci: CI | None = GOCD) -> str | None:
        def git() -> Source:
            self.asked_git += 1
            return source

        found: Stored[Build] | None = current_build(
            self.project,
            made_from(self.project, self.engine),
            ledger=self.ledger,
            presence=self.presence(),
            ci=ci,
            source=git,
        )
        return found.record.id if found else None

    def known(self) -> dict[str, str]:
        inputs = made_from(self.project, self.engine)
        found, _ = known_images(inputs, ledger=self.ledger, presence=self.presence())
        return {name: image.build for name, image in found.items()}

    def presence(self) -> Presence:
        return Presence(self.engine, emit=Heard(), cancel=Cancel())

    def change(self, text: str = "1") -> None:
        (self.project.root / "web/app.py").write_text(text)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    built = Shop(tmp_path)
    built.build()
    return built


def test_the_newest_build_is_current_while_nothing_changes(shop: Shop) -> None:
    """And git is not even asked."""
    assert shop.current() == "b1"
    assert shop.asked_git == 0


def test_a_change_makes_it_stale(shop: Shop) -> None:
    """Back again, what was built before is known, but the newest build is another one."""
    shop.change()
    assert shop.current() is None
    shop.build("b2")
    assert shop.current() == "b2"
    (shop.project.root / "web/app.py").unlink()
    assert shop.current() is None
    assert shop.known() == {"web": "b1", "api": "b2"}


def test_an_image_that_is_gone_is_not_there(shop: Shop) -> None:
    """Unless its registry still has it, by digest."""
    shop.engine.images.clear()
    shop.engine.registry.clear()
    assert shop.current() is None
    assert shop.known() == {}
    for image in shop.ledger.build("b1").record.images.values():
        shop.engine.registry[image.pin] = str(image.digest)
    assert shop.current() == "b1"
    assert set(shop.known()) == {"web", "api"}


@pytest.mark.parametrize(
    "settings",
    [
        'tags = ["stable"]',
        'tags = ["{{ branch }}"]',
        '[tool.stagekit.checks.starts]\nimage = "web"\nrun = "true"',
    ],
)
def test_new_settings_are_a_new_build(shop: Shop, settings: str) -> None:
    """A tag that is not there yet, a check that it never passed; the images stay known."""
    shop.project = a_project(shop.project.root, settings=settings)
    assert shop.current() is None
    assert shop.known() == {"web": "b1", "api": "b1"}
    shop.build("b2")
    assert shop.current() == "b2"


def test_a_build_whose_id_was_taken_is_current_too(tmp_path: Path) -> None:
    """Its tags are made of the id that it was given."""
    shop = Shop(tmp_path, settings='tags = ["rel-{{ build }}"]')
    shop.build()
    shop.build()
    assert shop.current() == "b1-2"


def test_another_registry_is_a_new_build(shop: Shop) -> None:
    """What was pushed elsewhere is not where this one would be."""
    shop.project = a_project(shop.project.root, registry="other.test")
    assert shop.current() is None
    shop.project = a_project(shop.project.root, registry="")
    assert shop.current() is None


def test_another_image_is_a_new_build(shop: Shop) -> None:
    """One more, and one less."""
    shop.project = a_project(shop.project.root, images="web api tool")
    assert shop.current() is None
    shop.project = a_project(shop.project.root, images="web")
    assert shop.current() is None


def test_a_failed_build_is_not_current_and_hides_none(shop: Shop) -> None:
    """After it, its predecessor's images are taken up again under a new id."""
    later = a_build("b2", status="failed", images={}, created=NOON.replace(year=2999))
    shop.ledger.reserve_build(later).finish(later)
    assert shop.current() is None
    assert shop.known() == {"web": "b1", "api": "b1"}
    assert set(inputs_before(shop.ledger)) == {"web", "api"}


def test_a_damaged_record_hides_none(shop: Shop) -> None:
    """It is passed over, and so is a damaged list of inputs."""
    shop.change()
    shop.build("b2")
    (shop.project.artifacts / "builds/b2.toml").write_bytes(b"")
    (shop.project.root / "web/app.py").unlink()
    assert shop.known() == {"web": "b1", "api": "b1"}
    (shop.project.artifacts / "builds/b1.inputs").write_bytes(b"{")
    assert inputs_before(shop.ledger) == {}


def test_what_was_built_dirty_is_built_again_from_the_commit(tmp_path: Path) -> None:
    """The same files, but now it can be told from which commit."""
    shop = Shop(tmp_path)
    shop.build(source=DIRTY)
    assert shop.current(source=DIRTY) == "b1"
    assert shop.current(source=CLEAN) is None
    again = decided(shop.project, shop.engine, wanted="b2", source=DIRTY)
    assert {image.reason for image in again.images} == {"unchanged since b1"}
    plan = decided(shop.project, shop.engine, wanted="b2", source=CLEAN)
    assert {image.reason for image in plan.images} == {"b1 made it from uncommitted files"}


def test_of_two_builds_that_which_tells_its_commit_is_taken(tmp_path: Path) -> None:
    """Also where the newer one took the image from an older one."""
    shop = Shop(tmp_path)
    shop.build()
    shop.build("b2", source=DIRTY)
    plan = decided(shop.project, shop.engine, wanted="b3", source=CLEAN)
    assert {image.reason for image in plan.images} == {"unchanged since b1"}
    applied(plan, shop.project, shop.engine)
    plan = decided(shop.project, shop.engine, wanted="b4", source=CLEAN)
    assert {image.reason for image in plan.images} == {"unchanged since b1"}


def test_inputs_of_nothing_are_none(tmp_path: Path) -> None:
    """Before the first build there is nothing to compare with."""
    before: dict[str, ImageInputs] = inputs_before(FileLedger(tmp_path))
    assert before == {}
