"""Which build is released: of the source that is checked out, good, the newest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit.errors import NoBuild
from stagekit.events import Warned, ignore
from stagekit.inputs.fingerprint import ImageInputs, encode_inputs, read_inputs
from stagekit.inputs.project import load_project
from stagekit.inputs.source import read_source
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.choice import build_of_source, named_build
from stagekit.pipeline.sources import specs_of
from stagekit.records import Build as BuildRecord
from stagekit.records import Failure, Source, Stored
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON, a_build
from tests.test_source import commit, git


def made_from(content: str) -> ImageInputs:
    return ImageInputs(settings={}, bases={}, files={"app": content})


NOW = {"web": made_from("now")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one commit."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    (tmp_path / ".gitignore").write_text("artifacts/\n")
    (tmp_path / "app").write_text("1")
    (tmp_path / "pyproject.toml").write_text("[tool.stagekit]\n[tool.stagekit.images.web]\n")
    git(tmp_path, "add", "--all")
    commit(tmp_path, "one")
    return tmp_path


@pytest.fixture
def ledger(root: Path) -> FileLedger:
    return FileLedger(root / "artifacts")


def add(
    ledger: FileLedger,
    id: str,
    source: Source,
    *,
    status: str = "succeeded",
    fingerprint: str | None = None,
    inputs: Mapping[str, ImageInputs] | None = None,
) -> None:
    """Add a build of ``source``, a minute after the one before."""
    build = a_build(id, created=NOON + timedelta(minutes=len(ledger.builds())), source=source)
    images = {name: replace(image, fingerprint=fingerprint) for name, image in build.images.items()}
    failures = (Failure(subject="web", step="build", message="no rule"),)
    ledger.reserve_build(build).finish(
        replace(
            build,
            status=status,
            images=images,
            failures=failures if status == "failed" else (),
        ),
        encode_inputs(inputs) if inputs else b"",
    )


def chosen(
    root: Path, ledger: FileLedger, inputs: Mapping[str, ImageInputs] = NOW, heard: object = ignore
) -> Stored[BuildRecord]:
    return build_of_source(
        load_project(root, {}),
        ledger,
        source=read_source(root, ignore),
        inputs=lambda: inputs,
        emit=heard,  # type: ignore[arg-type]
    )


def test_the_newest_of_this_commit_is_taken(root: Path, ledger: FileLedger) -> None:
    """Newest by its own time, not by its name; a newer one of another commit is not it."""
    here = read_source(root, ignore)
    add(ledger, "b2", here)
    add(ledger, "b1", here)
    add(ledger, "b3", Source(commit="f" * 40))
    assert chosen(root, ledger).record.id == "b1"


def test_a_change_of_configuration_alone_needs_no_other_build(
    root: Path, ledger: FileLedger
) -> None:
    """Another commit whose source is the same, environments/ and artifacts/ apart."""
    add(ledger, "b1", read_source(root, ignore))
    (root / "environments").mkdir()
    (root / "environments/x.toml").write_text("")
    git(root, "add", "--all")
    commit(root, "config")
    assert chosen(root, ledger, inputs={}).record.id == "b1"
    (root / "app").write_text("2")
    git(root, "add", "--all")
    commit(root, "source")
    with pytest.raises(NoBuild, match="no build of commit"):
        chosen(root, ledger)


def test_where_commits_differ_what_images_are_made_from_tells(
    root: Path, ledger: FileLedger
) -> None:
    """Documentation is in no image: its commit needs no other build. Nor does a dirty tree."""
    add(ledger, "b1", read_source(root, ignore), fingerprint=NOW["web"].fingerprint)
    (root / "README").write_text("docs")
    assert chosen(root, ledger).record.id == "b1"
    git(root, "add", "--all")
    commit(root, "docs")
    assert chosen(root, ledger).record.id == "b1"
    with pytest.raises(NoBuild):
        chosen(root, ledger, inputs={"web": made_from("later")})
    with pytest.raises(NoBuild):
        chosen(root, ledger, inputs={**NOW, "worker": made_from("worker")})


def test_a_dirty_build_is_not_that_of_its_commit(root: Path, ledger: FileLedger) -> None:
    """Nobody knows what was in it, unless its images are what would be made now."""
    dirty = replace(read_source(root, ignore), dirty=True)
    add(ledger, "b1", dirty, fingerprint=made_from("then").fingerprint)
    with pytest.raises(NoBuild):
        chosen(root, ledger)
    add(ledger, "b2", dirty, fingerprint=NOW["web"].fingerprint)
    assert chosen(root, ledger).record.id == "b2"


def test_an_older_good_one_of_the_same_source_is_taken_with_a_warning(
    root: Path, ledger: FileLedger
) -> None:
    """A push that failed since says nothing about the build that stands."""
    here, heard = read_source(root, ignore), Heard()
    add(ledger, "b1", here)
    add(ledger, "b2", here, status="failed")
    assert chosen(root, ledger, heard=heard).record.id == "b1"
    assert Warned("build b2 failed; b1 is of the same source") in heard.events


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_build_that_did_not_succeed_is_not_released(
    root: Path, ledger: FileLedger, status: str
) -> None:
    """Neither found nor named; one of another source is not taken in its place."""
    add(ledger, "b1", Source(commit="f" * 40))
    add(ledger, "b2", read_source(root, ignore), status=status)
    with pytest.raises(NoBuild, match=f"build b2 {status}"):
        chosen(root, ledger)
    with pytest.raises(NoBuild, match=f"build b2 {status}"):
        named_build(ledger, "b2")
    assert named_build(ledger, "b1").record.id == "b1"


def test_without_a_build_the_command_that_makes_one_is_named(
    root: Path, ledger: FileLedger
) -> None:
    """And where there are others, the newest of them."""
    with pytest.raises(NoBuild, match="no build yet") as caught:
        chosen(root, ledger)
    assert caught.value.hint == "inv build"
    add(ledger, "b9", Source(commit="f" * 40))
    (root / "app").write_text("2")
    with pytest.raises(NoBuild, match=r"no build of commit .* with uncommitted changes") as caught:
        chosen(root, ledger)
    assert caught.value.hint == "inv build, or --build b9 for the newest (inv build.list)"


def test_a_damaged_record_is_passed_over(root: Path, ledger: FileLedger) -> None:
    """With a warning; the next one is as good as it was."""
    here, heard = read_source(root, ignore), Heard()
    add(ledger, "b1", here)
    add(ledger, "b2", here)
    (root / "artifacts/builds/b2.toml").write_text("schema = 1\n")
    assert chosen(root, ledger, heard=heard).record.id == "b1"
    assert any("build b2 is passed over" in str(event) for event in heard.events)


def test_a_build_that_has_not_passed_a_check_of_today_is_not_good(
    root: Path, ledger: FileLedger
) -> None:
    """Its images are what they would be now, and nobody knows that they pass."""
    add(ledger, "b1", read_source(root, ignore), fingerprint=NOW["web"].fingerprint)
    settings = root / "pyproject.toml"
    settings.write_text(settings.read_text() + '[tool.stagekit.checks]\nstarts = "web --version"\n')
    with pytest.raises(NoBuild):
        chosen(root, ledger)


def test_a_file_that_git_ignores_and_that_changed_is_told(root: Path, ledger: FileLedger) -> None:
    """The commit is the same, and decides; one that is not there is no change: a job that only
    releases never generated it."""
    (root / ".gitignore").write_text("artifacts/\ngenerated*\n")
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    git(root, "add", "--all")
    commit(root, "dockerfile")
    [spec] = specs_of(load_project(root, {})).values()

    def made() -> dict[str, ImageInputs]:
        index = root / "artifacts/index"
        return {"web": read_inputs(spec, builder="", base_digest=lambda _: None, index=index)}

    def warnings() -> list[str]:
        heard = Heard()
        assert chosen(root, ledger, heard=heard).record.id == "b1"
        return [event.text for event in heard.events if isinstance(event, Warned)]

    (root / "generated.js").write_text("1")
    add(ledger, "b1", read_source(root, ignore), inputs=made())
    (root / "generated.js").chmod(0o755)
    (root / "app").chmod(0o600)
    (root / ".git/description").write_text("git's own, which travels along with COPY .")
    assert warnings() == []
    (root / "generated.js").write_text("2")
    (root / "generated.css").write_text("1")
    [said] = warnings()
    assert "git ignores generated.css, generated.js, which changed since" in said
    (root / "generated.js").unlink()
    (root / "generated.css").unlink()
    assert warnings() == []
