"""The chain behind a release, recomputed offline; what is wrong is named by its file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit import digest
from stagekit.errors import InputError, LedgerError
from stagekit.inputs.document import to_yaml
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.audit import Audit, audit, run_links
from stagekit.pipeline.verify import verified
from stagekit.records import Cancellation, Pin, Stored
from stagekit.testing.fakes import Heard
from stagekit.testing.records import NOON, a_build, a_pruning, a_release, a_run, sha


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """A build and a release of it to prod that was run."""
    ledger = FileLedger(tmp_path)
    build = ledger.reserve_build(a_build("b1")).finish(a_build("b1"))
    own = build.record.images["web"].pin
    release(ledger, web=Pin(asked=own, pinned=own, kind="digest"))
    run(ledger)
    return ledger


def release(ledger: FileLedger, document: dict[str, str] | None = None, **pins: Pin) -> None:
    """Release the build; ``document`` has the images that differ from the pins."""
    images = {**{name: pin.pinned for name, pin in pins.items()}, **(document or {})}
    text = to_yaml({"services": {name: {"image": image} for name, image in images.items()}})
    files = {"compose.yaml": text.encode(), "variables.toml": b"", "files/aa/logo": b"logo"}
    ledger.add_release(
        a_release(
            build=ledger.build("b1").link,
            pins=pins,
            files=digest.of_files(files),
            content_digest=digest.of_tree(files),
        ),
        files,
    )


def run(ledger: FileLedger, id: str = "v1") -> None:
    journal = ledger.begin_run("prod", {})
    link = ledger.release("prod", id).link
    journal.finish(replace(a_run(journal.n), release=link))
    journal.close()


def audited(ledger: FileLedger, id: str = "v1") -> Audit:
    return audit(ledger, "prod", id, run_links(ledger, "prod", Heard()))


def said(found: Audit) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_a_whole_release(ledger: FileLedger) -> None:
    """Nothing to say, but its digest."""
    found = audited(ledger)
    assert found == Audit(
        release="prod/v1", state="whole", digest=ledger.release("prod", "v1").digest
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "- 1",
        "text",
        "services:",
        "services: [a]",
        "services: {web: 1}",
        "services: {web: null}",
        "services: {web: {}}\nconfigs: [a]",
        "services: {web: {}}\nvolumes: {a: 1}",
        "a: *nothing",
        "services: {web: {}}\n---\nx: 1",
        "\0",
        "x: 2026-99-99",
    ],
)
def test_a_document_that_is_none_is_said(ledger: FileLedger, text: str) -> None:
    """Though its record, sealed anew by somebody, names it as it is."""
    files = {"compose.yaml": text.encode(), "variables.toml": b""}
    ledger.add_release(
        a_release(
            build=ledger.build("b1").link,
            files=digest.of_files(files),
            content_digest=digest.of_tree(files),
        ),
        files,
    )
    found = audited(ledger, "v2")
    assert found.state == "damaged"
    assert any("no document that stagekit sealed" in line for line in said(found))
    with pytest.raises(LedgerError, match="no document that stagekit sealed") as caught:
        verified(ledger, "prod", "v2")
    assert "v2" in (caught.value.where or "")


def test_a_link_to_a_release_is_none(ledger: FileLedger, tmp_path: Path) -> None:
    """However whole what it leads to is: it is neither verified nor run."""
    folder = ledger.release_folder("prod", "v1")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    [problem] = audited(ledger).problems
    assert "a link to a folder" in problem.what
    with pytest.raises(LedgerError, match="a link to a folder"):
        verified(ledger, "prod", "v1")


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "damage", "what"),
    [
        ("compose.yaml", edit, "compose.yaml was edited or cut"),
        ("compose.yaml", cut, "compose.yaml was edited or cut"),
        ("compose.yaml", empty, "compose.yaml is empty"),
        ("compose.yaml", Path.unlink, "compose.yaml is missing"),
        ("files/aa/logo", edit, "files/aa/logo was edited or cut"),
        ("variables.toml", Path.unlink, "variables.toml is missing"),
        ("files/aa/more", Path.touch, "files/aa/more does not belong to it"),
    ],
)
def test_a_file_that_is_not_what_it_was_is_named(
    ledger: FileLedger, name: str, damage: Callable[[Path], object], what: str
) -> None:
    """Edited, cut, missing or foreign; and a run refuses it in the same words."""
    damage(ledger.release_folder("prod", "v1") / name)
    found = audited(ledger)
    assert (found.state, said(found)) == ("damaged", [what])
    with pytest.raises(LedgerError, match=f"changed after it was sealed: {what}"):
        verified(ledger, "prod", "v1")


def test_every_file_is_named(ledger: FileLedger) -> None:
    """Not only the first."""
    folder = ledger.release_folder("prod", "v1")
    edit(folder / "compose.yaml")
    (folder / "variables.toml").unlink()
    assert len(said(audited(ledger))) == 2


def test_a_link_is_named(ledger: FileLedger) -> None:
    """What it leads to is not looked at."""
    link = ledger.release_folder("prod", "v1") / "extra"
    link.symlink_to("/etc/hostname")
    assert said(audited(ledger)) == [f"{link} not a regular file, as all of a record are"]


def test_an_edited_record_is_named(ledger: FileLedger) -> None:
    """By its path."""
    path = ledger.release_folder("prod", "v1") / "release.toml"
    edit(path)
    [problem] = audited(ledger).problems
    assert problem.file == str(path)


def test_a_record_whose_list_was_forged_is_noticed(ledger: FileLedger) -> None:
    """The list of files has to have the content digest."""
    files = {"compose.yaml": b"services: {}\n"}
    forged = a_release(files=digest.of_files(files), build=ledger.build("b1").link, pins={})
    ledger.add_release(forged, files)
    assert said(audited(ledger, "v2")) == [
        "release.toml lists other files than those of its content digest"
    ]


def test_a_record_without_a_list_is_checked_as_a_whole(ledger: FileLedger) -> None:
    """One of an earlier stagekit."""
    files = {"compose.yaml": b"services: {}\n"}
    content = digest.of_tree(files)
    old = a_release(files={}, content_digest=content, build=ledger.build("b1").link, pins={})
    ledger.add_release(old, files)
    assert audited(ledger, "v2").state == "whole"
    edit(ledger.release_folder("prod", "v2") / "compose.yaml")
    assert said(audited(ledger, "v2")) == ["a file of it is not what it was"]


def test_another_release_in_its_place_is_noticed(ledger: FileLedger) -> None:
    """Whole and sealed anew: but it is not what was run."""
    own = ledger.build("b1").record.images["web"].pin
    runs = ledger.root / "runs"
    shutil.rmtree(ledger.release_folder("prod", "v1"))
    runs.rename(ledger.root / "away")  # they would keep its id from being given again
    release(ledger, web=Pin(asked="other", pinned=own, kind="digest"))
    (ledger.root / "away").rename(runs)
    [problem] = audited(ledger).problems
    assert str(problem).startswith("release.toml is not the one that run 1 ran")


def test_another_build_is_noticed(ledger: FileLedger) -> None:
    """Under the same id, or edited."""
    path = ledger.root / "builds/b1.toml"
    path.unlink()
    ledger.reserve_build(a_build("b1")).finish(a_build("b1", actor="bob"))
    assert said(audited(ledger)) == ["build b1 is not the one this release was made from"]
    edit(path)
    [problem] = audited(ledger).problems
    assert problem.file == str(path)


def test_a_build_that_is_not_at_hand_is_said(ledger: FileLedger) -> None:
    """A job that only runs may have no more than the release: no fault."""
    (ledger.root / "builds/b1.toml").unlink()
    found = audited(ledger)
    assert (found.state, found.notes) == (
        "whole",
        ("build b1 is not at hand, and was not checked",),
    )


def test_an_image_that_the_record_does_not_pin_is_noticed(ledger: FileLedger) -> None:
    """The document runs what the record says, service by service."""
    redis = Pin(asked="redis:7", pinned=f"redis@{sha('7')}", kind="digest")
    release(ledger, document={"redis": f"redis@{sha('8')}"}, redis=redis)
    [problem] = audited(ledger, "v2").problems
    assert problem.file == "compose.yaml"
    assert f"runs redis@{sha('8')} as redis, but the record pins redis@{sha('7')}" in problem.what


@pytest.mark.parametrize("kind", ["digest", "image id"])
def test_an_image_that_the_build_did_not_make_is_noticed(ledger: FileLedger, kind: str) -> None:
    """One of the build's own repositories, or of its engine, that nobody was asked for."""
    other = f"registry.test/web@{sha('other')}" if kind == "digest" else sha("other")
    release(ledger, web=Pin(asked=other, pinned=other, kind=kind))  # type: ignore[arg-type]
    assert said(audited(ledger, "v2")) == [
        f"release.toml pins {other} for web, which build b1 did not make"
    ]


def test_an_image_that_was_asked_for_is_no_fault(ledger: FileLedger) -> None:
    """Others' images, a fixed tag in our own repository, and a copy in another registry."""
    stable = Pin(
        asked="registry.test/web:stable", pinned=f"registry.test/web@{sha('s')}", kind="digest"
    )
    redis = Pin(asked=f"redis@{sha('7')}", pinned=f"redis@{sha('7')}", kind="digest")
    release(ledger, stable=stable, redis=redis)
    assert audited(ledger, "v2").state == "whole"


def cancel(ledger: FileLedger, stated: str = "") -> None:
    stored = ledger.release("prod", "v1")
    link = Stored(record=stored.record, digest=stated or stored.digest).link
    ledger.cancel_release(
        Cancellation(env="prod", release=link, created=NOON, actor="ann", reason="leaks")
    )


def test_a_cancelled_release_is_noted(ledger: FileLedger) -> None:
    """It is whole all the same; a cancellation of another release is a fault."""
    cancel(ledger)
    found = audited(ledger)
    assert (found.state, found.notes) == ("whole", ("cancelled by ann: leaks",))


def test_a_cancellation_of_another_release_is_noticed(ledger: FileLedger) -> None:
    """By the digest that it names; a damaged one by its path."""
    cancel(ledger, sha("another"))
    assert said(audited(ledger)) == ["its cancellation is that of another release"]
    path = ledger.root / "releases/prod/v1.cancelled.toml"
    edit(path)
    assert [problem.file for problem in audited(ledger).problems] == [str(path)]


def test_a_pruned_release_is_noted(ledger: FileLedger) -> None:
    """What its runs named is still known."""
    stored = ledger.release("prod", "v1")
    ledger.prune_release(a_pruning(stored))
    assert audited(ledger) == Audit(
        release="prod/v1", state="pruned", notes=("pruned 2026-04-06 by ann@laptop",)
    )


def test_a_release_that_never_was_is_an_error(ledger: FileLedger) -> None:
    """A typing mistake is no damage."""
    with pytest.raises(InputError, match="no release prod/v9"):
        audited(ledger, "v9")


def promoted(ledger: FileLedger, **changes: object) -> list[str]:
    """What is said of a release to live that says it was promoted from prod/v1, and made so."""
    source = ledger.release("prod", "v1").record
    document = ledger.release_files("prod", "v1")
    stored = ledger.add_release(
        replace(source, id="", env="live", promoted_from="prod/v1", **changes), document
    )
    found = audit(ledger, "live", stored.record.id, {})
    return [*said(found), *found.notes]


def test_a_promotion_is_followed(ledger: FileLedger) -> None:
    """To a release of the same build, with the same images, whole itself."""
    assert promoted(ledger) == ["promoted from prod/v1"]
    edit(ledger.release_folder("prod", "v1") / "files/aa/logo")
    [problem, _] = promoted_again(ledger)
    assert "prod/v1, which it was promoted from: files/aa/logo was edited or cut" in problem


def promoted_again(ledger: FileLedger) -> list[str]:
    found = audit(ledger, "live", "v1", {})
    return [*said(found), *found.notes]


def test_a_promotion_of_another_build_is_noticed(ledger: FileLedger) -> None:
    """The record names where it came from, and that says otherwise."""
    other = ledger.reserve_build(a_build("b2")).finish(a_build("b2"))
    found = promoted(ledger, build=other.link)
    assert any("which it was promoted from, was made from build b1" in line for line in found)


def test_a_promotion_with_another_image_is_noticed(ledger: FileLedger) -> None:
    """What was asked for alike was pinned alike."""
    [pin] = ledger.release("prod", "v1").record.pins.values()
    other = replace(pin, pinned=f"web@{sha('other')}")
    found = promoted(ledger, pins={"web": other})
    assert any(line.startswith("prod/v1, which it was promoted from, runs") for line in found)


def test_where_a_promotion_came_from_may_be_gone(ledger: FileLedger) -> None:
    """That is said; a pruned one still tells its build."""
    assert promoted(ledger) == ["promoted from prod/v1"]
    stored = ledger.release("prod", "v1")
    shutil.rmtree(ledger.release_folder("prod", "v1"))
    assert promoted_again(ledger) == ["promoted from prod/v1, which is gone, and was not checked"]
    ledger.prune_release(a_pruning(stored))
    assert promoted_again(ledger) == ["promoted from prod/v1, which was pruned"]


def test_a_promotion_from_nowhere_is_noticed(ledger: FileLedger) -> None:
    """What no release could be called was not written by a promotion."""
    promoted(ledger)
    source = ledger.release("prod", "v1").record
    files = ledger.release_files("prod", "v1")
    ledger.add_release(replace(source, id="", env="live", promoted_from="../x/y"), files)
    assert "promoted from ../x/y" in said(audit(ledger, "live", "v2", {}))[0]
