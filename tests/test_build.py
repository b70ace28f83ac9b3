"""Build: decided from source alone, everything built before anything is pushed, always recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import (
    BuildFailed,
    Cancelled,
    EngineError,
    EngineRefused,
    InputError,
    RegistryError,
)
from stagekit.events import Noted, Output, Started, Warned
from stagekit.images import ImageSpec
from stagekit.inputs.project import load_project
from stagekit.ledger.files import FileLedger
from stagekit.pipeline import sources
from stagekit.pipeline.making import reasons
from stagekit.records import Source
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeBuilder, Heard
from stagekit.testing.records import sha
from tests.projects import GOCD, SOURCE, a_project, applied, decided, made_from, recorded

LABEL = "org.opencontainers.image"
ONE_AT_A_TIME = "jobs = 1"
CHECK = '[tool.stagekit.checks.starts]\nimage = "web"\nrun = "app --version"\n'


def pushes(engine: FakeEngine) -> list[str]:
    return [reference for verb, reference in engine.calls if verb == "push"]


def test_a_plan_says_everything(tmp_path: Path) -> None:
    """Each image with its context, its names and what never travels."""
    plan = decided(a_project(tmp_path))
    assert (plan.id, plan.push, plan.actor) == ("shop-7", True, "ann@laptop")
    assert (plan.source, plan.ci, plan.tags) == (SOURCE, GOCD, ("shop-7", "latest"))
    specs = {image.spec.name: image.spec for image in plan.images}
    assert [spec.repository for spec in specs.values()] == [
        "registry.test/web",
        "registry.test/api",
    ]
    assert specs["web"].context == tmp_path / "web"
    assert specs["web"].dockerfile == tmp_path / "web/Dockerfile"
    assert specs["web"].hidden == ()
    assert [image.reason for image in plan.images] == ["not built before"] * 2


def test_an_image_says_where_it_comes_from(tmp_path: Path) -> None:
    """In the labels that the OCI names; a project's own go before."""
    own = f'labels = {{ "{LABEL}.source" = "mine", team = "x" }}'
    project = a_project(tmp_path, settings=f'[tool.stagekit.images.web]\ncontext = "web"\n{own}')
    web, api = (image.spec.labels for image in decided(project).images)
    assert web[f"{LABEL}.source"] == "mine"
    assert web["team"] == "x"
    assert (api[f"{LABEL}.revision"], api[f"{LABEL}.version"]) == ("c" * 40, "shop-7")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(api[f"{LABEL}.created"])).days) < 1


def test_a_reproducible_image_knows_only_its_commit(tmp_path: Path) -> None:
    """Nothing in it tells when, from which clone or under which name it was built."""
    project = a_project(tmp_path, images="web", settings="reproducible = true")
    committed = datetime(2026, 4, 6, tzinfo=UTC)
    source = Source(commit="c" * 40, committed=committed, remote="https://git.test/shop")
    [image] = decided(project, source=source).images
    assert image.spec.epoch == int(committed.timestamp())
    assert image.spec.labels[f"{LABEL}.created"] == "2026-04-06T00:00:00Z"
    assert set(image.spec.labels) == {f"{LABEL}.created", f"{LABEL}.revision"}
    with pytest.raises(InputError, match="takes its times from a commit"):
        decided(project, source=Source())


def test_without_a_registry_nothing_is_pushed(tmp_path: Path) -> None:
    """The build stays on its engine, under plain names; that is said, and recorded."""
    project, engine, heard = a_project(tmp_path, registry=""), FakeEngine(), Heard()
    build = applied(decided(project), project, engine, heard=heard).record
    assert not pushes(engine)
    assert build.engine_local
    assert build.images["web"].pin == sha("image web")
    assert build.images["web"].repository == "web"
    assert any(isinstance(event, Warned) for event in heard.events)


def test_what_is_of_releases_never_travels(tmp_path: Path) -> None:
    """A build knows no environment: it is hidden wherever a context holds it. A folder that an
    application may have templates of its own in stays."""
    (tmp_path / "pyproject.toml").write_text("[tool.stagekit.images.web]\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/compose.yaml").write_text("services: {}\n")
    [spec] = sources.specs_of(load_project(tmp_path, {})).values()
    assert set(spec.hidden) == {"artifacts", "environments", "templates/compose.yaml"}


def test_gits_own_folder_in_an_image_is_warned_of(tmp_path: Path) -> None:
    """Each commit would make another image: most would rather not, some want it so."""
    project, heard = a_project(tmp_path, images="web"), Heard()
    (tmp_path / "web/.git").mkdir()
    (tmp_path / "web/.git/HEAD").write_text("ref: refs/heads/main\n")
    applied(decided(project), project, FakeEngine(), heard=heard)
    assert any(
        isinstance(event, Warned) and ".dockerignore" in event.text for event in heard.events
    )


def test_a_base_that_cannot_be_watched_is_warned_of(tmp_path: Path) -> None:
    """Where it moves, the image is stale and nobody sees it; not the project's own images, which
    the build itself names, and only where it is built."""
    settings = '[tool.stagekit.images.web]\ncontext = "web"\ndepends = ["api"]\n'
    project, engine, heard = a_project(tmp_path, settings=settings), FakeEngine(), Heard()
    (tmp_path / "web/Dockerfile").write_text("ARG IMAGE_API\nFROM ${IMAGE_API}\nFROM tool:$OTHER\n")
    applied(decided(project), project, engine, heard=heard)
    [said] = [event.text for event in heard.events if isinstance(event, Warned)]
    assert said.startswith("web: FROM tool:$OTHER is known to the builder alone: when")
    heard = Heard()
    applied(decided(project, engine), project, engine, heard=heard)
    assert not any(isinstance(event, Warned) for event in heard.events)


def test_a_project_without_images_is_told_what_to_write(tmp_path: Path) -> None:
    """The first build of a fresh repository ends with two lines to add."""
    with pytest.raises(InputError, match="no image to build") as caught:
        made_from(a_project(tmp_path, images=""))
    assert "[tool.stagekit.images.web]" in str(caught.value.hint)


@pytest.mark.parametrize(("text", "what"), [(None, "there is no Dockerfile"), (" \n", "empty")])
def test_a_missing_dockerfile_takes_no_id(tmp_path: Path, text: str | None, what: str) -> None:
    """What cannot be built at all is no build: nothing is recorded."""
    project = a_project(tmp_path)
    file = tmp_path / "api/Dockerfile"
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        decided(project)
    assert caught.value.where == "image api"
    assert not (tmp_path / "artifacts/builds").exists()


def test_everything_is_built_and_checked_before_anything_is_pushed(tmp_path: Path) -> None:
    """A failed build leaves ``latest`` where it was."""
    engine, project = FakeEngine(), a_project(tmp_path, settings=ONE_AT_A_TIME + "\n" + CHECK)
    applied(decided(project), project, engine)
    assert engine.calls == [
        ("build", "web"),
        ("check", "app --version"),
        ("build", "api"),
        ("tag", "registry.test/web:shop-7"),
        ("push", "registry.test/web:shop-7"),
        ("tag", "registry.test/web:latest"),
        ("push", "registry.test/web:latest"),
        ("tag", "registry.test/api:shop-7"),
        ("push", "registry.test/api:shop-7"),
        ("tag", "registry.test/api:latest"),
        ("push", "registry.test/api:latest"),
    ]


def test_a_tag_that_another_build_moved_is_pushed_again(tmp_path: Path) -> None:
    """What is pushed under a name is what this build made, or nothing."""
    latest = "registry.test/web:latest"
    engine, project = FakeEngine(moved=[latest]), a_project(tmp_path, images="web")
    applied(decided(project), project, engine)
    assert pushes(engine).count(latest) == 2
    (tmp_path / "web/app.py").write_text("1")
    engine.moved = [latest] * 9
    with pytest.raises(BuildFailed, match="another build on this engine has moved the tag"):
        applied(decided(project, engine, wanted="shop-8"), project, engine)


def test_a_build_is_recorded_with_its_digests(tmp_path: Path) -> None:
    """What the registry answered for the pushed reference is what pins."""
    engine, project, begun = FakeEngine(), a_project(tmp_path, settings=CHECK), datetime.now(UTC)
    stored = applied(decided(project), project, engine)
    build = recorded(project)
    assert stored.record == build
    assert (build.id, build.status, build.engine_local) == ("shop-7", "succeeded", False)
    assert build.failures == ()
    assert begun <= build.created <= build.finished
    assert (build.source, build.ci, build.actor) == (SOURCE, GOCD, "ann@laptop")
    assert (build.builder.name, build.builder.engine) == ("fake", "engine-1")
    web = build.images["web"]
    assert web.pin == f"registry.test/web@{sha('registry.test/web')}"
    assert (web.tags, web.size, web.pushed) == (("shop-7", "latest"), 7, True)
    assert (web.why, web.made_by) == (("not built before",), None)
    assert web.fingerprint == made_from(project)["web"].fingerprint
    [check] = build.checks
    assert (check.name, check.image, check.run) == ("starts", "web", ("app", "--version"))


def test_each_registry_gets_every_tag(tmp_path: Path) -> None:
    """The first one pins; what the others answered is recorded beside it."""
    engine = FakeEngine()
    project = a_project(tmp_path, registry="a.test,b.test/x", images="web")
    build = applied(decided(project), project, engine).record
    assert pushes(engine) == [
        *("a.test/web:shop-7", "a.test/web:latest"),
        *("b.test/x/web:shop-7", "b.test/x/web:latest"),
    ]
    assert build.images["web"].pin.startswith("a.test/web@")
    assert build.images["web"].copies == {"b.test/x/web": sha("b.test/x/web")}


def test_a_taken_id_gets_a_number_in_the_tags_too(tmp_path: Path) -> None:
    """Two builds never share a tag but ``latest``, and the second is told its name. Its images say
    it as well, where the project has no label of its own for that."""
    own = f'[tool.stagekit.images.api]\ncontext = "api"\nlabels = {{ "{LABEL}.version" = "own" }}'
    project = a_project(tmp_path, settings=f'tags = ["rel-{{{{ build }}}}"]\n{own}')
    plan, heard, engine = decided(project), Heard(), FakeEngine()
    applied(plan, project, engine)
    builder = FakeBuilder(engine)
    second = applied(plan, project, engine, heard=heard, builder=builder).record
    assert second.id == "shop-7-2"
    assert second.images["web"].tags == ("shop-7-2", "rel-shop-7-2", "latest")
    assert "this build is shop-7-2" in heard.text
    assert pushes(engine).count("registry.test/web:rel-shop-7") == 1
    versions = {spec.name: spec.labels[f"{LABEL}.version"] for spec in builder.built}
    assert versions == {"web": "shop-7-2", "api": "own"}


def test_what_is_unchanged_is_not_built_again(tmp_path: Path) -> None:
    """It gets the new build's tags; what changed is built, and says why."""
    engine, project = FakeEngine(), a_project(tmp_path, settings=ONE_AT_A_TIME)
    applied(decided(project), project, engine)
    (tmp_path / "api/app.py").write_text("1")
    engine.calls.clear()
    plan = decided(project, engine, wanted="shop-8")
    assert {image.spec.name: image.reason for image in plan.images} == {
        "web": "unchanged since shop-7",
        "api": "app.py added",
    }
    build = applied(plan, project, engine).record
    before = engine.calls[: engine.calls.index(("build", "api"))]
    assert before == [("tag", "registry.test/web:shop-8")]
    assert ("build", "web") not in engine.calls
    assert "registry.test/web:shop-8" in pushes(engine)
    assert (build.images["web"].made_by, build.images["web"].why) == ("shop-7", ())
    assert (build.images["api"].made_by, build.images["api"].why) == (None, ("app.py added",))


def test_force_builds_what_is_unchanged(tmp_path: Path) -> None:
    """And that is its reason."""
    engine, project = FakeEngine(), a_project(tmp_path, images="web")
    applied(decided(project), project, engine)
    [image] = decided(project, engine, force=True).images
    assert (image.known, image.why) == (None, ("--force",))


def test_an_image_that_is_gone_is_built_again(tmp_path: Path) -> None:
    """A fingerprint alone is no image."""
    engine, project = FakeEngine(), a_project(tmp_path, images="web")
    applied(decided(project), project, engine)
    engine.images.clear()
    engine.registry.clear()
    [image] = decided(project, engine).images
    assert (image.known, image.why) == (None, ("its image is gone",))


def test_a_source_that_changes_while_it_is_built_is_not_trusted(tmp_path: Path) -> None:
    """Which of the two was built nobody knows: the next build looks again."""
    project, engine, heard = a_project(tmp_path, images="web"), FakeEngine(), Heard()
    plan = decided(project)
    (tmp_path / "web/late.py").write_text("1")
    build = applied(plan, project, engine, heard=heard).record
    assert build.images["web"].fingerprint is None
    assert "changed while it was built" in heard.text
    [image] = decided(project, engine).images
    assert image.known is None


def test_a_failed_build_is_a_record_too(tmp_path: Path) -> None:
    """The image, the step, how long, the last lines; nothing was pushed."""
    engine, project = FakeEngine(), a_project(tmp_path)
    error = BuildFailed("exit code: 1", where="image api, [2/3] RUN make", output=("no rule",))
    with pytest.raises(BuildFailed) as caught:
        applied(decided(project), project, engine, fails="api", error=error)
    assert caught.value is error
    build = recorded(project)
    assert (build.status, build.images) == ("failed", {})
    [failure] = build.failures
    assert (failure.subject, failure.step, failure.output) == ("api", "build", ("no rule",))
    assert failure.seconds is not None
    assert not pushes(engine)


def test_one_failure_stops_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    """What is left out is named; the others are built to their end."""
    settings = '[tool.stagekit.images.api]\ncontext = "api"\ndepends = ["base"]\n'
    project = a_project(tmp_path, images="base api web", settings=settings)
    engine, heard = FakeEngine(), Heard()
    with pytest.raises(BuildFailed, match="broken"):
        applied(
            decided(project),
            project,
            engine,
            heard=heard,
            fails="base",
            error=BuildFailed("broken"),
        )
    assert {name for verb, name in engine.calls if verb == "build"} == {"base", "web"}
    assert Noted("api: left out, because of base") in heard.events
    assert not pushes(engine)


def test_of_several_failures_all_are_told(tmp_path: Path) -> None:
    """One error that names them, one entry each in the record."""
    project = a_project(tmp_path, images="a b c")
    error = BuildFailed("broken", output=("why",))
    with pytest.raises(BuildFailed, match="2 of 3 images failed: ") as caught:
        applied(decided(project), project, FakeEngine(), fails="a c", error=error)
    assert {"a: broken", "c: broken", "  why"} == set(caught.value.output)
    assert {failure.subject for failure in recorded(project).failures} == {"a", "c"}


def test_fail_fast_stops_the_others(tmp_path: Path) -> None:
    """They are told by their token, and what had not begun does not begin."""
    stopped = Event()

    class Slow(FakeBuilder):
        def build(self, spec: ImageSpec, *, emit: Any, cancel: Cancel) -> str:
            if spec.name == "a":
                raise BuildFailed("broken")
            for _ in range(200):
                if cancel.requested:
                    stopped.set()
                cancel.check()
                stopped.wait(0.02)
            return super().build(spec, emit=emit, cancel=cancel)

    project, engine = a_project(tmp_path, images="a b c", settings="jobs = 2"), FakeEngine()
    with pytest.raises(BuildFailed, match="broken"):
        applied(decided(project), project, engine, builder=Slow(engine), fail_fast=True)
    assert stopped.is_set()
    assert not engine.calls
    assert [failure.subject for failure in recorded(project).failures] == ["a"]


def test_a_check_that_fails_fails_the_build(tmp_path: Path) -> None:
    """With what it printed; nothing is pushed."""
    project = a_project(tmp_path, settings=CHECK)
    engine = FakeEngine(check_codes={("app", "--version"): 3})
    with pytest.raises(BuildFailed, match="check starts ended with 3: app --version") as caught:
        applied(decided(project), project, engine)
    assert caught.value.output == ("checking",)
    build = recorded(project)
    assert (build.status, build.checks) == ("failed", ())
    assert [failure.step for failure in build.failures] == ["check starts"]
    assert not pushes(engine)


def test_what_the_builder_cannot_do_is_said_before_it_builds(tmp_path: Path) -> None:
    """And takes no id."""
    project, engine = a_project(tmp_path), FakeEngine()
    with pytest.raises(InputError, match="it cannot build this here") as caught:
        applied(decided(project), project, engine, cannot=("no secrets: use BuildKit",))
    assert caught.value.output == (
        "web: no secrets: use BuildKit",
        "api: no secrets: use BuildKit",
    )
    assert engine.calls == []
    assert not FileLedger(project.artifacts).builds()


def test_a_check_that_cannot_run_fails_the_build(tmp_path: Path) -> None:
    """It is the project's mistake, not the engine's: the error names check and image."""
    engine = FakeEngine(check_error=EngineRefused("cannot run a command: no such file"))
    project = a_project(tmp_path, images="web", settings=CHECK)
    with pytest.raises(BuildFailed, match=r"check starts cannot run \(cannot run") as told:
        applied(decided(project), project, engine)
    assert told.value.where == "image web"
    assert recorded(project).failures[0].step == "check starts"


def test_a_refused_push_is_a_failed_build(tmp_path: Path) -> None:
    """With the registry's words and what to do about them; it is not tried again."""
    engine = FakeEngine(push_error=RegistryError("denied", hint="docker login"))
    project = a_project(tmp_path, images="web")
    with pytest.raises(BuildFailed, match="the registry did not take it: denied") as caught:
        applied(decided(project), project, engine)
    assert (caught.value.where, caught.value.hint) == ("registry.test/web:shop-7", "docker login")
    build = recorded(project)
    assert (build.status, build.failures[0].step, build.failures[0].subject) == (
        "failed",
        "push",
        "web",
    )
    assert len(pushes(engine)) == 1


def test_a_push_is_tried_again_where_that_can_help(tmp_path: Path) -> None:
    """And says what it waits for."""
    engine = FakeEngine(push_errors=[RegistryError("502 Bad Gateway", transient=True)])
    project, heard = a_project(tmp_path, images="web"), Heard()
    build = applied(decided(project), project, engine, heard=heard).record
    assert build.succeeded
    assert pushes(engine) == ["registry.test/web:shop-7"] * 2 + ["registry.test/web:latest"]
    assert "push registry.test/web:shop-7: 502 Bad Gateway; again in" in heard.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Cancelled("stopped"), "interrupted"),
        (EngineError("gone"), "failed"),
        (ZeroDivisionError("a plugin's bug"), "failed"),
        (KeyError("x"), "failed"),
    ],
)
def test_however_it_ends_it_is_recorded(tmp_path: Path, error: Exception, status: str) -> None:
    """An interrupted build is told from a failed one; the error itself goes on unchanged."""
    project = a_project(tmp_path)
    with pytest.raises(type(error)) as caught:
        applied(decided(project), project, FakeEngine(), fails="api", error=error)
    assert caught.value is error
    build = recorded(project)
    assert (build.status, build.images) == (status, {})
    assert (build.failures[0].step, build.failures[0].subject) == ("build", "api")
    assert not (tmp_path / "artifacts/builds/shop-7.journal").exists()


def test_an_unexpected_error_is_recorded_by_its_kind(tmp_path: Path) -> None:
    """``0`` alone would tell nobody anything."""
    project = a_project(tmp_path, images="web")
    with pytest.raises(KeyError):
        applied(decided(project), project, FakeEngine(), fails="web", error=KeyError("x"))
    [failure] = recorded(project).failures
    assert (failure.message, failure.output) == ("KeyError: 'x'", ())


def test_a_second_ctrl_c_is_recorded_too(tmp_path: Path) -> None:
    """It comes up on the main thread, where the listener is."""

    class Stopping(Heard):
        def __call__(self, event: Any) -> None:
            if isinstance(event, Started):
                raise KeyboardInterrupt

    project = a_project(tmp_path, images="web")
    with pytest.raises(KeyboardInterrupt):
        applied(decided(project), project, FakeEngine(), heard=Stopping())
    assert recorded(project).status == "interrupted"


def test_a_stop_before_the_first_image_builds_nothing(tmp_path: Path) -> None:
    """The token is looked at between steps."""
    cancel, engine, project = Cancel(), FakeEngine(), a_project(tmp_path)
    cancel.request()
    with pytest.raises(Cancelled):
        applied(decided(project), project, engine, cancel=cancel)
    assert engine.calls == []
    assert recorded(project).status == "interrupted"


def test_what_builders_print_is_kept(tmp_path: Path) -> None:
    """Line by line, each after its image's name."""

    class Loud(FakeBuilder):
        def build(self, spec: ImageSpec, *, emit: Any, cancel: Cancel) -> str:
            emit(Output("build", spec.name, "compiling"))
            return super().build(spec, emit=emit, cancel=cancel)

    project, engine = a_project(tmp_path, images="web", settings=CHECK), FakeEngine()
    applied(decided(project), project, engine, builder=Loud(engine))
    ledger = FileLedger(project.artifacts)
    assert ledger.build_log("shop-7") == b"web | compiling\nweb | FROM scratch\nweb | checking\n"


@pytest.mark.parametrize(
    ("wanted", "ci", "refused"),
    [("true", None, True), ('"ci"', None, False), ('"ci"', GOCD, True), ("false", GOCD, False)],
)
def test_a_dirty_source_can_be_refused(tmp_path: Path, wanted: str, ci: Any, refused: bool) -> None:
    """Always, never, or on a CI; the files are named."""
    project = a_project(tmp_path, images="web", settings=f"require_clean = {wanted}")
    dirty = Source(commit="c" * 40, dirty=True, changed=("app.py",))
    sources.check_clean(project, Source(commit="c" * 40), ci)
    if not refused:
        sources.check_clean(project, dirty, ci)
        return
    with pytest.raises(InputError, match=r"uncommitted changes: app\.py"):
        sources.check_clean(project, dirty, ci)


def test_reasons_fit_on_a_line() -> None:
    """The first three, and how many more there are."""
    assert reasons(("a changed",)) == "a changed"
    assert reasons(("a", "b", "c", "d", "e")) == "a, b, c, and 2 more"
