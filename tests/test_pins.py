"""From what a template asks for to the exact image that it gets."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from stagekit.errors import InputError, RegistryError, ReleaseFailed
from stagekit.images import ImageFacts
from stagekit.inputs.settings import Policy
from stagekit.pipeline.pins import by_text, check_pins, pin_images
from stagekit.records import Pin
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import Heard
from stagekit.testing.records import a_build, sha

BUILD = a_build("b1")
OWN = BUILD.images["web"].pin
REDIS = f"redis@{sha('redis 7')}"


def pinned(
    asked: str, engine: FakeEngine, previous: Pin | None = None, build: object = BUILD
) -> Pin:
    known = by_text({"other": previous}) if previous else {}
    return pin_images({"db": asked}, build, known, engine, Heard())["db"]  # type: ignore[arg-type]


def test_the_builds_own_images_are_pinned_by_its_record() -> None:
    """Nobody is asked: the record says which bytes."""
    engine = FakeEngine()
    assert pinned(OWN, engine) == Pin(asked=OWN, pinned=OWN, kind="digest")
    assert engine.calls == []


@pytest.mark.parametrize("tag", ["", ":b1", ":latest", ":dev"])
def test_an_image_of_the_build_is_that_builds_by_whatever_tag(tag: str) -> None:
    """A Compose file that names our repository gets what this build made, not what is newest."""
    engine = FakeEngine()
    assert pinned(f"registry.test/web{tag}", engine).pinned == OWN
    assert engine.calls == []


@pytest.mark.parametrize("tag", ["", ":latest", f"@{sha('copy')}"])
def test_an_image_of_a_further_registry_is_that_builds_too(tag: str) -> None:
    """By what that registry returned; what a release before had found there counts no more."""
    image = replace(BUILD.images["web"], copies={"second.test/team/web": sha("copy")})
    build, engine = replace(BUILD, images={"web": image}), FakeEngine()
    text = f"second.test/team/web{tag}"
    before = Pin(asked=text, pinned=f"second.test/team/web@{sha('other')}", kind="digest")
    pin = f"second.test/team/web@{sha('copy')}"
    assert pinned(text, engine, before, build) == Pin(asked=text, pinned=pin, kind="digest")
    assert pinned("registry.test/web", engine, build=build).pinned == OWN
    assert engine.calls == []


def test_an_older_image_of_ours_stays_what_was_asked_for() -> None:
    """Whoever names a digest means it."""
    older = f"registry.test/web@{sha('older')}"
    assert pinned(older, FakeEngine()) == Pin(asked=older, pinned=older, kind="digest")


@pytest.mark.parametrize(
    "digest", ["sha256:12", "latest", "sha512:" + "0" * 64, "sha256:" + "A" * 64]
)
def test_what_is_no_digest_is_no_pin(digest: str) -> None:
    """Compose would take it; no engine could."""
    with pytest.raises(InputError, match="is no digest") as caught:
        pinned(f"redis@{digest}", FakeEngine())
    assert caught.value.where == f"image redis@{digest}"


@pytest.mark.parametrize(
    "name", ["redis", "library/redis", "docker.io/redis", "docker.io/library/redis"]
)
def test_a_pin_is_written_as_the_engine_writes_it(name: str) -> None:
    """Docker Hub's images have several names; what runs is compared with one of them."""
    engine = FakeEngine(registry={f"{name}:7": sha("redis 7")})
    assert pinned(f"{name}:7", engine).pinned == REDIS
    assert pinned(f"{name}:7@{sha('redis 7')}", engine).pinned == REDIS


def test_an_engine_local_image_is_pinned_by_its_id() -> None:
    """Such a release runs only where the image is, and says so."""
    local = a_build(
        "b1",
        images={
            "web": BUILD.images["web"].__class__(
                repository="web", tags=("b1",), image_id=sha("local"), size=1, pushed=False
            )
        },
    )
    assert pinned(sha("local"), FakeEngine(), build=local).kind == "image id"


def test_the_registry_is_asked_for_others() -> None:
    """Its digest now is the pin, under the repository without the tag."""
    engine = FakeEngine(registry={"redis:7": sha("redis 7")})
    assert pinned("redis:7", engine) == Pin(asked="redis:7", pinned=REDIS, kind="digest")


def test_a_pin_carries_over_while_its_text_is_unchanged() -> None:
    """A release of configuration alone moves no database."""
    engine = FakeEngine(registry={"redis:7": sha("newer"), "redis:8": sha("redis 8")})
    last = Pin(asked="redis:7", pinned=REDIS, kind="digest")
    assert pinned("redis:7", engine, last) == last
    assert engine.calls == []
    assert pinned("redis:8", engine, last).pinned == f"redis@{sha('redis 8')}"


def test_an_image_id_does_not_carry_over() -> None:
    """As soon as a registry knows the image, its digest is better."""
    last = Pin(asked="redis:7", pinned=sha("local"), kind="image id")
    engine = FakeEngine(registry={"redis:7": sha("redis 7")})
    assert pinned("redis:7", engine, last).pinned == REDIS


def test_what_is_pinned_already_stays() -> None:
    """A digest in the template is taken at its word."""
    engine = FakeEngine()
    assert pinned(REDIS, engine) == Pin(asked=REDIS, pinned=REDIS, kind="digest")
    assert engine.calls == []


@pytest.mark.parametrize(
    ("digests", "pin"),
    [
        ((f"other@{sha('x')}", REDIS), Pin(asked="redis:7", pinned=REDIS, kind="digest")),
        ((f"other@{sha('x')}",), Pin(asked="redis:7", pinned=sha("id"), kind="image id")),
        ((), Pin(asked="redis:7", pinned=sha("id"), kind="image id")),
    ],
)
def test_without_the_registry_the_engine_is_asked(digests: tuple[str, ...], pin: Pin) -> None:
    """The digest it has of the same repository, else the image's id."""
    facts = ImageFacts(id=sha("id"), size=1, digests=digests)
    assert pinned("redis:7", FakeEngine(images={"redis:7": facts})) == pin


def test_what_nobody_knows_cannot_be_pinned() -> None:
    """The error names the image, the registry's reason and what to check."""
    with pytest.raises(RegistryError, match=r"cannot be pinned: .*manifest unknown") as caught:
        pinned("redis:7", FakeEngine())
    assert caught.value.where == "image redis:7"
    assert caught.value.hint == "check the name and the tag"


def test_an_image_of_two_services_is_asked_for_once() -> None:
    """Both get the same bytes, even if the tag moves in between."""
    engine = FakeEngine(registry={"redis:7": sha("redis 7")})
    pins = pin_images({"a": "redis:7", "b": "redis:7"}, BUILD, {}, engine, Heard())
    assert pins["a"] == pins["b"]
    assert engine.calls == [("ask", "redis:7")]


@pytest.mark.parametrize("policy", [Policy(pin="require"), Policy(protected=True)])
def test_an_image_without_a_digest_is_refused_where_each_must_have_one(policy: Policy) -> None:
    """The services are named, and what asked for their image."""
    pins = {
        "web": Pin(asked="web:1", pinned=sha("id"), kind="image id"),
        "db": Pin(asked="redis:7", pinned=REDIS, kind="digest"),
    }
    with pytest.raises(ReleaseFailed, match="no registry has the image of web, and prod") as caught:
        check_pins(pins, policy, "prod")
    assert caught.value.where == "web:1"
    check_pins(pins, Policy(), "prod")
    check_pins({"db": pins["db"]}, policy, "prod")
