"""What runs, written as a release: what is not as it was released shows in a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.containers import Container
from stagekit.errors import InputError
from stagekit.images import ImageFacts
from stagekit.inputs.document import to_yaml
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.as_running import as_it_runs, look
from stagekit.pipeline.compare import Difference, Side, compare
from stagekit.pipeline.sides import running
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, Heard
from stagekit.testing.records import PIN, a_container, a_release, ran, released, sha

OTHER = f"registry.test/web@{sha('other')}"
LABELS = {"stagekit.env": "prod", "cost": "5$$"}
DOCUMENT = {"services": {"web": {"image": PIN.pinned, "labels": LABELS}}}
RELEASED = Side(
    name="prod/v1",
    release=a_release(id="v1"),
    files={"compose.yaml": b"# Sealed.\n" + to_yaml(DOCUMENT).encode()},
)
UP = a_container(image_id=sha("image"), labels=(("cost", "5$"), ("stagekit.env", "prod")))


def engine() -> FakeEngine:
    return FakeEngine(
        images={
            sha("image"): ImageFacts(id=sha("image"), size=1, digests=(PIN.pinned,)),
            sha("another"): ImageFacts(id=sha("another"), size=1, digests=(OTHER,)),
            sha("bare"): ImageFacts(id=sha("bare"), size=1),
        }
    )


def drift(*containers: Container) -> Difference:
    there = look(RELEASED.release, containers, engine())
    return compare(RELEASED, as_it_runs(RELEASED, "prod/running", [there]))


def test_what_runs_as_released_does_not_differ() -> None:
    """Byte for byte the release's document; labels of the engine's own do not count."""
    assert not drift(UP).differs
    assert not drift(UP, UP).differs


@pytest.mark.parametrize(
    ("image", "shown", "kind"),
    [("another", OTHER, "digest"), ("bare", sha("bare"), "image id"), ("x", sha("x"), "image id")],
)
def test_another_image_shows(image: str, shown: str, kind: str) -> None:
    """By digest where the engine knows one, else by its id; also in one replica of two."""
    difference = drift(UP, a_container(image_id=sha(image), labels=UP.labels))
    [change] = difference.images
    assert change.new
    assert (change.service, change.new.pinned, change.new.kind) == ("web", shown, kind)
    assert f'+    image: "{shown}"' in difference.document


def test_a_label_that_was_not_released_shows() -> None:
    """A container of an older release, or one that somebody made by hand."""
    stale = a_container(image_id=sha("image"), labels=(("cost", "6$"),))
    lines = [line for line in drift(stale).document if line[0] in "+-"]
    assert lines[2:] == ['-      cost: "5$$"', '-      stagekit.env: "prod"', '+      cost: "6$$"']


def test_a_service_that_does_not_run_shows() -> None:
    """As removed, with a note."""
    difference = drift()
    assert [item.kind for item in difference.images] == ["removed"]
    assert "nothing of web runs" in difference.notes


def test_a_service_that_was_not_released_shows() -> None:
    """As added, with a note."""
    difference = drift(UP, a_container("extra", image_id=sha("another")))
    assert [(item.service, item.kind) for item in difference.images] == [("extra", "added")]
    assert "extra runs, and is none of the release's services" in difference.notes


def test_each_host_that_runs_what_it_should_not_is_named() -> None:
    """Another image, nothing, something that belongs elsewhere, other labels, another release; one
    that is as released is not."""
    stale = a_container(image_id=sha("image"), labels=(("cost", "6$"),))
    places = [
        look(RELEASED.release, containers, engine(), host=host, expected=expected, in_force=other)
        for host, containers, expected, other in (
            ("a", [UP], ("web",), ""),
            ("b", [a_container(image_id=sha("another"))], ("web",), ""),
            ("c", [], ("web",), "v0"),
            ("d", [UP], (), ""),
            ("e", [stale], ("web",), ""),
        )
    ]
    side = as_it_runs(RELEASED, "prod/running", places)
    assert [(it.host, it.service, it.text) for it in side.hosts] == [
        ("b", "web", f"runs {OTHER}, which was not released"),
        ("c", None, "runs prod/v0, says its engine"),
        ("c", "web", "nothing of it runs"),
        ("d", "web", f"runs {PIN.pinned}, and should not run there"),
        ("e", "web", "runs with other labels than were released"),
    ]
    assert compare(RELEASED, side).differs
    assert not as_it_runs(RELEASED, "prod/running", places[:1]).hosts


def test_what_runs_is_read_from_the_last_run_and_the_engine(tmp_path: Path) -> None:
    """The release in force, and the containers under its project."""
    ledger = FileLedger(tmp_path)

    def now() -> Side:
        runner = FakeRunner([a_container(image_id=sha("another"))])
        return running(ledger, "prod", engine=engine(), runner=lambda _kind: runner, emit=Heard())

    with pytest.raises(InputError, match="nothing was ever run in prod"):
        now()
    released(ledger)
    released(ledger)
    ran(ledger, "v1")
    side = now()
    assert (side.name, side.release.id) == ("prod/running", "v1")
    assert side.release.pins["web"].pinned == OTHER
