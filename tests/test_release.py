"""Release: a build plus an environment, decided purely, sealed whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit import digest
from stagekit.errors import InputError, LedgerError
from stagekit.events import Warned
from stagekit.inputs.environment import Environment
from stagekit.inputs.merge import Layer, merge
from stagekit.inputs.project import load_project
from stagekit.inputs.settings import Policy
from stagekit.ledger.files import FileLedger
from stagekit.ledger.releases import counted
from stagekit.pipeline import release as stage
from stagekit.pipeline.compare import Side
from stagekit.pipeline.verify import verified
from stagekit.records import CI, Deploy, Pin, Source, Stored
from stagekit.testing.fakes import Heard
from stagekit.testing.records import PIN, a_build, released, sha
from stagekit.version import __version__


def an_environment(
    values: dict[str, object], *, deploy: Deploy | None = None, policy: Policy | None = None
) -> Environment:
    variables = merge([Layer("prod", values)])
    return Environment("prod", ("prod",), variables, deploy or Deploy(), policy or Policy())


def facts(root: Path, previous: Side | None = None, **changes: object) -> stage.Facts:
    """Facts of a release of one service to prod."""
    (root / "pyproject.toml").write_text('[tool.stagekit]\nname = "shop"\n')
    given: dict[str, object] = {
        "project": load_project(root, {}),
        "environment": Environment(
            name="prod",
            chain=("base", "prod"),
            variables=merge(
                [Layer("base", {"A": "1", "web": {"port": 80}}), Layer("prod", {"A": "2"})]
            ),
            deploy=Deploy(timeout=9.0),
            policy=Policy(),
        ),
        "build": Stored(record=a_build("b1"), digest=sha("record of b1")),
        "model": {
            "name": "shop-prod",
            "services": {"web": {"image": PIN.asked, "environment": {"A": "2"}}},
            "secrets": {"token": {"environment": "TOKEN", "name": "token"}},
        },
        "taken": {},
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
    assert release.files == digest.of_files(plan.files)


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
                environment=an_environment({"A": "3"}),
            )
        ).release.content_digest,
    }
    assert len(contents) == 3


def as_v4(plan: stage.Plan, **changes: object) -> Side:
    """What a plan makes, as the release before the next one."""
    side = Side("prod/v4", replace(plan.release, id="v4"), plan.files)
    return replace(side, **changes)


def after(root: Path, plan: stage.Plan, **changes: object) -> stage.Plan:
    """The plan of a release to follow ``plan``'s, as v4 of prod."""
    return stage.decide(facts(root, as_v4(plan), **changes))


def test_nothing_changed_since_the_last_release_is_said(tmp_path: Path) -> None:
    """Who releases, when and why, and on which line a value stands, is no change."""
    first = stage.decide(facts(tmp_path))
    assert first.unchanged is None
    assert after(tmp_path, first, actor="bob@ci", message="again", ci=None).unchanged == "prod/v4"
    moved = an_environment({"A": "2", "web": {"port": 80}}, deploy=Deploy(timeout=9.0))
    assert after(tmp_path, first, environment=moved).unchanged == "prod/v4"


@pytest.mark.parametrize(
    "change",
    [
        {"environment": an_environment({"A": "2", "web": {"port": 81}}, deploy=Deploy(timeout=9))},
        {"environment": an_environment({"A": "2", "web": {"port": 80}}, deploy=Deploy(timeout=8))},
        {"build": Stored(record=a_build("b2"), digest=sha("b2"))},
        {"pins": {"web": Pin(asked="x", pinned=f"x@{sha('x')}", kind="digest")}},
    ],
)
def test_whatever_would_run_differently_is_a_change(
    tmp_path: Path, change: dict[str, object]
) -> None:
    """A value, how it is deployed, another build, another image."""
    first = stage.decide(facts(tmp_path))
    assert after(tmp_path, first, **change).unchanged is None


def test_a_release_that_was_changed_since_is_compared_with_nothing(tmp_path: Path) -> None:
    """Whatever it says now, it is not what was sealed."""
    first = stage.decide(facts(tmp_path))
    damaged = as_v4(first, notes=("prod/v4 is NOT as it was sealed",))
    assert stage.decide(facts(tmp_path, damaged)).unchanged is None


def test_a_protected_environment_says_all_that_it_wants(tmp_path: Path) -> None:
    """One error names each setting that is not met."""
    dirty = replace(a_build("b1"), source=Source(commit="c" * 40, dirty=True))
    protected = an_environment({}, policy=Policy(protected=True, require_ci=True))
    wanted = facts(tmp_path, environment=protected, build=Stored(dirty, sha("b1")), ci=None)
    with pytest.raises(InputError) as caught:
        stage.decide(wanted)
    assert [line.partition(":")[0] for line in caught.value.output] == [
        "require_clean",
        "require_pushed",
        "require_ci",
        "confirm",
    ]
    assert caught.value.where == "environments/prod/config.toml [stagekit]"


def test_configuration_that_is_not_committed_is_not_released_where_that_counts(
    tmp_path: Path,
) -> None:
    """Neither by a build of a clean commit nor by promotion."""
    protected = an_environment({}, policy=Policy(protected=True))
    with pytest.raises(InputError, match=r"not as committed: environments/prod/config\.toml"):
        stage.decide(
            facts(
                tmp_path,
                environment=protected,
                pushed=True,
                uncommitted=("environments/prod/config.toml",),
            )
        )


def test_a_build_that_fits_a_protected_environment_is_released(tmp_path: Path) -> None:
    """Clean, pushed, and confirmed by name; a CI job confirms itself by being started."""
    protected = an_environment({}, policy=Policy(protected=True))
    given: dict[str, object] = {"environment": protected, "pushed": True}
    assert stage.decide(facts(tmp_path, **given)).release.env == "prod"
    assert stage.decide(facts(tmp_path, **given, ci=None, confirmed="prod")).release.env == "prod"
    for confirmed in (None, "", "staging"):
        with pytest.raises(InputError, match="confirm: its name has to be typed"):
            stage.decide(facts(tmp_path, **given, ci=None, confirmed=confirmed))


def test_an_image_id_makes_a_release_engine_local(tmp_path: Path) -> None:
    """It is marked, and whoever makes it is warned."""
    pin = Pin(asked="web:1", pinned=sha("id"), kind="image id")
    plan, heard = stage.decide(facts(tmp_path, pins={"web": pin})), Heard()
    assert plan.release.engine_local
    stage.apply(plan, ids=counted, ledger=FileLedger(tmp_path / "artifacts"), emit=heard)
    assert any(isinstance(event, Warned) for event in heard.events)


def test_what_is_sealed_is_verified(tmp_path: Path) -> None:
    """The ledger gives back exactly the plan's files, and they pass for what they are."""
    ledger, plan = FileLedger(tmp_path / "artifacts"), stage.decide(facts(tmp_path))
    stored = stage.apply(plan, ids=counted, ledger=ledger, emit=Heard())
    assert ledger.release_files("prod", "v1") == plan.files
    read = verified(ledger, "prod", None)
    assert read.release == stored
    assert read.text == plan.files["compose.yaml"]
    assert read.document["services"]["web"]["image"] == PIN.pinned


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "artifacts")


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
    ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    with pytest.raises(LedgerError, match="build b1 is not the one"):
        verified(ledger, "prod", "v1")


def test_an_environment_without_releases_is_said(ledger: FileLedger) -> None:
    """With the command that makes the first."""
    with pytest.raises(InputError, match="nothing was released to prod yet") as caught:
        verified(ledger, "prod", None)
    assert caught.value.hint == "inv release --env prod"
