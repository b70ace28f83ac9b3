"""Release: a build plus an environment, decided purely, sealed whole."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from stagekit import digest
from stagekit.errors import InputError, LedgerError
from stagekit.events import Noted, Warned
from stagekit.inputs.environment import Environment
from stagekit.inputs.merge import Layer, merge
from stagekit.inputs.project import load_project
from stagekit.ledger.files import FileLedger
from stagekit.records import CI, Deploy, Failure, Pin, Release, Stored
from stagekit.stages import release as stage
from stagekit.stages.verify import verified
from stagekit.version import __version__
from tests.fakes import NOON, PIN, Heard, a_build, a_release, released, sha


def facts(root: Path, previous: Release | None = None, **changes: object) -> stage.Facts:
    """Facts of a release of one service to prod."""
    (root / "pyproject.toml").write_text('[tool.stagekit]\nname = "shop"\n')
    given: dict[str, object] = {
        "project": load_project(root, {}),
        "environment": Environment(
            name="prod",
            variables=merge(
                [Layer("base", {"A": "1", "web": {"port": 80}}), Layer("prod", {"A": "2"})]
            ),
            deploy=Deploy(timeout=9.0),
        ),
        "build": Stored(record=a_build("b1"), digest=sha("record of b1")),
        "model": {
            "name": "shop-prod",
            "services": {"web": {"image": PIN.asked, "environment": {"A": "2"}}},
            "secrets": {"token": {"environment": "TOKEN", "name": "token"}},
        },
        "asked": {"web": PIN.asked},
        "pins": {"web": PIN},
        "compose_version": "5.6.1",
        "commits": ("abc fix",),
        "actor": "ann@laptop",
        "previous": previous,
        "ci": CI(name="gocd"),
        "message": "why",
    }
    return stage.Facts(**{**given, **changes})  # type: ignore[arg-type]


def test_a_release_holds_everything_it_was_made_from(tmp_path: Path) -> None:
    """Build, pins, secrets by name, how to run it, and what sealed it."""
    plan = stage.decide(facts(tmp_path))
    release = plan.release
    assert (release.id, release.env, release.project) == ("", "prod", "shop")
    assert (release.build.id, release.build.digest) == ("b1", sha("record of b1"))
    assert (release.pins, release.secrets, release.commits) == (
        {"web": PIN},
        ("TOKEN",),
        ("abc fix",),
    )
    assert (release.deploy.timeout, release.message, release.actor) == (9.0, "why", "ann@laptop")
    assert (release.versions.stagekit, release.versions.compose) == (__version__, "5.6.1")
    assert not release.engine_local
    assert release.content_digest == digest.of_tree(plan.files)


def test_every_variable_is_kept_with_its_origin(tmp_path: Path) -> None:
    """variables.toml says where each merged value came from."""
    plan = stage.decide(facts(tmp_path))
    assert tomllib.loads(plan.files["variables.toml"].decode()) == {
        "A": {"value": "2", "origin": "prod"},
        "web.port": {"value": 80, "origin": "base"},
    }


def test_the_content_is_the_same_whoever_releases_whenever(tmp_path: Path) -> None:
    """No id, time, person or message is in it: equal inputs have an equal digest anywhere."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    one = stage.decide(facts(tmp_path / "here"))
    two = stage.decide(
        facts(
            tmp_path / "there",
            actor="bob@ci",
            message=None,
            ci=None,
            commits=(),
            build=Stored(record=a_build("b2"), digest=sha("b2")),
        )
    )
    assert one.release.content_digest == two.release.content_digest
    assert one.files == two.files


def test_another_value_or_pin_is_another_content(tmp_path: Path) -> None:
    """What runs differently has another digest."""
    contents = {
        stage.decide(facts(tmp_path)).release.content_digest,
        stage.decide(
            facts(tmp_path, pins={"web": Pin(asked="x", pinned=f"x@{sha('x')}", kind="digest")})
        ).release.content_digest,
        stage.decide(
            facts(
                tmp_path,
                environment=Environment("prod", merge([Layer("prod", {"A": "3"})]), Deploy()),
            )
        ).release.content_digest,
    }
    assert len(contents) == 3


def test_the_same_content_as_the_last_release_is_said(tmp_path: Path) -> None:
    """The release is made all the same, with a remark."""
    first = stage.decide(facts(tmp_path)).release
    previous = a_release(id="v4", content_digest=first.content_digest)
    plan, heard = stage.decide(facts(tmp_path, previous)), Heard()
    assert plan.same_as == "prod/v4"
    stored = stage.apply(plan, ledger=FileLedger(tmp_path / "artifacts"), emit=heard)
    assert stored.record.id == "v1"
    assert Noted("the content is the same as prod/v4's") in heard.events
    assert stage.decide(facts(tmp_path, a_release(id="v4"))).same_as is None


def test_an_image_id_makes_a_release_engine_local(tmp_path: Path) -> None:
    """It is marked, and whoever makes it is warned."""
    pin = Pin(asked="web:1", pinned=sha("id"), kind="image id")
    plan, heard = stage.decide(facts(tmp_path, pins={"web": pin})), Heard()
    assert plan.release.engine_local
    stage.apply(plan, ledger=FileLedger(tmp_path / "artifacts"), emit=heard)
    assert any(isinstance(event, Warned) for event in heard.events)


def test_what_is_sealed_is_verified(tmp_path: Path) -> None:
    """The ledger gives back exactly the plan's files, and they pass for what they are."""
    ledger, plan = FileLedger(tmp_path / "artifacts"), stage.decide(facts(tmp_path))
    stored = stage.apply(plan, ledger=ledger, emit=Heard())
    assert ledger.release_files("prod", "v1") == plan.files
    read = verified(ledger, "prod", None)
    assert read.release == stored
    assert read.text == plan.files["compose.yaml"]
    assert read.document["services"]["web"]["image"] == PIN.pinned


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "artifacts")


def add(ledger: FileLedger, id: str, status: str = "succeeded") -> None:
    """Add a build, a minute after the one before."""
    created = NOON + timedelta(minutes=len(ledger.builds()))
    failures = (Failure(subject="web", step="build", message="no rule"),)
    ledger.reserve_build(a_build(id)).finish(
        a_build(id, status=status, failures=failures if status == "failed" else (), created=created)
    )


def test_the_newest_build_is_released_unless_one_is_named(ledger: FileLedger) -> None:
    """Newest by its own time, not by its name."""
    add(ledger, "b2")
    add(ledger, "b1")
    assert stage.find_build(ledger, None).record.id == "b1"
    assert stage.find_build(ledger, "b2").record.id == "b2"


@pytest.mark.parametrize("status", ["failed", "interrupted"])
@pytest.mark.parametrize("id", [None, "b2"])
def test_a_build_that_did_not_succeed_is_not_released(
    ledger: FileLedger, status: str, id: str | None
) -> None:
    """An older one is not taken silently in its place; named, it still can be."""
    add(ledger, "b1")
    add(ledger, "b2", status)
    with pytest.raises(InputError, match=f"b2,? {status}"):
        stage.find_build(ledger, id)
    assert stage.find_build(ledger, "b1").record.id == "b1"


def test_without_a_build_there_is_nothing_to_release(ledger: FileLedger) -> None:
    """The hint is the command that makes one."""
    with pytest.raises(InputError, match="no build yet") as caught:
        stage.find_build(ledger, None)
    assert caught.value.hint == "inv build"
    add(ledger, "b1")
    with pytest.raises(InputError, match="no build 'b9'"):
        stage.find_build(ledger, "b9")


@pytest.mark.parametrize("name", ["compose.yaml", "variables.toml", "extra", "files/x"])
def test_a_release_that_was_changed_is_refused(ledger: FileLedger, name: str) -> None:
    """A changed file, a new one: what was sealed is not what is there."""
    released(ledger)
    path = ledger.root / "releases/prod/v1" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(path.read_bytes() + b" " if path.exists() else b"")
    with pytest.raises(LedgerError, match="was changed after it was sealed"):
        verified(ledger, "prod", "v1")


def test_a_release_that_lost_a_file_is_refused(ledger: FileLedger) -> None:
    """A missing file is a change too, not a traceback."""
    released(ledger)
    (ledger.root / "releases/prod/v1/compose.yaml").unlink()
    with pytest.raises(LedgerError, match="was changed after it was sealed"):
        verified(ledger, "prod", "v1")


def test_a_build_that_was_exchanged_is_noticed(ledger: FileLedger) -> None:
    """A release names its build by digest; without the build at hand it is believed."""
    released(ledger)
    assert verified(ledger, "prod", "v1")
    add(ledger, "b1")
    with pytest.raises(LedgerError, match="build b1 is not the one"):
        verified(ledger, "prod", "v1")


def test_an_environment_without_releases_is_said(ledger: FileLedger) -> None:
    """With the command that makes the first."""
    with pytest.raises(InputError, match="nothing was released to prod yet") as caught:
        verified(ledger, "prod", None)
    assert caught.value.hint == "inv release --env prod"
