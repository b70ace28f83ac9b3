"""Build: decided from source alone, everything built before anything is pushed, always recorded."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit.errors import BuildFailed, Cancelled, EngineError, InputError, RegistryError
from stagekit.events import Warned
from stagekit.inputs.project import Project, load_project
from stagekit.ledger.files import FileLedger
from stagekit.process import Cancel
from stagekit.records import CI, Source, Stored
from stagekit.stages import build as stage
from tests.fakes import FakeBuilder, FakeEngine, Heard, sha

SOURCE = Source(commit="c" * 40, branch="main", dirty=True)
GOCD = CI(name="gocd", pipeline="shop", counter="7")


def project(root: Path, registry: str | None = "registry.test", images: str = "web api") -> Project:
    """A project with one folder and Dockerfile per image."""
    text = '[tool.stagekit]\nname = "shop"\n'
    for name in images.split():
        (root / name).mkdir()
        (root / name / "Dockerfile").write_text("FROM scratch\n")
        text += f'[tool.stagekit.images.{name}]\ncontext = "{name}"\n'
    (root / "pyproject.toml").write_text(text)
    return load_project(root, {"STAGEKIT_REGISTRY": registry} if registry else {})


def decided(where: Project, wanted: str = "shop-7") -> stage.Plan:
    return stage.decide(
        stage.Facts(project=where, source=SOURCE, ci=GOCD, wanted_id=wanted, actor="ann@laptop")
    )


def applied(
    plan: stage.Plan,
    root: Path,
    engine: FakeEngine,
    *,
    heard: Heard | None = None,
    cancel: Cancel | None = None,
    **builder: object,
) -> Stored[stage.Build]:
    return stage.apply(
        plan,
        engine=engine,
        builder=FakeBuilder(engine, **builder),  # type: ignore[arg-type]
        ledger=FileLedger(root / "artifacts"),
        emit=heard or Heard(),
        cancel=cancel or Cancel(),
    )


def recorded(root: Path) -> stage.Build:
    """The one build in the ledger."""
    ledger = FileLedger(root / "artifacts")
    [id] = ledger.builds()
    return ledger.build(id).record


def test_a_plan_says_everything(tmp_path: Path) -> None:
    """Each image with its context, its names and what never travels."""
    plan = decided(project(tmp_path))
    assert (plan.id, plan.project, plan.push, plan.actor) == ("shop-7", "shop", True, "ann@laptop")
    assert (plan.source, plan.ci) == (SOURCE, GOCD)
    assert [image.repository for image in plan.images] == ["registry.test/web", "registry.test/api"]
    web = plan.images[0]
    assert (web.name, web.context) == ("web", tmp_path / "web")
    assert web.dockerfile == tmp_path / "web/Dockerfile"
    assert web.tags == ("shop-7", "latest")
    assert web.references == ("registry.test/web:shop-7", "registry.test/web:latest")
    assert web.hidden == ()


def test_without_a_registry_nothing_is_pushed(tmp_path: Path) -> None:
    """The build stays on its engine, under plain names."""
    plan = decided(project(tmp_path, registry=None))
    assert not plan.push
    assert plan.images[0].references == ("web:shop-7", "web:latest")


def test_records_and_environments_never_travel(tmp_path: Path) -> None:
    """A build knows no environment: they are hidden wherever a context holds them."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.stagekit]\nname = "shop"\n[tool.stagekit.images.web]\n'
    )
    plan = decided(load_project(tmp_path, {}))
    assert set(plan.images[0].hidden) == {"artifacts", "environments"}


def test_a_project_without_images_is_told_what_to_write(tmp_path: Path) -> None:
    """The first build of a fresh repository ends with two lines to add."""
    (tmp_path / "pyproject.toml").write_text('[tool.stagekit]\nname = "shop"\n')
    with pytest.raises(InputError, match="no image to build") as caught:
        decided(load_project(tmp_path, {}))
    assert "[tool.stagekit.images.web]" in str(caught.value.hint)


def test_gathering_asks_for_a_name_by_ci_and_source(tmp_path: Path) -> None:
    """Outside git the source is empty; who names the build sees what there is."""
    where = project(tmp_path)
    asked = []

    def name(ci: CI | None, source: Source) -> str:
        asked.append((ci, source))
        return "n"

    facts = stage.gather(where, ci=GOCD, actor="ann", name=name, emit=Heard())
    assert (facts.wanted_id, facts.source) == ("n", Source())
    assert asked == [(GOCD, Source())]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("2011-04-06-20:32:17", "2011-04-06-20-32-17"),
        ("shop/main 7", "shop-main-7"),
        ("..hidden", "hidden"),
        ("--x", "x"),
        ("_x_", "x_"),
        ("ä", "build"),
        ("", "build"),
        ("x" * 300, "x" * 120),
    ],
)
def test_an_id_becomes_a_tag(text: str, tag: str) -> None:
    """What Docker does not take is replaced; what is left of nothing is still a name."""
    assert stage.tag_of(text) == tag


@given(st.text())
def test_any_id_is_a_tag_and_a_name_in_the_ledger(text: str) -> None:
    """With room for the number that follows a taken one."""
    tag = stage.tag_of(text)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}", tag)
    FileLedger(Path("/nowhere")).release_folder("prod", f"{tag}-9999999")


def test_everything_is_built_before_anything_is_pushed(tmp_path: Path) -> None:
    """A failed build leaves ``latest`` where it was."""
    engine = FakeEngine()
    applied(decided(project(tmp_path)), tmp_path, engine)
    assert engine.calls == [
        ("build", "web"),
        ("build", "api"),
        ("push", "registry.test/web:shop-7"),
        ("push", "registry.test/web:latest"),
        ("push", "registry.test/api:shop-7"),
        ("push", "registry.test/api:latest"),
    ]


def test_a_build_is_recorded_with_its_digests(tmp_path: Path) -> None:
    """What the registry answered for the pushed reference is what pins."""
    engine, begun = FakeEngine(), datetime.now(UTC)
    stored = applied(decided(project(tmp_path)), tmp_path, engine)
    build = recorded(tmp_path)
    assert stored.record == build
    assert (build.id, build.status, build.engine_local) == ("shop-7", "succeeded", False)
    assert build.failure is None
    assert begun <= build.created <= build.finished
    assert (build.source, build.ci, build.actor) == (SOURCE, GOCD, "ann@laptop")
    assert (build.builder.name, build.builder.engine) == ("fake", "engine-1")
    web = build.images["web"]
    assert web.pin == f"registry.test/web@{sha('registry.test/web')}"
    assert (web.tags, web.size, web.pushed) == (("shop-7", "latest"), 7, True)


def test_without_a_push_the_image_id_pins_and_it_is_said(tmp_path: Path) -> None:
    """Such a build can run on one engine only."""
    heard = Heard()
    plan = decided(project(tmp_path, registry=None))
    build = applied(plan, tmp_path, FakeEngine(), heard=heard).record
    assert build.engine_local
    assert build.images["web"].pin == sha("image web")
    assert any(isinstance(event, Warned) for event in heard.events)


def test_a_taken_id_gets_a_number_in_the_tags_too(tmp_path: Path) -> None:
    """Two builds never share a tag but ``latest``, and the second is told its name."""
    plan, heard = decided(project(tmp_path)), Heard()
    applied(plan, tmp_path, FakeEngine())
    second = applied(plan, tmp_path, FakeEngine(), heard=heard).record
    assert second.id == "shop-7-2"
    assert second.images["web"].tags == ("shop-7-2", "latest")
    assert "this build is shop-7-2" in heard.text


def test_a_failed_build_is_a_record_too(tmp_path: Path) -> None:
    """The image, the step and the last lines; nothing was pushed."""
    engine = FakeEngine()
    error = BuildFailed("exit code: 1", where="image api, [2/3] RUN make", output=("no rule",))
    with pytest.raises(BuildFailed) as caught:
        applied(decided(project(tmp_path)), tmp_path, engine, fails="api", error=error)
    assert caught.value is error
    build = recorded(tmp_path)
    assert (build.status, build.images) == ("failed", {})
    assert build.failure is not None
    assert (build.failure.subject, build.failure.step) == ("api", "build")
    assert build.failure.output == ("no rule",)
    assert not [call for call in engine.calls if call[0] == "push"]


def test_a_refused_push_is_a_failed_build(tmp_path: Path) -> None:
    """With the registry's words and what to do about them."""
    engine = FakeEngine(push_error=RegistryError("denied", hint="docker login"))
    with pytest.raises(BuildFailed, match="the registry did not take it: denied") as caught:
        applied(decided(project(tmp_path)), tmp_path, engine)
    assert (caught.value.where, caught.value.hint) == ("registry.test/web:shop-7", "docker login")
    build = recorded(tmp_path)
    assert build.failure is not None
    assert (build.status, build.failure.step, build.failure.subject) == ("failed", "push", "web")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Cancelled("stopped"), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),  # the second Ctrl-C, which waits for nothing
        (EngineError("gone"), "failed"),
        (ZeroDivisionError("a plugin's bug"), "failed"),
        (SystemExit(3), "failed"),
    ],
)
def test_however_it_ends_it_is_recorded(tmp_path: Path, error: BaseException, status: str) -> None:
    """A cancelled build is told from a failed one; the error itself goes on unchanged."""
    with pytest.raises(type(error)) as caught:
        applied(decided(project(tmp_path)), tmp_path, FakeEngine(), fails="api", error=error)
    assert caught.value is error
    build = recorded(tmp_path)
    assert (build.status, build.images) == (status, {})
    assert build.failure is not None
    assert (build.failure.step, build.failure.subject) == ("build", "api")
    assert not (tmp_path / "artifacts/builds/shop-7.journal").exists()


def test_an_unexpected_error_is_recorded_by_its_kind(tmp_path: Path) -> None:
    """``0`` alone would tell nobody anything."""
    error = KeyError("x")
    with pytest.raises(KeyError):
        applied(decided(project(tmp_path)), tmp_path, FakeEngine(), fails="web", error=error)
    failure = recorded(tmp_path).failure
    assert failure is not None
    assert (failure.message, failure.output) == ("KeyError: 'x'", ())


def test_a_stop_before_the_first_image_builds_nothing(tmp_path: Path) -> None:
    """The token is looked at between steps."""
    cancel, engine = Cancel(), FakeEngine()
    cancel.request()
    with pytest.raises(Cancelled):
        applied(decided(project(tmp_path)), tmp_path, engine, cancel=cancel)
    assert engine.calls == []
    assert recorded(tmp_path).status == "cancelled"


@pytest.mark.parametrize(("text", "what"), [(None, "there is no Dockerfile"), (" \n", "empty")])
def test_a_missing_dockerfile_takes_no_id(tmp_path: Path, text: str | None, what: str) -> None:
    """What cannot be built at all is no build: nothing is recorded."""
    where = project(tmp_path)
    file = tmp_path / "api/Dockerfile"
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        stage.gather(where, ci=None, actor="ann", name=lambda *_: "n", emit=Heard())
    assert caught.value.where == "image api"
    assert not (tmp_path / "artifacts").exists()
