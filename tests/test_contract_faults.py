"""A contract that finds nothing wrong with anything is none: what is made wrong on purpose, in one
way each, is found out by the case that is about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import BuildFailed
from stagekit.events import Emit
from stagekit.images import ImageFacts, ImageSpec
from stagekit.ledger.files import FileLedger
from stagekit.records import Build, Holder, Release, Stored
from stagekit.testing import FakeBuilder, FakeEngine, FakeLease, FakeRunner, FakeSecrets
from stagekit.testing.contracts import (
    BuilderContract,
    EngineContract,
    LeaseContract,
    LedgerContract,
    RunnerContract,
    SecretProviderContract,
    SecretsAtHand,
)
from stagekit.testing.contracts.builder import image_spec
from stagekit.testing.records import a_release, sha

IMAGE = "busybox:1"


@contextmanager
def found_out() -> Iterator[None]:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        yield


def an_engine(kind: type[FakeEngine] = FakeEngine) -> FakeEngine:
    return kind(images={IMAGE: ImageFacts(id=sha("busybox"), size=7)})


def test_a_provider_that_carries_what_it_should_not() -> None:
    """Values in clear."""

    class Telling(FakeSecrets):
        def carried(self, *_: object) -> Mapping[str, bytes]:
            return {"secrets.toml": b"correct horse"}

    with found_out():
        SecretProviderContract().test_nothing_in_clear_is_carried(
            SecretsAtHand(Telling(TOKEN="correct horse"), {"TOKEN": "correct horse"})
        )


class Forgetting(FileLedger):
    def release(self, env: str, id: str) -> Stored[Release]:  # noqa: ARG002  # its fault
        return super().release(env, self.releases(env)[0])


class Unordered(FileLedger):
    def builds(self) -> Sequence[str]:
        return sorted(super().builds())


class Believing(FileLedger):
    def build(self, id: str) -> Stored[Build]:
        path = self.root / f"builds/{id}.toml"
        path.write_text(path.read_text().replace("bob@laptop", "ann@lap"))
        return super().build("b")


class Silent(FileLedger):
    def close_interrupted_comparisons(self) -> Sequence[int]:
        return []


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        (Forgetting, "test_a_missing_release_is_told_which_there_are"),
        (Unordered, "test_builds_are_listed_newest_first"),
        (Silent, "test_a_comparison_whose_process_died_is_closed_by_the_next_command"),
    ],
)
def test_a_ledger_that_answers_wrongly(tmp_path: Path, kind: type[FileLedger], case: str) -> None:
    """With another release, in another order, or that nothing was interrupted."""
    with found_out():
        getattr(LedgerContract(), case)(kind(tmp_path))


def test_a_ledger_that_believes_a_damaged_record(tmp_path: Path) -> None:
    """It gives one that was never written."""

    class Damaged(LedgerContract):
        def damage_build(self, ledger: Any, id: str) -> None:
            assert (ledger.root / f"builds/{id}.toml").is_file()

    with found_out():
        Damaged().test_a_damaged_record_is_never_believed(Believing(tmp_path))


class Inventing(FakeEngine):
    def registry_digest(self, reference: str) -> str:
        return sha(reference)


class Unmoved(FakeEngine):
    def keep_standing(self, standing: Any) -> None:
        self.kept = self.kept or standing


class Misnaming(FakeEngine):
    def tag(self, image: str, reference: str) -> None:
        self.images[reference] = ImageFacts(id=sha(image), size=7)


@pytest.mark.parametrize(
    "case",
    [
        lambda: EngineContract().test_a_registry_that_does_not_have_it_is_an_error(
            an_engine(Inventing), "registry.test/contract"
        ),
        lambda: EngineContract().test_what_is_in_force_is_kept_for_those_without_records(
            an_engine(Unmoved), "contract"
        ),
        lambda: EngineContract().test_a_tag_is_one_more_name_of_the_same_image(
            an_engine(Misnaming), IMAGE, "registry.test/contract:1"
        ),
    ],
    ids=["a digest of nothing", "the first standing stays", "a tag of another image"],
)
def test_an_engine_that_lies(case: Callable[[], None]) -> None:
    """Of what a registry has, what is in force, or what a name means."""
    with found_out():
        case()


class Sharing(FakeEngine):
    def lease(self, name: str, holder: Holder, **more: Any) -> FakeLease:
        self._locks.pop(name, None)
        return super().lease(name, holder, **more)


class Unaware(FakeEngine):
    def break_lock(self, name: str) -> Holder | None:
        lease = self._locks.pop(name, None)
        return lease.holder if lease else None


@pytest.mark.parametrize(
    ("kind", "case"),
    [(Sharing, "test_it_is_held_by_one"), (Unaware, "test_broken_open_it_is_lost")],
)
def test_a_lease_that_two_hold(kind: type[FakeEngine], case: str) -> None:
    """At once, or because the first never hears that it was broken open."""
    with found_out():
        getattr(LeaseContract(), case)(an_engine(kind), "contract-prod")


class Nameless(FakeBuilder):
    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        id = super().build(spec, emit=emit, cancel=cancel)
        self.engine.images.pop(spec.references[-1])
        return id


class Mute(FakeBuilder):
    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        del emit
        return super().build(spec, emit=lambda _: None, cancel=cancel)


class Deaf(FakeBuilder):
    def build(self, spec: ImageSpec, *, emit: Emit, cancel: Cancel) -> str:
        del cancel
        return super().build(spec, emit=emit, cancel=Cancel())


def test_a_builder_that_does_not_do_what_it_says(tmp_path: Path) -> None:
    """A name is missing, nothing is told, or it goes on when it is stopped."""
    contract, engine = BuilderContract(), an_engine()
    spec = image_spec(tmp_path, "FROM scratch\n")
    with found_out():
        contract.test_what_is_built_is_on_the_engine(Nameless(engine), engine, spec)
    with found_out():
        contract.test_every_line_is_told(Mute(engine), spec)
    with found_out():
        contract.test_it_stops_when_it_is_told_to(Deaf(engine), spec)


def test_a_builder_whose_failure_says_nothing(tmp_path: Path) -> None:
    """Neither where, nor what was printed."""
    engine = an_engine()
    builder = FakeBuilder(engine, fails="broken", error=BuildFailed("no"))
    with found_out():
        BuilderContract().test_a_step_that_fails_is_named(builder, engine, tmp_path, IMAGE)


class Staying(FakeRunner):
    def down(self, project: str, **_: Any) -> None: ...


class Replacing(FakeRunner):
    def up(self, release: Release, *more: Any, **named: Any) -> tuple[str, ...]:
        self._up.take_down(release.compose_project)
        return super().up(release, *more, **named)


class Single(FakeRunner):
    def up(self, *more: Any, **named: Any) -> tuple[str, ...]:
        return super().up(*more, **{**named, "scale": {}})


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        (Staying, "test_what_is_brought_up_is_seen_and_taken_down"),
        (Replacing, "test_only_what_changed_is_replaced"),
        (Single, "test_other_numbers_of_containers"),
    ],
)
def test_a_runner_that_does_not_do_what_it_says(kind: type[FakeRunner], case: str) -> None:
    """Something stays up, is replaced for nothing, or there are too few."""
    runner = kind(engine=an_engine())
    with found_out():
        getattr(RunnerContract(), case)(runner, a_release(id="v1"), IMAGE)
