"""What a run would do, by what there is: each action and its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stagekit.containers import Container, Volume
from stagekit.envelope import decode, encode
from stagekit.errors import LedgerError, RunFailed
from stagekit.images import ImageFacts
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run import flow
from stagekit.pipeline.run.actions import Scene, actions
from stagekit.pipeline.run.planning import refuse_changed
from stagekit.pipeline.run.volumes import other_volumes
from stagekit.pipeline.run.why import differences
from stagekit.records import ContainerSeen, Planned, Stored
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner
from stagekit.testing.records import PIN, a_container, a_run, ran, released, sha
from tests.fakes import platform

UP = a_container(definition="d1")
SEEN = ContainerSeen(
    service="web",
    name=UP.name,
    id=UP.id,
    state="running",
    image_id=UP.image_id,
    proven=True,
    definition="d1",
)
WEB = {"image": "web@sha256:" + "1" * 64, "environment": {"A": "1"}}


def document(**services: Any) -> dict[str, Any]:
    return {"services": services}


def done(
    *containers: Container,
    now: dict[str, Any],
    before: dict[str, Any] | None = None,
    volumes: tuple[Volume, ...] = (),
    wanted: dict[str, int] | None = None,
    **definitions: str,
) -> dict[str, tuple[str, tuple[str, ...]]]:
    scene = Scene(
        containers=containers,
        volumes=volumes,
        document=now,
        definitions=definitions,
        wanted=wanted or dict.fromkeys(now["services"], 1),
        before=before,
        left=a_run(containers=(SEEN,)) if before else None,
    )
    return {f"{it.what} {it.name}": (it.kind, it.reasons) for it in actions(scene)}


def test_nothing_there_is_all_created() -> None:
    """Networks and volumes first; what is another project's, or not there to be made, is not."""
    now = {
        **document(web=WEB),
        "networks": {"back": {}, "theirs": {"external": True}},
        "volumes": {"data": {"name": "shop-prod_data"}, "old": {"name": "shop-prod_old"}},
    }
    there = (Volume(name="shop-prod_old", driver="local"),)
    assert done(now=now, volumes=there, web="d1") == {
        "network back": ("create", ()),
        "volume data": ("create", ()),
        "service web": ("create", ()),
    }


@pytest.mark.parametrize(
    ("container", "wanted", "expected"),
    [
        (UP, 1, ("keep", ())),
        (replace(UP, state="exited"), 1, ("start", (f"{UP.name} is exited",))),
        (UP, 3, ("create", ("1 → 3 containers",))),
        (UP, 0, ("remove", ("1 → 0 containers",))),
        (replace(UP, definition="by hand"), 1, ("recreate", ("it is not what run 1 left",))),
    ],
)
def test_a_service_that_is_there(
    container: Container, wanted: int, expected: tuple[str, tuple[str, ...]]
) -> None:
    """Of the same definition it is kept, started or made more of; of another it is replaced."""
    now = document(web=WEB)
    found = done(container, now=now, before=now, wanted={"web": wanted}, web="d1")
    assert found == {"service web": expected}


def test_what_no_release_has_any_more_is_removed() -> None:
    """As ``--remove-orphans`` does."""
    now = document(web=WEB)
    found = done(UP, a_container("old"), now=now, before=now, web="d1")
    assert found["service old"] == ("remove", ("the release has no such service",))


def test_a_new_definition_is_told_by_what_is_different_in_it() -> None:
    """The image first; without the document of what runs there is nothing to tell."""
    now = document(web={"image": "web@sha256:" + "2" * 64, "environment": {"A": "2"}})
    found = done(UP, now=now, before=document(web=WEB), web="d2")
    assert found["service web"] == (
        "recreate",
        ("image web@sha256:111111111111 → web@sha256:222222222222", "environment.A 1 → 2"),
    )
    found = done(UP, now=now, web="d2")
    assert found["service web"] == ("recreate", ("what it was made from is not at hand",))
    found = done(UP, now=document(web=WEB), before=document(web=WEB), web="d2")
    assert found["service web"] == ("recreate", ("another Compose made it, or a secret changed",))


@pytest.mark.parametrize("shared", [{"network_mode": "service:web"}, {"volumes_from": ["web:ro"]}])
def test_what_lives_in_another_services_container_goes_with_it(shared: dict[str, Any]) -> None:
    """Its own definition names that container, so what the last run left has to do."""
    side = {"image": PIN.pinned, **shared}
    before = document(side=side, web=WEB)
    there = replace(UP, id="s", service="side", definition="resolved")
    left = a_run(containers=(SEEN, replace(SEEN, id="s", service="side", definition="resolved")))
    scene = Scene(
        containers=(UP, there),
        volumes=(),
        document=before,
        definitions={"web": "d1", "side": "d9"},
        wanted={"web": 1, "side": 1},
        before=before,
        left=left,
    )
    assert {it.kind for it in actions(scene)} == {"keep"}
    [web, side_too] = actions(scene._replace(definitions={"web": "d2", "side": "d9"}))
    assert (web.name, web.kind, side_too.name, side_too.kind) == (
        *("web", "recreate"),
        *("side", "recreate"),
    )
    assert side_too.reasons[0].endswith("of web, which is recreated")


def test_a_network_that_is_another_one_restarts_what_is_on_it() -> None:
    """Others do not notice."""
    on_it = {**WEB, "networks": {"back": None}}
    before = {**document(web=on_it), "networks": {"back": {"name": "shop-prod_back"}}}
    now = {**before, "networks": {"back": {"name": "shop-prod_back", "internal": True}}}
    assert done(UP, now=now, before=before, web="d1") == {
        "network back": ("recreate", ("internal added: true",)),
        "service web": ("restart", ("network back is made anew",)),
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"command": ["a"]}, {"command": ["a", "b"]}, ['command ["a"] → ["a", "b"]']),
        ({"user": "0"}, {}, ["user removed"]),
        ({"labels": {"a": ""}}, {"labels": {"a": "x\ny"}}, ['labels.a "" → "x\\ny"']),
        ({}, {"environment": {"A": None}}, ["environment.A added: null"]),
        ({"labels": {"stagekit.files": "1"}}, {"labels": {}}, ["a config or a file that it uses"]),
        ({"labels": {}}, {"labels": {"stagekit.secrets": "1"}}, ["a secret that it uses"]),
        ({"x": "a"}, {"x": "b" * 80}, [f"x a → {'b' * 59}…"]),
        ({"image": "a", "build": 1}, {"image": "b"}, ["image a → b", "build removed"]),
        ({"cpus": 1}, {"cpus": 1}, []),
    ],
)
def test_differences_in_few_words(
    old: dict[str, Any], new: dict[str, Any], told: list[str]
) -> None:
    """Each by its path, and what cannot be shown on a line is quoted or cut."""
    assert list(differences(old, new)) == told


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """A ledger with a release that runs in prod."""
    ledger = FileLedger(tmp_path)
    released(ledger)
    ran(ledger, "v1", containers=(SEEN,))
    return ledger


def engine() -> FakeEngine:
    image = ImageFacts(id=UP.image_id, size=1, digests=(PIN.pinned,))
    return FakeEngine(images={PIN.pinned: image, image.id: image}, running=(UP,))


def a_plan(ledger: FileLedger, on: FakeEngine | None = None, *up: Container) -> Stored[Planned]:
    runner = FakeRunner(up or (UP,))
    plan = flow.plan("prod", release_id=None, reason="run", on=platform(ledger, runner, on))
    return decode(Planned, encode(plan), where="plan.toml")


def test_a_plan_that_nothing_changed_since_is_done(ledger: FileLedger) -> None:
    """And the run's record names it."""
    plan = a_plan(ledger, engine())
    run = flow.run(
        "prod",
        release_id="v1",
        reason="run",
        on=platform(ledger, FakeRunner((UP,)), engine()),
        keeping_to=plan,
    )
    assert (run.record.outcome, run.record.plan) == ("running", plan.digest)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ((), "is gone, or another one"),
        ((UP, a_container("more")), "shop-prod-more-1 was not there"),
        ((replace(UP, state="exited"),), "was running, and is exited"),
    ],
)
def test_a_plan_that_does_not_hold_any_more_is_refused(
    ledger: FileLedger, now: tuple[Container, ...], said: str
) -> None:
    """Before anything is touched; the record says so."""
    plan, runner = a_plan(ledger, engine()), FakeRunner(now)
    with pytest.raises(RunFailed, match=said):
        flow.run(
            "prod",
            release_id="v1",
            reason="run",
            on=platform(ledger, runner, engine()),
            keeping_to=plan,
        )
    assert "up" not in runner.calls
    assert ledger.run("prod", 2).record.changed is False


def test_what_else_makes_a_plan_another_one(ledger: FileLedger) -> None:
    """Another release, engine or scale; other images; other actions."""
    plan = a_plan(ledger, engine()).record
    refuse_changed(plan, plan)
    for other, said in [
        (replace(plan, release=replace(plan.release, digest=sha("x"))), "is another release"),
        (replace(plan, engine=replace(plan.engine, id="x")), "another engine"),
        (replace(plan, scale={"web": 2}), "another scale"),
        (replace(plan, pull=("x",)), "other images"),
        (replace(plan, actions=()), "something else"),
    ]:
        with pytest.raises(RunFailed, match=said):
            refuse_changed(plan, other)


def test_a_plan_that_was_edited_is_none(ledger: FileLedger) -> None:
    """Its digest says so."""
    data = encode(a_plan(ledger, engine()).record).replace(b"keep", b"remove")
    with pytest.raises(LedgerError, match="was changed or cut"):
        decode(Planned, data, where="plan.toml")


@pytest.mark.parametrize(
    ("asked", "there", "said"),
    [
        ({}, {"driver": "local"}, []),
        ({"driver": "nfs"}, {"driver": "local"}, ["driver local, and nfs is asked for"]),
        (
            {"driver_opts": {"o": "size=1m", "device": "$$x"}},
            {"driver": "local", "options": {"device": "$x"}},
            ["other options than are asked for: o"],
        ),
        ({"external": True, "driver": "nfs"}, {"driver": "local"}, []),
    ],
)
def test_a_volume_of_another_definition(
    asked: dict[str, Any], there: dict[str, Any], said: list[str]
) -> None:
    """By its driver and options; labels do no harm."""
    on = FakeEngine(kept_volumes=(Volume(name="shop-prod_data", **there),))
    document = {"services": {}, "volumes": {"data": {"name": "shop-prod_data", **asked}}}
    found = other_volumes(document, "shop-prod", on)
    assert list(found) == [f"volume shop-prod_data is there with {text}" for text in said]
